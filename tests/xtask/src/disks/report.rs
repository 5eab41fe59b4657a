//! Numbers and tables for people.

use std::time::Duration;

/// Lines of cells, the first of them the heads, in columns as wide as they need to be.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

pub(super) fn seconds(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64())
}

/// The mean and the longest, in seconds.
pub(super) fn mean_and_max(times: &[Duration]) -> String {
    let Some(max) = times.iter().max() else { return "-".to_owned() };
    let mean = times.iter().sum::<Duration>() / times.len() as u32;
    format!("{} / {}", seconds(mean), seconds(*max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["case", "lost"], ["a long one", "0"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "case        lost\na long one  0\n");
    }

    #[test]
    fn no_times_have_no_mean() {
        assert_eq!(mean_and_max(&[]), "-");
        let times = [Duration::from_secs(1), Duration::from_secs(2)];
        assert_eq!(mean_and_max(&times), "1.5 / 2.0");
    }
}
