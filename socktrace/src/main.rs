//! The `socktrace` binary: words in, exit code out.

fn main() -> std::process::ExitCode {
    socktrace::cli::main()
}
