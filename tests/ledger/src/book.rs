//! What each key may hold: the versions that were written to it, and how each write ended.
//!
//! A key has one writer at a time, which hands the context of its last acknowledged write to the
//! next one. So a version that was acknowledged is there, or a later one that superseded it.
//!
//! Invariant: after a write whose outcome is unknown nothing more is written to its key.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_node::client::{ClientError, Outcome, Written};

use crate::order::Counts;

/// All keys.
#[derive(Debug, Default)]
pub(crate) struct Book {
    chains: Vec<Chain>,
    counts: Counts,
}

/// The versions of one key; the first is 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    last: u32,
    acknowledged: Option<u32>,
    unknown: Option<u32>,
    refused: Vec<u32>,
    /// Of the acknowledged version.
    context: Bytes,
    /// An acknowledged version that was looked for in vain.
    given_up: Option<u32>,
}

/// A write that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) number: u64,
    pub(crate) version: u32,
    pub(crate) context: Bytes,
}

/// What is wrong with what a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An acknowledged version is not there, nor one that superseded it.
    Lost { version: u32 },
    /// A version is there whose write was refused.
    Refused { version: u32 },
    /// Bytes are there that nobody wrote.
    Foreign,
}

impl Book {
    /// A key of its own, never written before.
    pub(crate) fn open(&mut self) -> u64 {
        self.chains.push(Chain::default());
        self.chains.len() as u64 - 1
    }

    /// Whether more may be written to a key.
    pub(crate) fn is_open(&self, number: u64) -> bool {
        self.chain(number).unknown.is_none()
    }

    /// The next version of a key.
    pub(crate) fn draft(&mut self, number: u64) -> Draft {
        let chain = &mut self.chains[number as usize];
        chain.last += 1;
        Draft { number, version: chain.last, context: chain.context.clone() }
    }

    /// Notes how a write ended.
    pub(crate) fn note(&mut self, draft: &Draft, ended: Result<Written, ClientError>) {
        let chain = &mut self.chains[draft.number as usize];
        let error = match ended {
            Ok(written) => {
                chain.acknowledged = Some(draft.version);
                chain.context = written.context;
                self.counts.acknowledged += 1;
                return;
            }
            Err(error) => error,
        };
        match error.outcome() {
            Outcome::None => {
                chain.refused.push(draft.version);
                self.counts.refused += 1;
            }
            Outcome::Unknown => {
                chain.unknown = Some(draft.version);
                self.counts.unknown += 1;
            }
        }
        *self.counts.errors.entry(error.code().to_owned()).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// How many keys there are; their numbers are those below.
    pub(crate) fn keys(&self) -> u64 {
        self.chains.len() as u64
    }

    /// Whether an acknowledged version is not among `found` that may yet turn up.
    pub(crate) fn misses(&self, number: u64, found: &[Option<u32>]) -> bool {
        let chain = self.chain(number);
        let is_loss = |fault: &Fault| matches!(fault, Fault::Lost { .. });
        chain.given_up != chain.acknowledged && chain.judge(found).iter().any(is_loss)
    }

    /// The acknowledged version of a key is lost: nobody needs to wait for it.
    pub(crate) fn give_up(&mut self, number: u64) {
        let chain = &mut self.chains[number as usize];
        chain.given_up = chain.acknowledged;
    }

    pub(crate) fn chain(&self, number: u64) -> &Chain {
        &self.chains[number as usize]
    }
}

impl Counts {
    /// What was counted since `before`.
    pub(crate) fn since(&self, before: &Counts) -> Counts {
        let errors: BTreeMap<String, u64> = self
            .errors
            .iter()
            .map(|(code, count)| (code.clone(), count - before.errors.get(code).unwrap_or(&0)))
            .filter(|(_, count)| *count > 0)
            .collect();
        Counts {
            acknowledged: self.acknowledged - before.acknowledged,
            refused: self.refused - before.refused,
            unknown: self.unknown - before.unknown,
            errors,
        }
    }
}

impl Chain {
    /// Whether there must be something.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.acknowledged.is_some()
    }

    /// Judges the versions that were read, `None` for bytes that are none.
    pub(crate) fn judge(&self, found: &[Option<u32>]) -> Vec<Fault> {
        let mut faults = Vec::new();
        let holds = |version: Option<u32>| version.is_some() && found.contains(&version);
        if let Some(version) = self.acknowledged
            && !holds(self.acknowledged)
            && !holds(self.unknown)
        {
            faults.push(Fault::Lost { version });
        }
        faults.extend(found.iter().filter_map(|found| match *found {
            None => Some(Fault::Foreign),
            Some(version) if self.refused.contains(&version) => Some(Fault::Refused { version }),
            Some(version) if version == 0 || version > self.last => Some(Fault::Foreign),
            Some(_) => None,
        }));
        faults
    }

    /// How many of the versions that were read had been superseded. A write that was tried at two
    /// nodes may stand twice, and its successor has seen it once: so they are no fault.
    pub(crate) fn superseded(&self, found: &[Option<u32>]) -> usize {
        let old = |found: &&Option<u32>| {
            found.zip(self.acknowledged).is_some_and(|(found, acknowledged)| found < acknowledged)
        };
        found.iter().filter(old).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(acknowledged: Option<u32>, unknown: Option<u32>, refused: &[u32]) -> Chain {
        let refused = refused.to_vec();
        Chain { last: 9, acknowledged, unknown, refused, ..Chain::default() }
    }

    #[test]
    fn an_acknowledged_version_is_there_or_one_that_superseded_it() {
        let chain = chain(Some(3), Some(4), &[]);
        assert_eq!(chain.judge(&[Some(3)]), []);
        assert_eq!(chain.judge(&[Some(4)]), []);
        assert_eq!(chain.judge(&[Some(3), Some(4)]), []);
        assert_eq!(chain.judge(&[]), [Fault::Lost { version: 3 }]);
        assert_eq!(chain.judge(&[Some(2)]), [Fault::Lost { version: 3 }]);
        assert_eq!(chain.superseded(&[Some(2), Some(3)]), 1);
    }

    #[test]
    fn an_unknown_version_alone_may_be_there_or_not() {
        let chain = chain(None, Some(1), &[]);
        assert_eq!(chain.judge(&[]), []);
        assert_eq!(chain.judge(&[Some(1)]), []);
    }

    #[test]
    fn what_nobody_wrote_and_what_was_refused_is_told() {
        let chain = chain(Some(1), None, &[2]);
        assert_eq!(chain.judge(&[Some(1), None]), [Fault::Foreign]);
        assert_eq!(chain.judge(&[Some(1), Some(2)]), [Fault::Refused { version: 2 }]);
        assert_eq!(chain.judge(&[Some(1), Some(10)]), [Fault::Foreign]);
    }

    #[test]
    fn a_lost_version_is_waited_for_until_it_is_given_up() {
        let mut book = Book { chains: vec![chain(Some(3), None, &[])], ..Book::default() };
        assert!(book.misses(0, &[Some(2)]) && !book.misses(0, &[Some(3)]));
        book.give_up(0);
        assert!(!book.misses(0, &[Some(2)]));
        assert_eq!(book.chain(0).judge(&[Some(2)]), [Fault::Lost { version: 3 }]);
        // A later version that is missing is another loss.
        book.chains[0].acknowledged = Some(4);
        assert!(book.misses(0, &[Some(2)]));
    }
}
