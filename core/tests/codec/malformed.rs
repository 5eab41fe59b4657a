//! Frames whose fields make no message, each wrong in one way.

use quorate_core::codec::{DecodeError, decode};
use quorate_core::message::{FailureCode, Message, Outcome, RepairRefusal};

use super::framed;

/// A message in a message: key, length, fields.
fn inside(tag: u8, fields: &[&[u8]]) -> Vec<u8> {
    let key = u32::from(tag) << 3 | 2;
    let key = if key < 0x80 { vec![key as u8] } else { vec![key as u8 | 0x80, (key >> 7) as u8] };
    [key, framed(&fields.concat())].concat()
}

#[test]
fn fields_that_make_no_message_are_malformed() {
    let value: &[u8] = &[0x62, 0];
    let member: &[u8] = &[0x1a, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0];
    let actor: &[u8] = &[0x0a, 2, 0x18, 1];
    let welcome = |layout: &[&[u8]]| inside(2, &[&[0x32, 0], &inside(7, layout)]);
    let merge = |history: &[&[u8]]| inside(10, &[&inside(3, &[&inside(1, history)])]);
    // Each part is in order but for what its name says.
    assert!(decode(welcome(&[&[16, 1], member, &[0x22, 1, 0]]).into()).is_ok());
    assert!(decode(merge(&[actor, &[0x12, 2, 8, 1]]).into()).is_ok());
    assert!(decode(inside(6, &[value]).into()).is_ok());
    let pulse = |id| inside(4, &[&[9, id, 0, 0, 0, 0, 0, 0, 0]]);
    assert!(decode(inside(8, &[&inside(3, &[&[7; 16]])]).into()).is_ok());
    assert!(decode(inside(10, &[&[0x1a, 0], &[0x28, 3]]).into()).is_ok());
    assert!(decode(inside(13, &[&[0x5a, 2, 0x48, 3]]).into()).is_ok());
    assert!(decode(inside(14, &[&pulse(1), &pulse(2), &[0x2a, 0].repeat(2)]).into()).is_ok());
    let malformed = [
        ("a hello without a role", inside(1, &[])),
        ("a role of the future", inside(1, &[&[0x20, 3]])),
        ("a client with a node", inside(1, &[&[0x20, 1], &[0x29, 1, 0, 0, 0, 0, 0, 0, 0]])),
        ("a node without an id", inside(1, &[&[0x20, 2]])),
        ("a welcome without defaults", inside(2, &[])),
        ("a default R of 256", inside(2, &[&[0x32, 3, 8, 0x80, 2]])),
        ("a default W of 256", inside(2, &[&[0x32, 3, 16, 0x80, 2]])),
        ("a reject without a code", inside(3, &[])),
        ("a text that is no UTF-8", inside(4, &[&[0x0a, 1, 0xff]])),
        ("a get with an R of 256", inside(5, &[&[24, 0x80, 2]])),
        ("a get with a W of 256", inside(5, &[&[32, 0x80, 2]])),
        ("a put without a change", inside(6, &[])),
        ("a put with a W of 256", inside(6, &[value, &[32, 0x80, 2]])),
        ("a reply without a result", inside(7, &[])),
        ("a receipt of a quorum of 256", inside(7, &[&[0x3a, 0], &[0x22, 3, 0x20, 0x80, 2]])),
        ("a readable record that is missing", inside(9, &[&[16, 1]])),
        ("a merge without a record", inside(10, &[])),
        ("a history without an actor", merge(&[&[0x12, 2, 8, 1]])),
        ("an empty history", merge(&[actor])),
        ("a counter next to the gap", merge(&[actor, &[0x12, 5, 8, 1, 0x12, 1, 2]])),
        ("counters out of order", merge(&[actor, &[0x12, 4, 0x12, 2, 4, 3]])),
        ("a live counter 0", merge(&[actor, &[0x22, 0]])),
        ("a live counter twice", merge(&[actor, &[0x22, 2, 8, 1], &[0x22, 2, 8, 1]])),
        ("a live counter superseded", merge(&[actor, &[0x12, 2, 8, 1], &[0x22, 2, 8, 1]])),
        ("a tombstone with a payload", merge(&[actor, &[0x22, 7, 8, 1, 16, 1, 0x1a, 1, 0]])),
        ("an actor twice", {
            let history = inside(1, &[actor, &[0x12, 2, 8, 1]]);
            inside(10, &[&inside(3, &[&history, &history])])
        }),
        ("actors out of order", {
            let history = |birth| inside(1, &[&[0x0a, 2, 0x18, birth], &[0x12, 2, 8, 1]]);
            inside(10, &[&inside(3, &[&history(2), &history(1)])])
        }),
        ("a layout without members", welcome(&[&[16, 1], &[0x22, 1, 0]])),
        ("a layout without owners", welcome(&[&[16, 1], member])),
        ("a layout of three slots", welcome(&[&[16, 1], member, &[0x22, 3, 0, 0, 0]])),
        ("a layout of N=0", welcome(&[member, &[0x22, 1, 0]])),
        ("a layout of N=257", welcome(&[&[16, 0x81, 2], member, &[0x22, 1, 0]])),
        ("an owner that is no member", welcome(&[&[16, 1], member, &[0x22, 1, 1]])),
        ("an owner of 65,536", welcome(&[&[16, 1], member, &[0x22, 3, 0x80, 0x80, 4]])),
        ("a member twice", welcome(&[&[16, 1], member, member, &[0x22, 1, 0]])),
        ("a get of a strictness of the future", inside(5, &[&[0x48, 3]])),
        ("a put of a strictness of the future", inside(6, &[value, &[0x70, 3]])),
        ("a digest of 15 bytes", inside(8, &[&inside(3, &[&[7; 15]])])),
        ("a digest of 17 bytes", inside(8, &[&inside(3, &[&[7; 17]])])),
        ("a merge for a reason of the future", inside(10, &[&[0x1a, 0], &[0x28, 4]])),
        ("a member of a state of the future", inside(13, &[&[0x5a, 2, 0x48, 4]])),
        ("a pulse twice", inside(14, &[&[0x22, 0], &[0x22, 0]])),
        ("pulses out of order", inside(14, &[&pulse(2), &pulse(1)])),
        ("a gossip with half a layout", inside(14, &[&inside(8, &[member])])),
        ("100,000 empty members", inside(14, &[&[0x2a, 0].repeat(100_000)])),
        ("100,000 empty pulses", inside(14, &[&[0x22, 0].repeat(100_000)])),
        ("100,000 empty comparisons", inside(13, &[&[0x7a, 0].repeat(100_000)])),
        ("a repair without a result", vec![0x92, 1, 2, 8, 1]),
        ("a number where a message stands", vec![0x28, 1]),
        ("a message where a number stands", inside(12, &[&[0x0a, 0]])),
        ("a group", vec![0x2b, 0x2c]),
        ("field number 0", vec![0x02, 0]),
        ("a length that nothing stands behind", vec![0x2a, 4, 8, 1]),
    ];
    for (what, frame) in malformed {
        let result = decode(frame.into());
        assert!(matches!(result, Err(DecodeError::Malformed { .. })), "{what}: {result:?}");
    }
}

