//! The program `quorate`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Bytes that one thread allocates are mostly freed by another one: by the driver those of the
/// storage, and the other way round.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    quorate_node::cli::main()
}
