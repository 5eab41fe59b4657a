//! A sloppy write finds its quorum as long as any W nodes can be reached.

use std::collections::BTreeMap;

use quorate_core::layout::Layout;
use quorate_core::message::{CallId, Failure, FailureCode, Message, Outcome, Reply};
use quorate_core::node::NodeView;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{CallEnded, Caller, Ending, Handed, Sent, Started, Stepped};
use crate::oracle::Op;

pub(crate) const PROPERTY: Property = Property {
    name: "writable-while-w-are-up",
    definition: "A node answers a sloppy put, or a sloppy delete with a context, with \
                 QUORUM_UNAVAILABLE and without an effect only where, after that step, fewer \
                 than W nodes with slots in the newest layout that it knows are connected to it, \
                 itself included; whether it answers a client or a node that passed the request \
                 on, and whether it ran the request itself or was told so by a primary. A put by \
                 hand that names no request is looked at where it is answered, not where it is \
                 passed on.",
    source: "DESIGN.md §2 (sloppy: always accepted while any W nodes are up), §7 (Put)",
};

#[derive(Default)]
pub(crate) struct WritableWhileWAreUp {
    /// The nodes that requests by hand were handed to.
    handed: BTreeMap<(Caller, CallId), usize>,
    /// What is asked of each put that one node passed on to another: from, to, call.
    passed_on: BTreeMap<(usize, usize, CallId), Wanted>,
    /// What the node that is in its step has refused.
    refused: Vec<(usize, Wanted)>,
}

/// What a write asks of a cluster.
#[derive(Clone, Debug)]
struct Wanted {
    w: u8,
    /// The call, for people.
    name: String,
}

impl Wanted {
    /// That of a call, unless only primaries count or a read comes before the write.
    fn by(op: &Op) -> Option<Wanted> {
        let counts = op.wish.is_write() && !op.wish.is_blind_delete() && !op.strict;
        counts.then(|| Wanted { w: op.w, name: op.to_string() })
    }
}

impl Invariant for WritableWhileWAreUp {
    fn on_handed(&mut self, _: Scene<'_>, Handed { caller, node, message }: Handed<'_>) -> Verdict {
        if let Message::Put(put) = message {
            self.handed.insert((caller, put.head.call), node);
        }
        Ok(())
    }

    fn on_started(&mut self, _: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        self.passed_on.retain(|(from, _, _), _| *from != node);
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, to, message }: Sent<'_>) -> Verdict {
        let End::Node(node) = from else { return Ok(()) };
        if let (Message::Put(put), End::Node(to)) = (message, to) {
            let wanted = scene.facts.tries(put.request).next().and_then(Wanted::by);
            self.passed_on.extend(wanted.map(|wanted| ((node, to, put.head.call), wanted)));
        }
        let Message::Reply(reply) = message else { return Ok(()) };
        if !is_refusal(reply) {
            return Ok(());
        }
        let wanted = match to {
            End::Client(client, _) => {
                scene.facts.call(Caller::Client(client), reply.call).and_then(Wanted::by)
            }
            End::Node(to) => self.passed_on.get(&(to, node, reply.call)).cloned(),
        };
        self.refused.extend(wanted.map(|wanted| (node, wanted)));
        Ok(())
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let CallEnded { caller, call, ending } = ended;
        let node = self.handed.remove(&(caller, call));
        if let (Some(node), Ending::Hand(reply)) = (node, ending)
            && is_refusal(reply)
        {
            let wanted = scene.facts.call(caller, call).and_then(Wanted::by);
            self.refused.extend(wanted.map(|wanted| (node, wanted)));
        }
        Ok(())
    }

    fn on_stepped(&mut self, _: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        for (by, Wanted { w, name }) in std::mem::take(&mut self.refused) {
            // One that crashed in its step has no look.
            let Some(layout) = view.newest_layout().filter(|_| by == node) else { continue };
            let reachable = within_reach(view, &layout.layout);
            if reachable >= usize::from(w) {
                let text = format!(
                    "n{node} refuses {name} for want of {w} nodes, but reaches {reachable}"
                );
                return Err(Violation::new(text).at(node));
            }
        }
        Ok(())
    }
}

fn is_refusal(reply: &Reply) -> bool {
    matches!(
        reply.result,
        Err(Failure { code: FailureCode::QuorumUnavailable, outcome: Outcome::None, .. })
    )
}