#[test]
fn fields_that_make_no_comparison_are_malformed() {
    let asks = |question: u8, fields: &[&[u8]]| inside(15, &[&inside(question, fields)]);
    let says = |answer: u8, fields: &[&[u8]]| inside(16, &[&inside(answer, fields)]);
    let outline = |histories: &[&[u8]]| asks(6, &[&inside(2, histories)]);
    let history = |birth: u8, rest: &[u8]| inside(2, &[&[0x0a, 2, 0x18, birth], rest]);
    let record = |record: &[u8]| says(4, &[&inside(1, &[&[0x0a, 1, b'k'], record])]);
    let live: &[u8] = &[0x22, 2, 1, 2];
    // Each part is in order but for what its name says.
    for sound in [
        asks(4, &[&inside(1, &[&[16, 0xff, 1], &inside(4, &[&[1; 16]])])]),
        asks(5, &[&inside(6, &[&inside(2, &[&[1; 16]])])]),
        outline(&[&history(1, live), &history(2, &[0x12, 2, 8, 1])]),
        asks(7, &[]),
        inside(16, &[]),
        says(2, &[&inside(1, &[&inside(4, &[&[1; 32]])])]),
        says(3, &[&inside(1, &[&inside(2, &[&[1; 16]])])]),
        says(4, &[&[0x12, 1, 0xff]]),
        record(&[0x12, 0]),
    ] {
        assert!(decode(sound.clone().into()).is_ok(), "{sound:02x?}");
    }
    let malformed = [
        ("a comparison that asks nothing", inside(15, &[&[8, 1]])),
        ("a branch on level 256", asks(4, &[&inside(1, &[&[16, 0x80, 2]])])),
        ("a branch with a hash of 15 bytes", asks(4, &[&inside(1, &[&inside(4, &[&[1; 15]])])])),
        ("a branch with a hash of 17 bytes", asks(4, &[&inside(1, &[&inside(4, &[&[1; 17]])])])),
        (
            "a state of 15 bytes that is asked for",
            asks(5, &[&inside(6, &[&inside(2, &[&[1; 15]])])]),
        ),
        ("an outline without an actor", outline(&[&inside(2, &[live])])),
        ("an actor twice in an outline", outline(&[&history(1, live), &history(1, live)])),
        ("an outline out of order", outline(&[&history(2, live), &history(1, live)])),
        ("a counter twice in an outline", outline(&[&history(1, &[0x22, 2, 1, 1])])),
        ("counters of an outline out of order", outline(&[&history(1, &[0x22, 2, 2, 1])])),
        ("an outline with a counter next to the gap", {
            outline(&[&history(1, &[0x12, 5, 8, 1, 0x12, 1, 2])])
        }),
        ("children on level 256", says(2, &[&inside(1, &[&[16, 0x80, 2]])])),
        ("children of 15 bytes", says(2, &[&inside(1, &[&inside(4, &[&[1; 15]])])])),
        ("children of 33 bytes", says(2, &[&inside(1, &[&inside(4, &[&[1; 33]])])])),
        ("a state of 17 bytes", says(3, &[&inside(1, &[&inside(2, &[&[1; 17]])])])),
        ("a key without its record", record(&[])),
        ("a key with a damaged record", record(&[0x12, 4, 0x0a, 2, 0x0a, 0])),
        ("100,000 empty branches", asks(4, &[&[0x0a, 0].repeat(100_000)])),
        ("100,000 empty states", asks(5, &[&[0x32, 0].repeat(100_000)])),
        ("100,000 empty outlines", asks(6, &[&[0x12, 0].repeat(100_000)])),
        ("100,000 empty children", says(2, &[&[0x0a, 0].repeat(100_000)])),
        ("100,000 empty keys", says(4, &[&[0x12, 0].repeat(100_000)])),
    ];
    for (what, frame) in malformed {
        let result = decode(frame.into());
        assert!(matches!(result, Err(DecodeError::Malformed { .. })), "{what}: {result:?}");
    }
}

