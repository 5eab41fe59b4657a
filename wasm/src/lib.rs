//! The thin WebAssembly face of quorate-core: bytes in, one batch of bytes out.
//!
//! Two modules are built from this crate, one per feature: `client` for the npm package, `sim` for
//! the simulated world. There is no protocol logic here: everything is decided in core. Objects,
//! promises, errors and sockets live in TypeScript.

#[cfg(feature = "client")]
pub mod client;
