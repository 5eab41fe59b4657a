//! The Quorate node: what stands between [`quorate_core`] and the world.
//!
//! The core holds the whole protocol and does no I/O. Here are its sockets, disks, clocks, threads
//! and entropy, and nothing that decides anything:
//!
//! ```text
//!   peers, clients ---- socket ---+
//!                                 |      +---------+        +--------------+
//!   browsers, curl ---- server ---+----> | driver  | -----> | core::Node   |
//!                                        | (1 task)| <----- | handle()     |
//!             disk ---- storage -------> +---------+        +--------------+
//!                      (2 threads)
//! ```
//!
//! [`server`] runs nodes, [`client`] is the client for programs in Rust, [`cluster`] is how a node
//! comes into a cluster, [`backup`] is the file that a data directory is exported to, [`cli`] is the
//! program `quorate`.

pub mod clock;

pub mod storage;

pub mod backup;

mod mailbox;
mod moved;

mod socket;

pub mod cluster;

pub mod server;

pub mod client;

pub mod cli;
