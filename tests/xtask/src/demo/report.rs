//! What a trial found, and how people are told.

use std::fmt::{self, Write};

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::folder::Listing;
use super::hints::HintCounts;

/// Characters of a file's name that a line has room for.
const NAME_WIDTH: usize = 72;
/// Width of what stands before each row.
const LABEL_WIDTH: usize = 24;
/// In so many files some are put while one of their primaries is dead. In fewer there may be none.
const FILES_ENOUGH: usize = 100;

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
    /// The puts, from one step to the next.
    phases: Vec<Phase>,
    /// What stood before each phase.
    #[serde(skip)]
    pub(super) labels: Vec<String>,
    /// Files that were put while a node was dead.
    without: usize,
    /// Of these, files that the dead node was to hold.
    pub(super) missed: usize,
    /// Made and handed over; `None` where nobody looked.
    #[serde(skip)]
    pub(super) hints: Option<HintCounts>,
    /// What the nodes held that were dead before.
    pub(super) alone: Option<Alone>,
    get: Phase,
    /// Answers of a primary that was asked straight away, and those that came through others.
    direct: u64,
    passed_on: u64,
    slots: usize,
    /// The nodes that died while files were put.
    killed: Vec<Killed>,
}

/// What came back from nodes that were left alone.
#[derive(Debug, Deserialize)]
pub(super) struct Alone {
    pub(super) lost: Vec<Named>,
    pub(super) different: Vec<Named>,
    pub(super) equal: usize,
    /// Of these, files that were put while one of their primaries was dead.
    pub(super) missed: usize,
    /// Of these, files that were answered by that very node, and by nobody else.
    pub(super) handed_over: usize,
    get: Phase,
}

impl Alone {
    /// Files that did not come back as they were put.
    fn wrong(&self) -> usize {
        self.lost.len() + self.different.len()
    }
}

