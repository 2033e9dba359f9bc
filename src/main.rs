//! `swath`: label every pixel of rasters too large for memory.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
