//! The layouts in force, in a file of their own: it is there even where the store is not, and where it
//! is lost gossip brings them back.

use std::io;
use std::path::Path;

use bytes::Bytes;
use quorate_core::codec;
use quorate_core::message::LayoutHistory;

use super::aside::{Aside, set_aside};
use super::atomic_file;

/// The file.
pub(super) const FILE: &str = "layout";

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LayoutFile {
    /// There is none.
    None,
    /// It is not what was once written.
    Damaged,
    /// The layouts that were saved last.
    Layouts(LayoutHistory),
}

impl LayoutFile {
    pub(super) fn read(directory: &Path) -> io::Result<LayoutFile> {
        let Some(bytes) = atomic_file::read(directory, FILE)? else { return Ok(LayoutFile::None) };
        let layouts = codec::decode_layouts(Bytes::from(bytes));
        Ok(layouts.map_or(LayoutFile::Damaged, LayoutFile::Layouts))
    }

    pub(super) fn layouts(&self) -> Option<&LayoutHistory> {
        match self {
            LayoutFile::Layouts(layouts) => Some(layouts),
            LayoutFile::None | LayoutFile::Damaged => None,
        }
    }
}

/// Reads the layouts of a node that is about to start, and moves a damaged one out of the way.
pub(super) fn take(directory: &Path) -> io::Result<LayoutFile> {
    let found = LayoutFile::read(directory)?;
    if found == LayoutFile::Damaged {
        let aside = set_aside(directory, FILE, Aside::Damaged)?;
        tracing::error!(
            "the layout that this node had saved cannot be read, and is kept as {}: the node \
             starts without one and learns it from its peers",
            aside.display()
        );
    }
    Ok(found)
}

/// Saves layouts in the place of the former ones, synced.
pub(super) fn save(directory: &Path, layouts: &LayoutHistory) -> io::Result<()> {
    atomic_file::write(directory, FILE, &codec::encode_layouts(layouts))
}
