//! Tables for people.

use comfy_table::{CellAlignment, Table, presets};

use super::load::Load;
use super::sample::{Latencies, Range, Sample};
use super::system::System;

const HEADER: [&str; 11] = [
    "",
    "ops/s",
    "get p50",
    "p99",
    "p99.9",
    "put p50",
    "p99",
    "p99.9",
    "client us/op",
    "servers us/op",
    "errors",
];

/// Processors that others may keep busy without a word about it.
const OTHERS_MAX: f64 = 0.2;

/// One table for each load, with the median of all runs and the least and the greatest behind it.
pub(crate) fn print(samples: &[Sample]) {
    for load in loads(samples) {
        println!("\n{}", title(&load));
        println!("{}", of_load(samples, load));
        notes(samples, load);
    }
    caveats(samples);
}

/// The loads of these samples in the order in which they were asked for.
pub(crate) fn loads(samples: &[Sample]) -> Vec<Load> {
    let mut loads: Vec<Load> = Vec::new();
    for sample in samples {
        if !loads.contains(&sample.load) {
            loads.push(sample.load);
        }
    }
    loads
}

/// The systems of these samples in the order in which they were measured.
pub(crate) fn systems(samples: &[Sample]) -> Vec<System> {
    let mut systems: Vec<System> = Vec::new();
    for sample in samples {
        if !systems.contains(&sample.system) {
            systems.push(sample.system);
        }
    }
    systems
}

/// All runs of one system under one load.
pub(crate) fn runs(samples: &[Sample], system: System, load: Load) -> Vec<&Sample> {
    samples.iter().filter(|sample| sample.system == system && sample.load == load).collect()
}

/// A table of numbers behind a name.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn of_load(samples: &[Sample], load: Load) -> Table {
    let mut table = table(&HEADER);
    for system in systems(samples) {
        let runs = runs(samples, system, load);
        if runs.is_empty() {
            continue;
        }
        let figure = |of: &dyn Fn(&Sample) -> f64, digits| {
            spread(Range::of(runs.iter().map(|sample| of(sample))), digits)
        };
        let mut row = vec![system.name().to_owned(), figure(&|it| it.ops_per_second, 0)];
        for of in [|it: &Sample| it.gets, |it: &Sample| it.puts] {
            for at in 0..3 {
                row.push(figure(&|it| millis(of(it), at), 2));
            }
        }
        row.push(figure(&|it| it.client_us, 1));
        row.push(figure(&|it| it.servers_us, 1));
        row.push(runs.iter().map(|sample| sample.errors).sum::<u64>().to_string());
        table.add_row(row);
    }
    table
}

fn notes(samples: &[Sample], load: Load) {
    for system in systems(samples) {
        for sample in runs(samples, system, load) {
            let name = format!("{}, run {}", system.name(), sample.run);
            if let Some(error) = &sample.error {
                println!("{name}: the first of {} errors: {error}", sample.errors);
            }
            if sample.bound_reached {
                println!("{name}: as many operations were under way as may be; the rest waited");
            }
            if sample.siblings_max > Some(1) {
                let siblings = sample.siblings_max.unwrap_or_default();
                println!("{name}: up to {siblings} values stood side by side under one key");
            }
        }
    }
}

/// What was going on beside the benchmark, and what a put means to each system.
fn caveats(samples: &[Sample]) {
    println!("\na put is acknowledged when it is in");
    for system in systems(samples) {
        println!("  {:<18} {}", system.name(), system.acknowledges());
    }
    let Some(others) = Range::of(samples.iter().filter_map(|sample| sample.others)) else { return };
    println!("others kept {} processors busy", spread(Some(others), 2));
    if others.max > OTHERS_MAX {
        println!("the machine was not quiet: these figures are good for a look and no more");
    }
}

fn title(load: &Load) -> String {
    let Load { gets, value_bytes, .. } = load;
    format!("load {load}: {gets} % gets, {value_bytes} B, latencies in ms, median (min-max)")
}

/// Milliseconds of a quantile; not a number where nothing was measured.
fn millis(latencies: Latencies, at: usize) -> f64 {
    latencies.quantiles.map_or(f64::NAN, |quantiles| quantiles[at] / 1_000.0)
}

/// A range as text; where there was one run, its number.
pub(crate) fn spread(range: Option<Range>, digits: usize) -> String {
    match range {
        None => "-".to_owned(),
        Some(Range { median, min, max }) if min == max => format!("{median:.digits$}"),
        Some(Range { median, min, max }) => {
            format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_shows_its_ends_where_there_are_two() {
        assert_eq!(spread(Range::of([2.0, 1.0, 4.0]), 0), "2 (1-4)");
        assert_eq!(spread(Range::of([0.125]), 2), "0.12");
        assert_eq!(spread(None, 2), "-");
    }
}
