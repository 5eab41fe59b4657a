//! The file that a data directory is exported to, and imported from: a backup.
//!
//! It is written in one go and read in one go, by any program, without the engine of the directory.
//! All numbers are big endian; `[n]` is a count of bytes.
//!
//! ```text
//! file      preamble, header, any number of records and hints in any order, end; nothing behind it
//! preamble  magic [8] = 89 51 52 54 42 0D 0A 1A, version [2] = 1
//! section   kind [1], length of the body [4], body, checksum [8]
//!
//! kind 1    header: JSON, as `Header` says. A reader skips names that it does not know.
//! kind 2    record: length of the key [4], key, value
//! kind 3    hint: id of the target [8], length of the key [4], key, value
//! kind 4    end: how many records [8], how many hints [8]
//!
//! value     01, the message `Held` of quorate.proto without `own`, and the XXH64 (seed 0) of all
//!           these bytes, which alone is little endian [8]
//! checksum  XXH64 (seed 0) of the checksum before it [8], and of the kind, the length and the body.
//!           The checksum before that of the header is the XXH64 (seed 0) of the preamble.
//! ```
//!
//! So each checksum covers all that stands before it: a section that was damaged, left out, doubled
//! or moved is found out at once, and a file without its end is not whole. A section is used only
//! after its checksum was compared. The magic has a byte that is no ASCII and both kinds of line end,
//! so that a transfer that took the file for text is found out, too.
//!
//! A backup holds records, never the right to go on minting dots in them: that belongs to the disk
//! on which it was given (DESIGN.md §6).

mod header;

mod section;

mod writer;

mod reader;

pub use self::header::{Header, LayoutOutline, MemberOutline};
pub use self::reader::{BackupError, BackupReader, Problem};
pub use self::section::Entry;
pub use self::writer::BackupWriter;

/// The first bytes of each file.
const MAGIC: [u8; 8] = *b"\x89QRTB\r\n\x1a";

/// Raised when a program that knows the former version would read a file wrongly.
const VERSION: u16 = 1;

#[cfg(test)]
mod tests;
