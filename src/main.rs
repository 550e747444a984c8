//! Arguments and exit codes; everything else is the library's.
//!
//! What a reader could get wrong: the allocator is chosen here, for the binary only (docs/decisions/0003).

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(tidegate::cli::run())
}
