//! The former self of a node whose data directory is empty.
//!
//! A member that lost its whole disk comes back under its label and its address, and knows of nothing
//! but a seed. As a new member it would own no slot, and its slots would stay without one of their
//! replicas; so it takes the id of the member that is called like it and is to be reached where it
//! is. Its data is a new life of that member's, so it is filled like that of any member which lost
//! some (DESIGN.md §13).
//!
//! Invariant: the id of a member that may be alive is taken by nobody. A seed must hold it for down,
//! as two witnesses found, and no seed may have a connection to it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use quorate_core::ids::{ClusterId, NodeId};
use quorate_core::message::{MemberState, MemberStatus};
use tokio::time::{Instant, sleep};

use super::{Door, JoinError, NO_LAYOUT_WANTED};

/// How long a seed may take for each of its answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between two questions.
const ROUND: Duration = Duration::from_millis(500);

/// Longer than it takes until a member that has just died is down for all.
const DOWN_PATIENCE: Duration = Duration::from_secs(60);

/// What a node is called, and where it is to be reached.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its name for people.
    pub label: &'a str,
    /// Its WebSocket URL.
    pub address: &'a str,
}

/// Looks for a member whose place this node has, and waits until the cluster holds it for down.
///
/// # Errors
/// `Lives` where a member of this place does not go down, `Ambiguous` where several have it.
pub async fn former_self(
    seeds: &[String],
    credentials: &Bytes,
    cluster: ClusterId,
    place: Place<'_>,
) -> Result<Option<NodeId>, JoinError> {
    let deadline = Instant::now() + DOWN_PATIENCE;
    let mut is_told = false;
    loop {
        let views = views(seeds, credentials, cluster).await;
        let (seed, id) = match judge(&views, place)? {
            Former::Nobody => return Ok(None),
            Former::Down(id) => return Ok(Some(id)),
            Former::Alive { seed, id } => (seed, id),
        };
        if Instant::now() >= deadline {
            let (label, address) = (place.label.to_owned(), place.address.to_owned());
            return Err(JoinError::Lives { seed, id, label, address });
        }
        if !is_told {
            tracing::warn!(
                "node {id} has the label and the address of this one: waiting until it is down"
            );
            is_told = true;
        }
        sleep(ROUND).await;
    }
}

/// A seed, and the members as it sees them.
type View = (String, Vec<MemberStatus>);

/// What seeds say of the place of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Former {
    /// No member has it.
    Nobody,
    /// This one has it and is down.
    Down(NodeId),
    /// This one has it, and may be alive, as this seed says.
    Alive { seed: String, id: NodeId },
}

/// A seed that does not answer has no say; one at least has answered when it let this node in.
async fn views(seeds: &[String], credentials: &Bytes, cluster: ClusterId) -> Vec<View> {
    let asked = seeds.iter().map(async |seed| {
        let credentials = credentials.clone();
        let cluster = Some(cluster);
        let door = Door::knock(seed, credentials, cluster, ANSWER_TIMEOUT, NO_LAYOUT_WANTED).await;
        let status = door.ok()?.status(false).await.ok()?;
        Some((seed.clone(), status.members))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

fn judge(views: &[View], place: Place<'_>) -> Result<Former, JoinError> {
    let has_place =
        |member: &&MemberStatus| *member.label == *place.label && *member.address == *place.address;
    let mut down = None;
    for (seed, members) in views {
        let found: Vec<&MemberStatus> = members.iter().filter(has_place).collect();
        match found[..] {
            [] => {}
            // Where another seed names another member, a layout is on its way to one of them.
            [member] if is_down(member) && down.is_none_or(|id| id == member.id) => {
                down = Some(member.id);
            }
            [member] => return Ok(Former::Alive { seed: seed.clone(), id: member.id }),
            [_, _, ..] => {
                let (label, address) = (place.label.to_owned(), place.address.to_owned());
                return Err(JoinError::Ambiguous { seed: seed.clone(), label, address });
            }
        }
    }
    Ok(down.map_or(Former::Nobody, Former::Down))
}

fn is_down(member: &MemberStatus) -> bool {
    !member.up && member.state == MemberState::Down
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { label: "n3", address: "ws://10.0.0.3:7101" };

    fn member(id: u64, place: Place<'_>, up: bool, state: MemberState) -> MemberStatus {
        MemberStatus {
            id: NodeId(id),
            label: place.label.into(),
            zone: "".into(),
            weight: 1,
            address: place.address.into(),
            up,
            slots: 0,
            replicas: 0,
            state,
            heartbeat: 0,
            heartbeat_age: Duration::ZERO,
            witnesses: Vec::new(),
            hints: 0,
            hint_bytes: 0,
            down: Duration::ZERO,
        }
    }

    fn down(id: u64) -> MemberStatus {
        member(id, PLACE, false, MemberState::Down)
    }

    fn judged<const N: usize>(views: [Vec<MemberStatus>; N]) -> Former {
        let views = views.into_iter().map(|members| ("ws://seed:1".to_owned(), members));
        judge(&views.collect::<Vec<_>>(), PLACE).unwrap()
    }

    fn alive(id: u64) -> Former {
        Former::Alive { seed: "ws://seed:1".into(), id: NodeId(id) }
    }

    #[test]
    fn a_member_of_the_same_label_and_address_that_is_down_is_the_former_self() {
        let others = [
            member(1, Place { label: "n1", ..PLACE }, false, MemberState::Down),
            member(2, Place { address: "ws://10.0.0.2:7101", ..PLACE }, false, MemberState::Down),
        ];
        assert_eq!(judged([others.to_vec()]), Former::Nobody);
        assert_eq!(judged([[&others[..], &[down(3)]].concat()]), Former::Down(NodeId(3)));
        assert_eq!(judged([others.to_vec(), vec![down(3)]]), Former::Down(NodeId(3)));
    }

    #[test]
    fn whoever_may_be_alive_keeps_its_place() {
        for (up, state) in [
            (true, MemberState::Up),
            (true, MemberState::Down),
            (false, MemberState::Up),
            (false, MemberState::Suspected),
        ] {
            let doubtful = member(3, PLACE, up, state);
            assert_eq!(judged([vec![doubtful.clone()]]), alive(3));
            assert_eq!(judged([vec![down(3)], vec![doubtful.clone()]]), alive(3));
            assert_eq!(judged([vec![doubtful], vec![down(3)]]), alive(3));
        }
    }

    #[test]
    fn seeds_that_name_different_members_are_waited_for() {
        assert_eq!(judged([vec![down(3)], vec![down(4)]]), alive(4));
    }

    #[test]
    fn of_two_members_in_one_place_none_is_taken() {
        let views = [("ws://seed:1".to_owned(), vec![down(3), down(4)])];
        let error = judge(&views, PLACE).unwrap_err();
        assert!(matches!(error, JoinError::Ambiguous { .. }), "{error}");
    }

    #[test]
    fn where_no_seed_answers_nobody_is_found() {
        assert_eq!(judged([]), Former::Nobody);
    }
}
