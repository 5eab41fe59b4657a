//! What a node keeps: its own copies, and hints.

use quorate_core::causality::{Held, Record, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{
    Confirmed, HeldAs, HintChange, HintCount, StateChange, StoreError, StoreOp, StoreOutcome,
    hint_bytes,
};
use quorate_core::merkle::State;
use quorate_core::ring::{Position, RingArc};

use super::{House, place, tree_key};

impl House {
    /// Carries out an operation; it is synced at once.
    pub(super) fn run(&mut self, op: StoreOp) -> Vec<StoreOutcome> {
        if (self.fails)(&op) {
            return vec![StoreOutcome::Failed(StoreError::Io)];
        }
        let found = |arc: RingArc, after: Option<Key>| {
            let first = after.map_or((arc.first, Key::from(vec![])), |after| place(&after));
            let behind = first.clone();
            let range = self.store.range(first..).filter(move |(at, _)| **at > behind);
            range.take_while(move |((position, _), _)| *position <= arc.last)
        };
        match op {
            StoreOp::Apply { key, copy: HeldAs::Own, op } => {
                let at = place(&key);
                let (held, state) = self.store.entry(at.clone()).or_default();
                let before = *state;
                let applied = match held.apply(&op) {
                    Ok(applied) => applied,
                    Err(refusal) => return vec![StoreOutcome::Refused(refusal)],
                };
                let after = tree_key().sized_state(&key, held.record());
                *state = after;
                let record = matches!(op, RecordOp::Write(_)).then(|| held.record().clone());
                let state = Some(StateChange { position: at.0, before, after });
                let first = StoreOutcome::Applied { applied, record, hint: None, state };
                vec![first, StoreOutcome::Durable]
            }
            StoreOp::Apply { key, copy: HeldAs::Hint { target }, op } => {
                let record = self.hints.entry((target, key.clone())).or_default();
                let before = (!record.is_empty()).then(|| hint_bytes(&key, record));
                let mut held = Held::from_parts(record.clone(), None);
                let applied = held.apply(&op).unwrap();
                *record = held.into_record();
                let hint = Some(HintChange { before, after: hint_bytes(&key, record) });
                let written = matches!(op, RecordOp::Write(_)).then(|| record.clone());
                let first = StoreOutcome::Applied { applied, record: written, hint, state: None };
                vec![first, StoreOutcome::Durable]
            }
            StoreOp::Read { key, hints } => {
                let own = self.store.get(&place(&key)).map(|(held, _)| held.record());
                let hints = hints.into_iter().map(|target| (target, key.clone()));
                let hints: Vec<_> = hints.filter_map(|at| self.hints.get(&at)).collect();
                let all = own.into_iter().chain(hints);
                let record = all.fold(None, |all: Option<Record>, one| {
                    let mut held = Held::from_parts(all.unwrap_or_default(), None);
                    held.apply(&RecordOp::Merge(one.clone())).unwrap();
                    Some(held.into_record())
                });
                vec![StoreOutcome::Read { record }]
            }
            StoreOp::FindHints { target, after, bytes_max } => {
                assert!(bytes_max > 0);
                let behind = |key: &Key| after.as_ref().is_none_or(|after| key > after);
                let found = self.hints.iter().filter(|((of, key), _)| *of == target && behind(key));
                let hints = found.map(|((_, key), record)| (key.clone(), record.clone()));
                vec![StoreOutcome::HintsFound { hints: hints.collect(), more: false }]
            }
            StoreOp::RemoveHint { target, key, digest } => {
                let at = (target, key.clone());
                let same = self.hints.get(&at).is_some_and(|record| record.is_still(digest));
                let gone = if same { self.hints.remove(&at) } else { None };
                let bytes = gone.map(|record| hint_bytes(&key, &record));
                vec![StoreOutcome::HintRemoved { bytes }]
            }
            StoreOp::Confirm { keys, hints } => {
                let confirmed = keys.into_iter().map(|key| {
                    let state = self.store.get(&place(&key)).map(|(_, state)| state.hash);
                    let state = Some(state.unwrap_or_default());
                    let hinted =
                        hints.iter().any(|of| self.hints.contains_key(&(*of, key.clone())));
                    Confirmed { state, hinted }
                });
                vec![StoreOutcome::Confirmed(confirmed.collect())]
            }
            StoreOp::Remove { key, state } => {
                let at = place(&key);
                let same = self.store.get(&at).is_some_and(|(_, held)| held.hash == state);
                let gone = if same { self.store.remove(&at) } else { None };
                let state = gone.map(|(_, before)| {
                    let after = State::NOTHING;
                    StateChange { position: at.0, before, after }
                });
                vec![StoreOutcome::Removed { state }]
            }
            StoreOp::ScanStates { arc, after, count_max } => {
                let mut found = found(arc, after);
                let state = |((_, key), (_, state)): (&(Position, Key), &(Held, State))| {
                    (key.clone(), *state)
                };
                let states = found.by_ref().take(count_max).map(state).collect();
                vec![StoreOutcome::StatesScanned { states, more: found.next().is_some() }]
            }
            StoreOp::ScanRecords { arc, after, bytes_max } => {
                let (mut records, mut bytes) = (Vec::new(), 0);
                let mut found = found(arc, after);
                while bytes < bytes_max as u64
                    && let Some(((_, key), (held, _))) = found.next()
                {
                    bytes += key.as_bytes().len() as u64 + held.record().weight();
                    records.push((key.clone(), held.record().clone()));
                }
                let more = found.next().is_some();
                vec![StoreOutcome::RecordsScanned { records, more }]
            }
            StoreOp::CountHints => {
                let mut counts: Vec<HintCount> = Vec::new();
                for ((target, key), record) in &self.hints {
                    let bytes = hint_bytes(key, record);
                    match counts.last_mut().filter(|count| count.target == *target) {
                        Some(count) => {
                            count.hints += 1;
                            count.bytes += bytes;
                        }
                        None => {
                            counts.push(HintCount { target: *target, hints: 1, bytes, damaged: 0 })
                        }
                    }
                }
                vec![StoreOutcome::HintsCounted(counts)]
            }
            StoreOp::SaveLayouts(layouts) => {
                self.config.layouts = Some(layouts);
                vec![StoreOutcome::Durable]
            }
            StoreOp::SaveStanding { .. } => vec![StoreOutcome::Durable],
            StoreOp::Remember(_) => Vec::new(),
        }
    }
}