#[test]
fn fields_that_make_no_collection_are_malformed() {
    let asks = |step: u8, fields: &[&[u8]]| inside(19, &[&inside(step, fields)]);
    let says = |answer: u8, fields: &[&[u8]]| inside(20, &[&inside(answer, fields)]);
    // Each part is in order but for what its name says.
    for sound in [
        asks(3, &[]),
        asks(3, &[&[0x0a, 1, b'k'], &[16, 1], &inside(3, &[&[24, 1]])]),
        asks(4, &[]),
        asks(5, &[&inside(1, &[&inside(2, &[&[1; 16]])])]),
        inside(20, &[]),
        says(2, &[&inside(1, &[&inside(1, &[&[1; 16]])]), &[0x0a, 2, 16, 1]]),
        says(3, &[]),
    ] {
        assert!(decode(sound.clone().into()).is_ok(), "{sound:02x?}");
    }
    let malformed = [
        ("a collection without a step", inside(19, &[&[8, 1, 16, 1]])),
        ("a step of the future", asks(6, &[])),
        ("a removal of a state of 15 bytes", asks(5, &[&inside(1, &[&inside(2, &[&[1; 15]])])])),
        ("a removal of a state of 17 bytes", asks(5, &[&inside(1, &[&inside(2, &[&[1; 17]])])])),
        ("a held state of 15 bytes", says(2, &[&inside(1, &[&inside(1, &[&[1; 15]])])])),
        ("a held state of 17 bytes", says(2, &[&inside(1, &[&inside(1, &[&[1; 17]])])])),
        ("an unsettled state of 1 byte", {
            says(2, &[&inside(1, &[&inside(1, &[&[1]]), &[16, 1]])])
        }),
        ("a floor whose epoch is a text", asks(3, &[&inside(3, &[&[0x12, 0]])])),
        ("100,000 empty keys", asks(3, &[&[0x0a, 0].repeat(100_000)])),
        ("100,000 empty removals", asks(5, &[&[0x0a, 0].repeat(100_000)])),
        ("100,000 empty states that are held", says(2, &[&[0x0a, 0].repeat(100_000)])),
    ];
    for (what, frame) in malformed {
        let result = decode(frame.into());
        assert!(matches!(result, Err(DecodeError::Malformed { .. })), "{what}: {result:?}");
    }
}

