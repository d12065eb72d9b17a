//! The program `runbook`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    runbook::cli::main()
}
