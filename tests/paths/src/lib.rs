//! The hot paths of the core, by name.
//!
//! One list serves two programs: `benches/paths.rs` takes the time of each path, and `main.rs` runs
//! them under callgrind, which counts their instructions. Nothing here draws entropy, reads a clock
//! or depends on addresses, so the counts of two runs are equal.

mod apply;
mod client;
mod cluster;
mod codec;
mod locate;
mod merkle;
mod samples;

/// What is measured once: everything that it needs is made before.
pub type Step = Box<dyn FnOnce()>;

/// One hot path.
#[derive(Clone, Copy)]
pub struct Path {
    /// Names it in reports and in the budget.
    pub name: &'static str,
    /// Makes what the path needs; what that gives makes one step after the other. Steps run in the
    /// order in which they were made; many may be made before the first one runs.
    pub prepare: fn() -> Box<dyn FnMut() -> Step>,
}

/// All paths, in reading order.
pub fn all() -> [Path; 26] {
    [
        Path { name: "locate-5-nodes", prepare: || locate::preference_list(5, 1024) },
        Path { name: "locate-1000-nodes", prepare: || locate::preference_list(1_000, 65_536) },
        Path { name: "encode-put", prepare: || codec::encode(samples::put()) },
        Path { name: "decode-put", prepare: || codec::decode(samples::put()) },
        Path { name: "encode-reply", prepare: || codec::encode(samples::reply()) },
        Path { name: "decode-reply", prepare: || codec::decode(samples::reply()) },
        Path { name: "encode-merge", prepare: || codec::encode(samples::merge()) },
        Path { name: "decode-merge", prepare: || codec::decode(samples::merge()) },
        Path { name: "encode-held", prepare: codec::encode_held },
        Path { name: "decode-held", prepare: codec::decode_held },
        Path { name: "apply-blind", prepare: apply::blind },
        Path { name: "apply-overwrite", prepare: apply::overwrite },
        Path { name: "apply-merge", prepare: apply::merge },
        Path { name: "merge-siblings", prepare: apply::merge_siblings },
        Path { name: "record-digest", prepare: apply::digest },
        Path { name: "merkle-state", prepare: merkle::state },
        Path { name: "merkle-change", prepare: merkle::change },
        Path { name: "merkle-root", prepare: merkle::root },
        Path { name: "cluster-put", prepare: || cluster::puts(1) },
        Path { name: "cluster-get", prepare: || cluster::gets(1) },
        Path { name: "cluster-put-64", prepare: || cluster::puts(64) },
        Path { name: "cluster-get-64", prepare: || cluster::gets(64) },
        Path { name: "client-put", prepare: || client::puts(1) },
        Path { name: "client-get", prepare: || client::gets(1) },
        Path { name: "client-put-64", prepare: || client::puts(64) },
        Path { name: "client-get-64", prepare: || client::gets(64) },
    ]
}
