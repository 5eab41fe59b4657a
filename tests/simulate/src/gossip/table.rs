//! One line for each size of a cluster.

use std::fmt::Write;

use quorate_sim::gossip::Spread;
use serde_json::{Value, json};

/// What the seeds of one size have come to.
pub(super) struct Row {
    members: usize,
    seeds: usize,
    new_life: Rounds,
    down: Rounds,
    /// Messages and bytes that one member sends in a second.
    messages: f64,
    bytes: u64,
}

/// Rounds in the median and at most; `None`: it never was so far.
struct Rounds {
    median: Option<u64>,
    most: Option<u64>,
}

impl Row {
    /// All of one size, and at least one.
    pub(super) fn new(spreads: &[Spread]) -> Row {
        let (members, seeds) = (spreads.first().map_or(0, |spread| spread.nodes), spreads.len());
        let messages: u64 = spreads.iter().map(|spread| spread.messages).sum();
        let bytes: u64 = spreads.iter().map(|spread| spread.bytes_per_node).sum();
        Row {
            members,
            seeds,
            new_life: Rounds::of(spreads.iter().map(|spread| spread.new_life)),
            down: Rounds::of(spreads.iter().map(|spread| spread.down)),
            messages: messages as f64 / (members * seeds).max(1) as f64,
            bytes: bytes / (seeds as u64).max(1),
        }
    }

    fn log2(&self) -> f64 {
        (self.members as f64).log2()
    }
}

impl Rounds {
    fn of(rounds: impl Iterator<Item = Option<u64>>) -> Rounds {
        let mut rounds: Vec<Option<u64>> = rounds.collect();
        // Never comes last.
        rounds.sort_unstable_by_key(|rounds| rounds.unwrap_or(u64::MAX));
        let median = rounds.get(rounds.len().saturating_sub(1) / 2).copied().flatten();
        Rounds { median, most: rounds.last().copied().flatten() }
    }

    fn json(&self) -> Value {
        json!({ "median": self.median, "most": self.most })
    }
}

/// The table for people.
pub(super) fn text(rows: &[Row]) -> String {
    let mut text = String::from(
        "                      new life known   death known      sent by a member in a second\n \
         members  log2  seeds  median  most   median  most      messages       bytes\n",
    );
    for row in rows {
        let Row { members, seeds, new_life, down, messages, bytes } = row;
        let [known, known_most] = [new_life.median, new_life.most].map(rounds);
        let [down, down_most] = [down.median, down.most].map(rounds);
        let _ = writeln!(
            text,
            "{members:>8}{:>6.1}{seeds:>7}{known:>8}{known_most:>6}{down:>9}{down_most:>6}\
             {messages:>14.1}{bytes:>12}",
            row.log2()
        );
    }
    text.push_str("\nRounds of a second until all members know; \"-\": not all of them came to.\n");
    text
}

/// The table for programs.
pub(super) fn json(rows: &[Row]) -> String {
    let row = |row: &Row| {
        json!({
            "members": row.members,
            "log2": row.log2(),
            "seeds": row.seeds,
            "new_life_rounds": row.new_life.json(),
            "down_rounds": row.down.json(),
            "messages_per_second": row.messages,
            "bytes_per_second": row.bytes,
        })
    };
    let rows: Value = rows.iter().map(row).collect();
    format!("{}\n", json!({ "rows": rows }))
}

fn rounds(rounds: Option<u64>) -> String {
    rounds.map_or_else(|| "-".to_owned(), |rounds| rounds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(new_life: Option<u64>) -> Spread {
        Spread { nodes: 8, messages: 48, bytes_per_node: 1_000, new_life, down: Some(9) }
    }

    #[test]
    fn whoever_never_learns_is_the_worst() {
        let row = Row::new(&[spread(Some(5)), spread(None), spread(Some(3))]);
        assert_eq!((row.new_life.median, row.new_life.most), (Some(5), None));
        assert_eq!((row.down.median, row.down.most), (Some(9), Some(9)));
        assert_eq!((row.messages, row.bytes, row.seeds), (6.0, 1_000, 3));
        let text = text(&[row]);
        let line = text.lines().nth(2).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["8", "3.0", "3", "5", "-", "9", "9", "6.0", "1000"]);
    }
}