#[test]
fn fields_that_make_no_change_of_the_layout_are_malformed() {
    let asks = |order: u8, fields: &[&[u8]]| inside(21, &[&inside(order, fields)]);
    let says = |answer: u8, fields: &[&[u8]]| inside(22, &[&inside(answer, fields)]);
    let change = |id: u8| inside(3, &[&[9, id, 0, 0, 0, 0, 0, 0, 0]]);
    let base = |bytes: usize| [&[0x12, bytes as u8][..], &vec![1; bytes]].concat();
    let marks = |bytes: usize| inside(3, &[&[0x1a, bytes as u8], &vec![1; bytes]]);
    let two = [change(1), change(2)].concat();
    let figures: &[u8] = &[0x0a, 2, 1, 2, 0x12, 2, 1, 2, 0x1a, 2, 1, 2];
    // Each part is in order but for what its name says.
    for sound in [
        asks(2, &[]),
        asks(5, &[&inside(1, &[&[9, 2, 0, 0, 0, 0, 0, 0, 0]]), &inside(1, &[])]),
        asks(6, &[]),
        asks(7, &[&base(16), &two]),
        inside(14, &[&inside(14, &[&base(16), &two])]),
        says(2, &[]),
        says(3, &[&marks(16), &inside(4, &[&two])]),
        says(4, &[figures]),
        says(5, &[&inside(1, &[&base(16)])]),
        says(6, &[&two]),
    ] {
        assert!(decode(sound.clone().into()).is_ok(), "{sound:02x?}");
    }
    let wrong_order = [change(2), change(1)].concat();
    let twice = change(1).repeat(2);
    let member: &[u8] = &[0x1a, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0];
    let malformed = [
        ("a request without an order", inside(21, &[&[8, 1]])),
        ("an order of the future", asks(8, &[])),
        ("an order that is a number", inside(21, &[&[16, 1]])),
        ("a commit of changes out of order", asks(7, &[&wrong_order])),
        ("a commit of one node twice", asks(7, &[&twice])),
        ("a commit from a hash of 15 bytes", asks(7, &[&base(15)])),
        ("a commit from a hash of 17 bytes", asks(7, &[&base(17)])),
        ("a staged label that is no UTF-8", {
            asks(5, &[&inside(1, &[&inside(4, &[&[0x12, 1, 0xff]])])])
        }),
        ("a gossip of staged changes out of order", {
            inside(14, &[&inside(14, &[&wrong_order])])
        }),
        ("a gossip of what is staged from a hash of 15 bytes", {
            inside(14, &[&inside(14, &[&base(15)])])
        }),
        ("an answer that says nothing", inside(22, &[&[8, 1]])),
        ("an answer of the future", says(8, &[])),
        ("a refusal that is no UTF-8", says(2, &[&[0xff]])),
        ("a report of half a layout", says(3, &[&inside(1, &[member])])),
        ("a report of layouts out of order", {
            let layout = |version| inside(1, &[&[8, version, 16, 1], member, &[0x22, 1, 0]]);
            says(3, &[&layout(2), &layout(1)])
        }),
        ("a report of marks with a hash of 15 bytes", says(3, &[&marks(15)])),
        ("a report of staged changes out of order", says(3, &[&inside(4, &[&wrong_order])])),
        ("figures without records", says(4, &[&figures[..4], &figures[8..]])),
        ("figures without bytes", says(4, &[&figures[..8]])),
        ("figures without slots", says(4, &[&figures[4..]])),
        ("figures of one slot more", says(4, &[figures, &[8, 3]])),
        ("a past with a hash of 17 bytes", says(5, &[&inside(1, &[&base(17)])])),
        ("staged changes out of order", says(6, &[&wrong_order])),
        ("100,000 empty changes to stage", asks(5, &[&[0x0a, 0].repeat(100_000)])),
        ("100,000 empty changes to commit", asks(7, &[&[0x1a, 0].repeat(100_000)])),
        ("100,000 empty changes in a gossip", {
            inside(14, &[&inside(14, &[&[0x1a, 0].repeat(100_000)])])
        }),
        ("100,000 slots of no figures", says(4, &[&inside(1, &[&vec![0; 100_000]])])),
        ("100,000 empty layouts of the past", says(5, &[&[0x0a, 0].repeat(100_000)])),
        ("100,000 slots that wait", says(3, &[&[0x2a, 0].repeat(100_000)])),
    ];
    for (what, frame) in malformed {
        let result = decode(frame.into());
        assert!(matches!(result, Err(DecodeError::Malformed { .. })), "{what}: {result:?}");
    }
}

