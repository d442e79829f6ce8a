//! The project's own tasks. One file per task.
fn main() {}
