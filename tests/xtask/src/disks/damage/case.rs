//! What can be wrong with the disk of one node.

use clap::ValueEnum;

use super::harm::{self, Harm};
use crate::disks::ledger::Sizes;

/// What can be wrong with the disk of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::disks) enum Case {
    /// A flipped bit in the middle of a journal.
    #[value(name = "a")]
    JournalBit,
    /// 512 bytes of zero in the middle of a journal.
    #[value(name = "b")]
    JournalZeros,
    /// A journal that ends in its middle.
    #[value(name = "c")]
    JournalCut,
    /// A flipped bit in the middle of a table.
    #[value(name = "d")]
    TableBit,
    /// An emptied data directory.
    #[value(name = "e")]
    Emptied,
    /// An old copy of the data directory.
    #[value(name = "f")]
    OldCopy,
    /// A disk without room.
    #[value(name = "g")]
    Full,
    /// A disk of which every read and write fails.
    #[value(name = "h")]
    Broken,
}

impl Case {
    pub(super) const ALL: [Case; 8] = [
        Case::JournalBit,
        Case::JournalZeros,
        Case::JournalCut,
        Case::TableBit,
        Case::Emptied,
        Case::OldCopy,
        Case::Full,
        Case::Broken,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Case::JournalBit => "a: bit flipped in a journal",
            Case::JournalZeros => "b: 512 zeros in a journal",
            Case::JournalCut => "c: journal cut off",
            Case::TableBit => "d: bit flipped in a table",
            Case::Emptied => "e: directory emptied",
            Case::OldCopy => "f: old copy of the directory",
            Case::Full => "g: disk full",
            Case::Broken => "h: disk broken (EIO)",
        }
    }

    /// Whether the node needs a disk of its own, which only root can make.
    pub(super) fn needs_disk(self) -> bool {
        matches!(self, Case::Full | Case::Broken)
    }

    /// A table is written when there is more than fits into memory.
    pub(super) fn sizes(self) -> Sizes {
        if self == Case::TableBit { Sizes::Large } else { Sizes::Small }
    }

    /// What is done to the files of a node that is dead.
    pub(super) fn harm(self) -> Option<Harm> {
        match self {
            Case::JournalBit => Some(harm::flip_journal_bit),
            Case::JournalZeros => Some(harm::clear_journal_bytes),
            Case::JournalCut => Some(harm::cut_journal),
            Case::TableBit => Some(harm::flip_table_bit),
            Case::Emptied => Some(harm::empty),
            Case::OldCopy | Case::Full | Case::Broken => None,
        }
    }
}