/// What a node held when it died.
#[derive(Debug, Deserialize)]
struct Killed {
    label: String,
    slots: usize,
    primary: usize,
    first: usize,
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
    /// Requests sent once more.
    retries: u64,
    seconds: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Report {
    /// Whether everything that was acknowledged came back, from the nodes that were left alone,
    /// too, and everything else was refused.
    pub(super) fn is_sound(&self) -> bool {
        let alone = self.alone.as_ref().map_or(0, Alone::wrong);
        let wrong = [self.lost.len(), self.different.len(), self.failed.len(), alone];
        wrong.into_iter().sum::<usize>() == 0
    }

    /// What programs are told.
    pub(super) fn json(&self, listing: &Listing) -> Value {
        let alone = self.alone.as_ref();
        json!({
            "files": listing.files.len(),
            "put_while_a_node_was_down": self.without,
            "missed_by_a_primary": self.missed,
            "hints_made": self.hints.map(|hints| hints.made),
            "hints_handed_over": self.hints.map(|hints| hints.handed_over),
            "read_from_two_nodes": alone.map(|it| it.equal),
            "read_that_a_primary_had_missed": alone.map(|it| it.missed),
            "read_from_handed_over_copies": alone.map(|it| it.handed_over),
            "lost_on_two_nodes": alone.map(|it| it.lost.len()),
            "different_on_two_nodes": alone.map(|it| it.different.len()),
            "read": self.equal,
            "lost": self.lost.len(),
            "different": self.different.len(),
            "not_put": self.failed.len(),
            "refused": self.refused.len(),
        })
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
        self.check_hints(not_put)?;
        let wrong = self.refused.iter().find(|refused| refused.actual <= refused.limit);
        ensure!(wrong.is_none(), "refused within the limit: {wrong:?}");
        Ok(())
    }

    /// An error where no hint did what hints are for.
    fn check_hints(&self, not_put: usize) -> Result<()> {
        let (Some(hints), Some(alone)) = (self.hints, &self.alone) else { return Ok(()) };
        let stored = self.equal + self.lost.len() + self.different.len();
        if stored >= FILES_ENOUGH && not_put == 0 {
            ensure!(self.missed > 0, "no file was put while one of its primaries was dead");
        }
        if self.missed == 0 {
            return Ok(());
        }
        let HintCounts { made, handed_over } = hints;
        let missed = count(self.missed);
        ensure!(made > 0, "a primary missed {missed} files, and no hint was made");
        ensure!(handed_over > 0, "a primary missed {missed} files, and no hint was handed over");
        if stored >= FILES_ENOUGH && alone.wrong() == 0 {
            ensure!(alone.missed == self.missed, "of {missed} files, {} were read", alone.missed);
            ensure!(alone.handed_over > 0, "no copy was read that was handed over");
        }
        Ok(())
    }

    pub(super) fn print(&self, listing: &Listing) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, listing);
        text
    }

    fn write(&self, f: &mut String, listing: &Listing) -> fmt::Result {
        let files = listing.files.len();
        writeln!(f)?;
        row(f, "folder", &listing.root.display())?;
        row(f, "files", &format_args!("{}; {} stored", count(files), bytes(self.put.bytes)))?;
        if files > 0 {
            self.write_speed(f)?;
            self.write_routing(f)?;
            self.write_hints(f)?;
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
        for (what, names) in
            [("not put", &self.failed), ("lost", &self.lost), ("different", &self.different)]
        {
            list(f, what, names)?;
        }
        let (lost, equal) = (count(self.lost.len()), count(self.equal));
        write!(f, "\n{lost} lost")?;
        if let Some(wrong) = self.alone.as_ref().map(Alone::wrong).filter(|wrong| *wrong > 0) {
            write!(f, ", and {} not with the two that were left alone", count(wrong))?;
        }
        match (self.different.len(), self.failed.len()) {
            (0, 0) if files == 0 => writeln!(f, ": there was no file to put"),
            (0, 0) => writeln!(f, ": all {equal} stored files came back, equal byte for byte"),
            (different, failed) => {
                let (different, failed) = (count(different), count(failed));
                writeln!(f, ", {different} different, {failed} not put, {equal} equal")
            }
        }
    }

    fn write_speed(&self, f: &mut String) -> fmt::Result {
        writeln!(
            f,
            "\n{:LABEL_WIDTH$}{:>8}{:>9}{:>9}{:>10}{:>10}{:>10}",
            "", "files", "seconds", "ops/s", "p50", "p99", "slowest"
        )?;
        speed(f, "put", &self.put)?;
        for (label, phase) in self.labels.iter().zip(&self.phases) {
            speed(f, &format!("  {label}"), phase)?;
        }
        if let Some(alone) = &self.alone {
            speed(f, "get, from those left", &alone.get)?;
        }
        speed(f, "get, compared", &self.get)?;
        writeln!(f)
    }

    fn write_routing(&self, f: &mut String) -> fmt::Result {
        let Report { direct, passed_on, slots, .. } = self;
        let answers = direct + passed_on;
        let share = 100.0 * *direct as f64 / (answers.max(1)) as f64;
        let (direct, answers) = (count(*direct), count(answers));
        let share = format_args!("{share:.1} % ({direct} of {answers} answers)");
        row(f, "straight to a primary", &share)?;
        let retries = self.labels.iter().zip(&self.phases);
        let retries = retries.map(|(label, phase)| format!("{} {label}", count(phase.retries)));
        let retries = retries.collect::<Vec<_>>().join(", ");
        row(f, "sent once more", &format_args!("{retries}, {} reading", self.get.retries))?;
        let stored = count(self.equal + self.lost.len() + self.different.len());
        for Killed { label, slots: owned, primary, first } in &self.killed {
            let (primary, first) = (count(*primary), count(*first));
            let part = format_args!("of {primary} of {stored} stored files, the first of {first}");
            row(f, &format!("{label} owned"), &format_args!("{owned} of {slots} slots"))?;
            row(f, &format!("{label} was primary"), &part)?;
        }
        Ok(())
    }

    fn write_hints(&self, f: &mut String) -> fmt::Result {
        let (Some(HintCounts { made, handed_over }), Some(alone)) = (self.hints, &self.alone)
        else {
            return Ok(());
        };
        let (without, missed) = (count(self.without), count(self.missed));
        let dead = format_args!("{without}, {missed} of them with a primary that was down");
        row(f, "put with a node down", &dead)?;
        let hints = format_args!("{} made, {} handed over", count(made), count(handed_over));
        row(f, "hints", &hints)?;
        let held = alone.equal + alone.lost.len() + alone.different.len();
        let equal = format_args!("{} of {} equal", count(alone.equal), count(held));
        row(f, "from the two left", &equal)?;
        let copies = format_args!(
            "{} read; {} from the node that was down, from nobody else",
            count(alone.missed),
            count(alone.handed_over)
        );
        row(f, "handed over", &copies)?;
        list(f, "lost on the two", &alone.lost)?;
        list(f, "different on them", &alone.different)
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

fn speed(f: &mut String, label: &str, phase: &Phase) -> fmt::Result {
    let Phase { operations, seconds, p50_ms, p99_ms, max_ms, .. } = phase;
    let measured = |text: String| if *operations > 0 { text } else { "-".to_owned() };
    let [p50, p99, max] = [p50_ms, p99_ms, max_ms].map(|ms| measured(milliseconds(*ms)));
    let rate = measured(count((*operations as f64 / seconds) as u64));
    let operations = count(*operations);
    write!(f, "{label:LABEL_WIDTH$}{operations:>8}{seconds:>9.2}{rate:>9}")?;
    writeln!(f, "{p50:>10}{p99:>10}{max:>10}")
}

/// A row and its names, where there are any.
fn list(f: &mut String, what: &str, names: &[Named]) -> fmt::Result {
    if names.is_empty() {
        return Ok(());
    }
    row(f, what, &count(names.len()))?;
    names.iter().try_for_each(|Named { name, reason }| item(f, name, reason))
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
