//! The Quorate protocol as state machines without I/O.
//!
//! Quorate is an always-writable key-value store in the style of Dynamo (SOSP 2007). This crate
//! holds the whole protocol and nothing else: it opens no socket, reads no clock, starts no thread
//! and draws no entropy. Whoever embeds it (the native node, the WebAssembly client, the
//! simulator) passes in what happened and carries out the [`effects`](machine::Effects) that come
//! back. The same sequence of inputs gives the same effects on every platform.
//!
//! Modules stand in reading order; a lower one never names a higher one.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "mutants")]
pub mod mutants;

#[macro_use]
mod sane_or;

pub mod time;

pub mod prng;

pub mod ids;

pub mod limits;

pub mod ring;

pub mod layout;

pub mod causality;

pub mod merkle;

pub mod message;

pub mod codec;

pub mod quorum;

pub mod request;

pub mod machine;

mod config;

mod backoff;

mod handshake;

mod counters;

pub mod membership;

mod peers;

mod latency;

mod verdicts;

mod hints;

mod epochs;

mod recent_hints;

mod incoming;

mod tickets;

mod layouts;

mod staging;

mod founding;
mod refill;
mod transfer;

mod leftovers;

mod turn;

mod coordinator;

mod handoff;

mod anti_entropy;

mod collection;

mod replica;

mod copies;

mod pass_on;

mod admission;

pub mod node;

pub mod client;
