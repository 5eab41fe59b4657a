//! Records that no machine made.

use bytes::Bytes;
use quorate_core::causality::{
    Actor, Checksum, Dot, History, Payload, Record, RecordOp, Seen, Sibling,
};
use quorate_core::time::UnixMs;

use super::Stage;

impl Stage {
    /// `node` merges a record that nobody made.
    pub(crate) fn forge(&mut self, node: usize, superseded: &[Dot], live: &[(Dot, &'static str)]) {
        let record = self.forged(superseded, live);
        assert_eq!(self.apply(node, RecordOp::Merge(record), true), None);
    }

    pub(crate) fn forged(&self, superseded: &[Dot], live: &[(Dot, &'static str)]) -> Record {
        let mut actors: Vec<Actor> = superseded.iter().map(|dot| dot.actor).collect();
        actors.extend(live.iter().map(|(dot, _)| dot.actor));
        actors.sort();
        actors.dedup();
        let history = |actor: &Actor| {
            let mut seen = Seen::new();
            for dot in superseded.iter().filter(|dot| dot.actor == *actor) {
                seen.insert(dot.counter);
            }
            let live = live.iter().filter(|(dot, _)| dot.actor == *actor);
            let live = live.map(|(dot, value)| {
                let value = Bytes::from_static(value.as_bytes());
                let dots = self.facts.key(&self.key).and_then(|key| key.writes.get(dot));
                let sibling = Sibling {
                    checksum: Checksum::of_value(&value),
                    payload: Payload::Value(value),
                    written: UnixMs(1_000),
                    expires: None,
                    request: dots.map(|fact| fact.request).unwrap_or_default(),
                };
                (dot.counter, sibling)
            });
            (*actor, History::from_parts(seen, UnixMs(1_000), live.collect()).unwrap())
        };
        Record::from_histories(actors.iter().map(history)).unwrap()
    }
}
