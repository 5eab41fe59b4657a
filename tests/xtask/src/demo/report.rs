//! What a trial found, and how people are told.

use std::fmt::{self, Write};

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::folder::Listing;

/// Characters of a file's name that a line has room for.
const NAME_WIDTH: usize = 72;
/// Width of what stands before each row.
const LABEL_WIDTH: usize = 24;

/// What the runner measured.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) refused: Vec<Refused>,
    pub(super) unreadable: Vec<Named>,
    /// Puts that ended in another error.
    pub(super) failed: Vec<Named>,
    /// Acknowledged, and not there.
    pub(super) lost: Vec<Named>,
    /// Acknowledged, and something else came back.
    pub(super) different: Vec<Named>,
    /// Files that came back as they were put.
    pub(super) equal: usize,
    /// Of these, files that changed on the disk in between.
    changed: usize,
    put: Phase,
    before: Phase,
    after: Phase,
    get: Phase,
    /// Answers of a primary that was asked straight away, and those that came through others.
    direct: u64,
    passed_on: u64,
    /// Requests sent once more: before the kill, after it, while reading.
    retries_before: u64,
    retries_after: u64,
    retries_get: u64,
    slots: usize,
    victim_slots: usize,
    victim_primary: usize,
    victim_first: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) reason: String,
}

/// A file beyond a limit.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) name: String,
    /// `key` or `value`.
    pub(super) what: String,
    pub(super) actual: u64,
    pub(super) limit: u64,
}

#[derive(Debug, Deserialize)]
struct Phase {
    operations: u64,
    bytes: u64,
    seconds: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Report {
    /// Whether everything that was acknowledged came back, and everything else was refused.
    pub(super) fn is_sound(&self) -> bool {
        self.lost.is_empty() && self.different.is_empty() && self.failed.is_empty()
    }

    /// An error where a file ended nowhere, or where a refusal is none.
    pub(super) fn check(&self, listing: &Listing) -> Result<()> {
        let not_put = self.refused.len() + self.unreadable.len() + self.failed.len();
        let read = self.equal + self.lost.len() + self.different.len();
        ensure!(
            not_put + read == listing.files.len(),
            "of {} files, {not_put} were not put and {read} read back",
            listing.files.len()
        );
        let wrong = self.refused.iter().find(|refused| refused.actual <= refused.limit);
        ensure!(wrong.is_none(), "refused within the limit: {wrong:?}");
        Ok(())
    }

    pub(super) fn print(&self, listing: &Listing, victim: &str) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, listing, victim);
        text
    }

    fn write(&self, f: &mut String, listing: &Listing, victim: &str) -> fmt::Result {
        let files = listing.files.len();
        writeln!(f)?;
        row(f, "folder", &listing.root.display())?;
        row(f, "files", &format_args!("{}; {} stored", count(files), bytes(self.put.bytes)))?;
        if files > 0 {
            self.write_speed(f, victim)?;
            self.write_routing(f, victim)?;
        }
        row(f, "refused", &count(self.refused.len()))?;
        for Refused { name, what, actual, limit } in &self.refused {
            let (actual, limit) = (count(*actual), count(*limit));
            item(f, name, &format_args!("{what} of {actual} bytes, limit {limit}"))?;
        }
        self.write_skipped(f, listing)?;
        if self.changed > 0 {
            let changed = count(self.changed);
            let text = format_args!("{changed} on the disk while this ran: compared by SHA-256");
            row(f, "changed", &text)?;
        }
        for (what, list) in
            [("not put", &self.failed), ("lost", &self.lost), ("different", &self.different)]
        {
            if !list.is_empty() {
                row(f, what, &count(list.len()))?;
                list.iter().try_for_each(|Named { name, reason }| item(f, name, reason))?;
            }
        }
        let (lost, equal) = (count(self.lost.len()), count(self.equal));
        write!(f, "\n{lost} lost")?;
        match (self.different.len(), self.failed.len()) {
            (0, 0) if files == 0 => writeln!(f, ": there was no file to put"),
            (0, 0) => writeln!(f, ": all {equal} stored files came back, equal byte for byte"),
            (different, failed) => {
                let (different, failed) = (count(different), count(failed));
                writeln!(f, ", {different} different, {failed} not put, {equal} equal")
            }
        }
    }

    fn write_speed(&self, f: &mut String, victim: &str) -> fmt::Result {
        let killed = format!("{victim} killed");
        writeln!(
            f,
            "\n{:LABEL_WIDTH$}{:>8}{:>9}{:>9}{:>10}{:>10}{:>10}",
            "", "files", "seconds", "ops/s", "p50", "p99", "slowest"
        )?;
        for (label, phase) in [
            ("put", &self.put),
            ("  all nodes up", &self.before),
            (&format!("  {killed}"), &self.after),
            ("get, compared", &self.get),
        ] {
            let Phase { operations, seconds, p50_ms, p99_ms, max_ms, .. } = phase;
            let measured = |text: String| if *operations > 0 { text } else { "-".to_owned() };
            let [p50, p99, max] = [p50_ms, p99_ms, max_ms].map(|ms| measured(milliseconds(*ms)));
            let rate = measured(count((*operations as f64 / seconds) as u64));
            let operations = count(*operations);
            write!(f, "{label:LABEL_WIDTH$}{operations:>8}{seconds:>9.2}{rate:>9}")?;
            writeln!(f, "{p50:>10}{p99:>10}{max:>10}")?;
        }
        writeln!(f)
    }

    fn write_routing(&self, f: &mut String, victim: &str) -> fmt::Result {
        let Report { direct, passed_on, retries_before, retries_after, retries_get, .. } = self;
        let Report { slots, victim_slots, victim_primary, victim_first, .. } = self;
        let answers = direct + passed_on;
        let share = 100.0 * *direct as f64 / (answers.max(1)) as f64;
        let (direct, answers) = (count(*direct), count(answers));
        let share = format_args!("{share:.1} % ({direct} of {answers} answers)");
        row(f, "straight to a primary", &share)?;
        let retries = format_args!(
            "{retries_before} before {victim} was killed, {retries_after} after, {retries_get} \
             reading"
        );
        row(f, "sent once more", &retries)?;
        let stored = self.equal + self.lost.len() + self.different.len();
        let (primary, first, stored) =
            (count(*victim_primary), count(*victim_first), count(stored));
        row(f, &format!("{victim} owned"), &format_args!("{victim_slots} of {slots} slots"))?;
        let part = format_args!("of {primary} of {stored} stored files, the first of {first}");
        row(f, &format!("{victim} was primary"), &part)
    }

    fn write_skipped(&self, f: &mut String, listing: &Listing) -> fmt::Result {
        let unreadable = self.unreadable.len() + listing.unreadable.len();
        let parts = [
            (unreadable, "unreadable"),
            (listing.links, "symbolic links not followed"),
            (listing.special, "pipes, sockets or devices"),
        ];
        let parts = parts.iter().filter(|(number, _)| *number > 0);
        let parts: Vec<String> =
            parts.map(|(number, what)| format!("{} {what}", count(*number))).collect();
        row(f, "skipped", &if parts.is_empty() { "0".to_owned() } else { parts.join(", ") })?;
        for Named { name, reason } in &self.unreadable {
            item(f, name, reason)?;
        }
        listing.unreadable.iter().try_for_each(|(name, reason)| item(f, name, reason))
    }
}

