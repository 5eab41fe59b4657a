//! The newest layout, in a file of its own: it is there even where the store is not, and where it is
//! lost gossip brings it back.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::codec;
use quorate_core::message::LayoutUpdate;

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
    /// The newest layout that was saved.
    Layout(Arc<LayoutUpdate>),
}

impl LayoutFile {
    pub(super) fn read(directory: &Path) -> io::Result<LayoutFile> {
        let Some(bytes) = atomic_file::read(directory, FILE)? else { return Ok(LayoutFile::None) };
        let layout = codec::decode_layout(Bytes::from(bytes));
        Ok(layout.map_or(LayoutFile::Damaged, |layout| LayoutFile::Layout(Arc::new(layout))))
    }

    pub(super) fn layout(&self) -> Option<&Arc<LayoutUpdate>> {
        match self {
            LayoutFile::Layout(layout) => Some(layout),
            LayoutFile::None | LayoutFile::Damaged => None,
        }
    }
}

/// Reads the layout of a node that is about to start, and moves a damaged one out of the way.
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

/// Saves a layout in the place of the former one, synced.
pub(super) fn save(directory: &Path, layout: &LayoutUpdate) -> io::Result<()> {
    atomic_file::write(directory, FILE, &codec::encode_layout(layout))
}