#[test]
fn a_failure_of_the_future_is_told_as_one() {
    for code in [&[8, 0x12][..], &[8, 0xff, 0x01], &[8, 0], &[]] {
        let failure = inside(8, &[code, &[16, 1, 24, 2, 32, 1]]);
        let Ok(Message::Reply(reply)) = decode(inside(7, &[&failure]).into()) else {
            panic!("{code:?}")
        };
        let failure = reply.result.expect_err("a failure");
        assert_eq!(failure.code, FailureCode::Unrecognized, "{code:?}");
        assert_eq!((failure.outcome, failure.needed, failure.acked), (Outcome::Unknown, 2, 1));
    }
    // The last one that is known.
    let known = inside(7, &[&inside(8, &[&[8, 0x11]])]);
    let Ok(Message::Reply(reply)) = decode(known.into()) else { panic!("a reply") };
    assert_eq!(reply.result.map_err(|failure| failure.code), Err(FailureCode::StorageFull));
}

#[test]
fn a_repair_that_is_refused_for_a_reason_of_the_future_is_refused() {
    let frame = vec![0x92, 1, 2, 0x20, 99];
    let Ok(Message::RepairReply(reply)) = decode(frame.into()) else { panic!("no reply") };
    assert_eq!(reply.result, Err(RepairRefusal::Unrecognized));
}
