//! Models of what the two halves do to memory that both have mapped: all that is here are tests, which
//! `cargo xtask model` runs. A normal build has nothing to do.
