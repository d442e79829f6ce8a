//! How things look: the ss table, event lines, JSON. Pure: values and names in, bytes out.

pub mod amounts;
pub mod btf;
pub mod clock;
pub mod errno;
pub mod escape;
#[cfg(test)]
mod event_fixtures;
pub mod event_json;
pub mod event_line;
pub mod groups;
pub mod json;
pub mod names;
mod nested;
mod places;
pub mod ss;
pub mod units;
pub mod width;
