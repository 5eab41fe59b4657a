//! How long each path takes: `cargo xtask bench paths`.

use divan::Bencher;
use quorate_paths::{Path, all};

fn main() {
    divan::main();
}

fn names() -> impl Iterator<Item = &'static str> {
    all().into_iter().map(|path| path.name)
}

#[divan::bench(args = names())]
fn path(bencher: Bencher<'_, '_>, name: &str) {
    let path = all().into_iter().find(|path| path.name == name);
    let Path { prepare, .. } = path.expect("the name is one of the list");
    let next = prepare();
    bencher.with_inputs(next).bench_local_values(|step| step());
}
