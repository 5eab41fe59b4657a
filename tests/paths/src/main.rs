//! Runs the paths for callgrind, which collects inside of [`counted`] alone and dumps after each
//! call of it: one dump for each path, in the order of the list that is printed.
//!
//! `cargo xtask bench paths --count` starts it.

use quorate_paths::{Step, all};

/// Steps of each path that run before what is counted: buffers and tables have grown after them.
const WARM_UP: usize = 16;

/// Steps of each path that are counted.
const STEPS: usize = 64;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for path in all() {
        if !wanted.is_empty() && !wanted.iter().any(|word| path.name.contains(word.as_str())) {
            continue;
        }
        let mut next = (path.prepare)();
        (0..WARM_UP).for_each(|_| next()());
        let steps = (0..STEPS).map(|_| next()).collect();
        counted(steps);
        println!("{} {STEPS}", path.name);
    }
}

/// What callgrind collects, by this name.
#[inline(never)]
fn counted(steps: Vec<Step>) {
    for step in steps {
        step();
    }
}