fn row(f: &mut String, label: &str, value: &dyn fmt::Display) -> fmt::Result {
    writeln!(f, "{label:LABEL_WIDTH$}{value}")
}

fn item(f: &mut String, name: &str, what: &dyn fmt::Display) -> fmt::Result {
    writeln!(f, "    {}\n        {what}", shown(name))
}

/// A name on one line: without control characters, and without its middle where it is long.
fn shown(name: &str) -> String {
    let escape =
        |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    let name: Vec<char> = name.chars().map(escape).collect::<String>().chars().collect();
    if name.len() <= NAME_WIDTH {
        return name.into_iter().collect();
    }
    let half = (NAME_WIDTH - 1) / 2;
    name[..half].iter().chain(&['…']).chain(&name[name.len() - half..]).collect()
}

/// A number with commas.
pub(super) fn count<N: TryInto<u64>>(number: N) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(number: u64) -> String {
    match number {
        0..1_024 => format!("{number} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB", number as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", number as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", number as f64 / 1_073_741_824.0),
    }
}

fn milliseconds(ms: f64) -> String {
    if ms < 100.0 { format!("{ms:.1} ms") } else { format!("{} ms", count(ms as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_shown_for_people() {
        assert_eq!(
            [0, 999, 1_000, 1_048_577].map(count::<u64>),
            ["0", "999", "1,000", "1,048,577"]
        );
        assert_eq!(
            [0, 1_023, 1_024, 1_572_864].map(bytes),
            ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB"]
        );
        assert_eq!(shown("a\nb"), "a\\nb");
        let long = shown(&format!("begin{}end", "ä".repeat(1_000)));
        assert!(long.starts_with("begin") && long.ends_with("end") && long.contains('…'), "{long}");
        assert!(long.chars().count() <= NAME_WIDTH);
    }
}
