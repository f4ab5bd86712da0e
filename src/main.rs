//! The `netpolc` binary: everything is in the library's `cli`.

fn main() -> std::process::ExitCode {
    netpolc::cli::main()
}