/// How many nodes with slots in a layout are connected to a node, itself included.
fn within_reach(view: NodeView<'_>, layout: &Layout) -> usize {
    let loads = layout.load().into_iter();
    loads.filter(|load| load.slots > 0 && view.is_up(load.id)).count()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use quorate_core::ids::{ClusterId, Incarnation, NodeId, RequestId};
    use quorate_core::limits::Limits;
    use quorate_core::machine::{Effects, Input, Peer};
    use quorate_core::message::{CallId, Failure, FailureCode, Message};
    use quorate_core::node::{
        AntiEntropySettings, CollectionSettings, Fanout, GossipSettings, Node, NodeConfig,
    };
    use quorate_core::time::{Instant, Now, UnixMs};

    use super::WritableWhileWAreUp;
    use crate::network::End;
    use crate::observation::{Asked, Observation, Sent, Stepped};
    use crate::oracle::stage::{Call, Stage};

    /// The first node of the stage, connected to the others.
    fn node(stage: &Stage, others: &[u64]) -> Node {
        let config = NodeConfig {
            cluster: ClusterId(1),
            id: NodeId(1),
            incarnation: Incarnation(1),
            label: "n0".into(),
            zone: "z".into(),
            weight: 1,
            address: "ws://n".into(),
            seeds: Vec::new(),
            layouts: Some(Arc::new(stage.layout.clone()).into()),
            trees: None,
            found: Default::default(),
            founding: None,
            r: 2,
            w: 2,
            strict: false,
            allow_weak: false,
            fanout: Fanout::All,
            gossip: GossipSettings::default(),
            anti_entropy: AntiEntropySettings::default(),
            collection: CollectionSettings::default(),
            changes: Default::default(),
            credentials: Bytes::new(),
            limits: Limits::default(),
        };
        let mut node = Node::new(config, 1).unwrap();
        let now = Now { instant: Instant(1_000_000), unix: UnixMs(1_000) };
        for other in others {
            let up = Input::PeerUp(Peer::Node(NodeId(*other)));
            node.handle(now, up, &mut Effects::new());
        }
        node
    }

    fn refuse(stage: &mut Stage, call: Call, to: End, number: CallId, failure: Failure) {
        let mut reply = stage.reply(call, Err(failure));
        reply.call = number;
        let message = &Message::Reply(reply);
        stage.see(&Observation::Sent(Sent { from: End::Node(0), to, message }));
    }

    fn stage(sloppy: bool) -> Stage {
        let mut stage = Stage::with_nodes(5, WritableWhileWAreUp::default());
        if sloppy {
            stage.turn_sloppy();
        }
        stage
    }

    #[test]
    fn a_sloppy_write_is_refused_only_where_fewer_than_w_can_be_reached() {
        let refusal = Failure::refused(FailureCode::QuorumUnavailable);
        // (sloppy, connected, failure, fine)
        for (sloppy, others, failure, fine) in [
            (true, &[][..], refusal, true),
            (true, &[2][..], refusal, false),
            (true, &[3, 4, 5][..], refusal, false),
            (true, &[9][..], refusal, true),
            (true, &[2][..], refusal.unknown(), true),
            (true, &[2][..], Failure::refused(FailureCode::Overloaded), true),
            (false, &[2][..], refusal, true),
        ] {
            let mut stage = stage(sloppy);
            let put = stage.put(1, "v", &[]);
            let to = stage.end(put.0);
            refuse(&mut stage, put, to, put.1, failure);
            stage.expect(true, "");
            let node = node(&stage, others);
            stage.see(&Observation::Stepped(Stepped { node: 1, view: node.view() }));
            stage.expect(true, "");
            let mut stage = self::stage(sloppy);
            let put = stage.put(1, "v", &[]);
            refuse(&mut stage, put, to, put.1, failure);
            stage.see(&Observation::Stepped(Stepped { node: 0, view: node.view() }));
            stage.expect(fine, "for want of 2 nodes");
        }
    }

    #[test]
    fn a_delete_is_looked_at_where_it_writes_at_once() {
        for (blind, fine) in [(true, true), (false, false)] {
            let mut stage = stage(true);
            let dot = stage.dot(0, 1, 1);
            let delete = stage.delete(1, if blind { &[] } else { std::slice::from_ref(&dot) });
            let to = stage.end(delete.0);
            let failure = Failure::refused(FailureCode::QuorumUnavailable);
            refuse(&mut stage, delete, to, delete.1, failure);
            let node = node(&stage, &[2]);
            stage.see(&Observation::Stepped(Stepped { node: 0, view: node.view() }));
            stage.expect(fine, "for want of 2 nodes");
        }
    }

    #[test]
    fn a_primary_answers_for_itself_where_a_request_was_passed_on() {
        for (call, fine) in [(CallId(70), false), (CallId(71), true)] {
            let mut stage = stage(true);
            let put = stage.put(1, "v", &[]);
            let asked = Asked::Put { value: Bytes::from_static(b"v"), context: Bytes::new() };
            let request = RequestId { client: 9, sequence: put.1.0 };
            let mut message = stage.frame(put, &asked, request);
            if let Message::Put(put) = &mut message {
                put.head.call = CallId(70);
            }
            let (from, to, message) = (End::Node(4), End::Node(0), &message);
            stage.see(&Observation::Sent(Sent { from, to, message }));
            let failure = Failure::refused(FailureCode::QuorumUnavailable);
            refuse(&mut stage, put, from, call, failure);
            let node = node(&stage, &[2]);
            stage.see(&Observation::Stepped(Stepped { node: 0, view: node.view() }));
            stage.expect(fine, "for want of 2 nodes");
        }
    }
}
