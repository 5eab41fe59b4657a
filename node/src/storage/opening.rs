//! The store of a node that starts: what does not open is set aside, what was lost is taken down,
//! and what a clean stop left is taken out (DESIGN.md §13).
//!
//! ```text
//!   journals mended, engine opens --+--> mark, standing, lives, trees --> one commit, synced
//!           | damaged               |                 ^
//!           v                       |                 | DIR/mark says more: something is lost
//!     store.damaged-..    a new one +
//! ```
//!
//! Invariant: a storage is handed out only after one commit of this life was synced. So whatever a
//! clean stop left is found once, and a life that ended otherwise is known as that.

use std::io;

use bytes::Bytes;
use fjall::PersistMode;
use quorate_core::ids::{DurableMark, Incarnation};
use quorate_core::machine::{Found, Standing};

use super::aside::Aside;
use super::atomic_file;
use super::directory::{AdoptedDirectory, io_error};
use super::engine::{self, Engine, EngineError, EngineOptions};
use super::failure::{self, Failure};
use super::identity::OpenError;
use super::journal;
use super::mark::{self, Evidence, MarkFile};
use super::meta::{self, Committed, LIVES, MARK, PAST, Past, STANDING, TREES};
use crate::clock::Clock;

/// A store that is in use from here on.
pub(super) struct Opened {
    pub(super) engine: Engine,
    /// What it held before.
    pub(super) found: Found,
    /// Who has written, this life included.
    pub(super) past: Past,
    pub(super) trees: Option<Bytes>,
    /// That of the first commit of this life, which is synced.
    pub(super) mark: DurableMark,
    pub(super) mark_file: MarkFile,
}

/// Opens the store of a directory, or makes a new one.
pub(super) fn open(
    directory: &AdoptedDirectory,
    options: EngineOptions,
    life: Incarnation,
) -> Result<Opened, OpenError> {
    let path = directory.path();
    let wrong = |error: io::Error| io_error(path, &error);
    let was_there = directory.store().try_exists().map_err(wrong)?;
    let (engine, is_set_aside) = open_or_begin(directory, options, was_there)?;
    let evidence = Evidence::of(path).map_err(wrong)?;
    if !was_there || is_set_aside {
        atomic_file::sync_directory(path).map_err(wrong)?;
    }
    let said = engine.said.committed.map(|committed| committed.mark);
    let lost = is_set_aside || evidence.contradicts(said);
    if lost && !is_set_aside {
        tell_loss(directory, was_there, said, evidence);
    }
    let mark = DurableMark(said.unwrap_or_default().max(evidence.mark()).0 + 1);
    let begun = begin_life(&engine, (life, mark), lost);
    let (found, past, trees) = begun.map_err(|error| io_error(path, &error))?;
    let mark_file = MarkFile::open(path, mark).map_err(wrong)?;
    failure::forget(path).map_err(wrong)?;
    Ok(Opened { engine, found, past, trees, mark, mark_file })
}

/// Also answers whether there was one that does not open.
fn open_or_begin(
    directory: &AdoptedDirectory,
    options: EngineOptions,
    was_there: bool,
) -> Result<(Engine, bool), OpenError> {
    let store = directory.store();
    let refused = |error| refused(directory, error);
    let opened = match was_there {
        true => open_store(directory, options),
        false => engine::open(&store, options),
    };
    let reason = match opened {
        Err(EngineError::Damaged(reason)) if was_there => reason,
        opened => return opened.map(|engine| (engine, false)).map_err(refused),
    };
    let Some(aside) = directory.set_store_aside(Aside::Damaged)? else {
        return Err(refused(EngineError::Damaged(reason)));
    };
    tracing::error!(
        reason,
        "the store of this node is damaged and does not open: it is kept as {}, and the node \
         begins with an empty one and refills itself from its peers",
        aside.display()
    );
    Ok((engine::open(&store, options).map_err(refused)?, true))
}

/// After a failure, what may not be on the disk is written again, and what the engine may have met is
/// looked for.
fn open_store(directory: &AdoptedDirectory, options: EngineOptions) -> Result<Engine, EngineError> {
    let (path, store) = (directory.path(), directory.store());
    mend_journals(directory)?;
    let failure = failure::last(path).map_err(fjall::Error::from)?;
    if failure.is_some() {
        failure::write_anew(path, &store).map_err(fjall::Error::from)?;
    }
    match failure {
        Some(Failure::ByItself) => engine::open_and_look_through(&store, options),
        Some(Failure::Device) | None => engine::open(&store, options),
    }
}

/// The engine reads a journal up to where it is not whole, and forgets the rest without a word; so
/// what is damaged is taken down before.
fn mend_journals(directory: &AdoptedDirectory) -> Result<(), EngineError> {
    let path = directory.path();
    let mended = journal::mend(&directory.store(), path, |sealed| {
        let sealed = sealed.len();
        tracing::error!(sealed, "journals of the store that had been synced are damaged");
        mark::note_loss(path)
    });
    Ok(mended.map(drop).map_err(fjall::Error::from)?)
}

fn refused(directory: &AdoptedDirectory, error: EngineError) -> OpenError {
    let directory = directory.path().to_owned();
    match error {
        EngineError::Locked => OpenError::InUse { directory },
        EngineError::Refused(reason) | EngineError::Damaged(reason) => {
            OpenError::Engine { directory, reason }
        }
    }
}

fn tell_loss(
    directory: &AdoptedDirectory,
    was_there: bool,
    said: Option<DurableMark>,
    evidence: Evidence,
) {
    let store = directory.store();
    let (store, said) = (store.display(), said.unwrap_or_default().0);
    let synced = evidence.mark().0;
    match was_there {
        true => tracing::error!(
            said,
            synced,
            "{store} has lost commits that were synced: the node refills itself from its peers"
        ),
        false => tracing::error!(
            "{store} is missing: the node begins with an empty one and refills itself from its peers"
        ),
    }
}

/// The first commit of a life, synced. Answers what was there before it.
fn begin_life(
    engine: &Engine,
    (life, mark): (Incarnation, DurableMark),
    lost: bool,
) -> fjall::Result<(Found, Past, Option<Bytes>)> {
    let Engine { database, meta, said, .. } = engine;
    let now = Clock::start().now().unix;
    let standing = match lost {
        true => Standing { refilling: true, lost: Some(now) },
        false => said.standing,
    };
    let mut batch = database.batch();
    // That it was opened makes nothing younger: the life may end before anybody says that it is an
    // old copy.
    let written = said.committed.map_or(now, |last| last.written);
    batch.insert(meta, MARK, meta::encode_committed(&Committed { mark, written }));
    if lost {
        batch.insert(meta, STANDING, meta::encode_standing(&standing));
    }
    let last = said.committed.unwrap_or_default();
    let before = said.past.clone().map(|past| past.closed(last)).unwrap_or_default();
    let past = Past { life, before };
    batch.insert(meta, PAST, meta::encode_past(&past));
    if said.lives.is_some() {
        batch.remove(meta, LIVES);
    }
    if said.trees.is_some() {
        batch.remove(meta, TREES);
    }
    batch.commit()?;
    database.persist(PersistMode::SyncAll)?;
    let found = Found {
        mark: last.mark,
        written: last.written,
        standing,
        past: past.before.clone(),
        // What ended well may not be what was lost.
        lives: said.lives.clone().filter(|_| !lost).unwrap_or_default(),
        peers: said.peers.clone(),
    };
    Ok((found, past, said.trees.clone()))
}
