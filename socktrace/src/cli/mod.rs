//! Words in, exit code out.

/// Run the command line.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(2)
}
