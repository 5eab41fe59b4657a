//! The client of the npm package.
//!
//! ```text
//!   TypeScript                        wasm memory
//!   calls and socket events  ------>  arena   commands, see [`commands`]
//!                            handle()   |  the machine of core runs through the whole batch
//!   sockets and promises     <------  output  results, see [`results`]
//! ```
//!
//! One crossing of the boundary per turn of the event loop, whatever the number of requests: both
//! sides read and write plain bytes, and nothing is allocated in JavaScript on the way.

pub mod commands;
pub mod results;
pub mod view;

mod bytes;
mod driver;
#[cfg(feature = "client")]
mod face;

pub use driver::Driver;
#[cfg(feature = "client")]
pub use face::Client;
