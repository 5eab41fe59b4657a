//! The thin WebAssembly face of quorate-core: bytes in, one batch of bytes out.
//!
//! Three modules are built from this crate: a feature decides what is exported, `client` what the
//! npm package needs, `sim` the simulated world, `vectors` what only tests call. There is no
//! protocol logic here: everything is decided in core. Objects, promises, errors and sockets live in
//! TypeScript.

#[cfg(any(feature = "client", not(any(feature = "sim", feature = "vectors"))))]
pub mod client;

#[cfg(feature = "sim")]
pub mod sim;

#[cfg(feature = "vectors")]
pub mod vectors;
