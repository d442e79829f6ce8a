//! How things look: the ss table, event lines, JSON. Pure: values and names in, bytes out.

pub mod escape;
pub mod units;
