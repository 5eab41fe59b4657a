//! An operator asks for a repair.

use quorate_core::ids::NodeId;
use quorate_core::machine::{Effect, Effects, Input, Peer};
use quorate_core::message::{CallId, Message, RepairRefusal, RepairReply, RepairRequest};
use quorate_core::node::{AntiEntropySettings, Node, NodeConfig};
use quorate_core::ring::Slot;

use crate::machines::{config, now};
use crate::world::{Shape, layout};

const CALL: CallId = CallId(7);

/// What a node answers, and to whom.
fn answer(node: &mut Node, slot: Option<u32>) -> RepairReply {
    let mut out = Effects::new();
    let message = Message::RepairRequest(RepairRequest { call: CALL, slot: slot.map(Slot) });
    node.handle(now(1_000), Input::Frame { from: Peer::Client(3), message }, &mut out);
    let mut answers = Vec::new();
    while let Some(effect) = out.pop() {
        if let Effect::Send { to, message: Message::RepairReply(reply) } = effect {
            assert_eq!(to, Peer::Client(3));
            answers.push(reply);
        }
    }
    assert_eq!(answers.len(), 1);
    answers[0]
}

/// A node of three that hold everything.
fn started(change: impl FnOnce(&mut NodeConfig)) -> Node {
    let layouts = Some(layout(&Shape { nodes: 3, slots: 8, leaves: 16 }).into());
    let mut config =
        NodeConfig { layouts, anti_entropy: AntiEntropySettings::default(), ..config(1) };
    change(&mut config);
    let mut node = Node::new(config, 1).unwrap();
    node.start(now(0), &mut Effects::new());
    node
}

#[test]
fn a_repair_is_answered_with_the_pairs_that_are_due_and_the_time() {
    let mut node = started(|_| {});
    for (slot, pairs) in [(None, 16), (Some(0), 2), (Some(7), 2)] {
        let reply = answer(&mut node, slot);
        let expected = RepairReply { call: CALL, now: now(1_000).unix, result: Ok(pairs) };
        assert_eq!(reply, expected, "{slot:?}");
    }
}

#[test]
fn a_repair_that_cannot_be_is_refused_with_its_reason() {
    let off = AntiEntropySettings { bytes_per_second: 0, ..AntiEntropySettings::default() };
    let mut sleeper = started(|config| config.anti_entropy = off);
    assert_eq!(answer(&mut sleeper, None).result, Err(RepairRefusal::Off));
    let mut newcomer = started(|config| config.layouts = None);
    assert_eq!(answer(&mut newcomer, None).result, Err(RepairRefusal::NoLayout));
    let mut guest = started(|config| config.id = NodeId(9));
    assert_eq!(answer(&mut guest, Some(7)).result, Err(RepairRefusal::NotAPrimary));
    assert_eq!(answer(&mut guest, None).result, Ok(0));
    assert_eq!(answer(&mut guest, Some(8)).result, Err(RepairRefusal::NoSuchSlot));
}
