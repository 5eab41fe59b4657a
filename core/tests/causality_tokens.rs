//! Context tokens: what they carry and what they refuse.

use proptest::prelude::*;
use quorate_core::causality::{Actor, Birth, Context, Counter, Dot, Seen, TokenError};
use quorate_core::ids::{Incarnation, Key, NodeId};
use twox_hash::XxHash64;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() }
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, 120..300_u64, any::<u64>(), Just(u64::MAX)]
}

fn any_seen() -> impl Strategy<Value = Seen> {
    (any_number(), prop::collection::vec(any_number(), 0..6)).prop_map(|(upto, also)| {
        let mut seen = Seen::from_parts(upto, Vec::new()).expect("an unbroken run is canonical");
        for counter in also {
            seen.insert(Counter(counter));
        }
        seen
    })
}

fn any_actor() -> impl Strategy<Value = Actor> {
    (prop_oneof![0..3_u64, any::<u64>()], 0..3_u32, any_number()).prop_map(
        |(node, incarnation, birth)| Actor {
            node: NodeId(node),
            incarnation: Incarnation(incarnation),
            birth: Birth(birth),
        },
    )
}

fn any_context() -> impl Strategy<Value = Context> {
    prop::collection::vec((any_actor(), any_seen()), 0..6).prop_map(|actors| {
        let mut context = Context::new();
        for (actor, seen) in actors {
            context.insert_seen(actor, seen);
        }
        context
    })
}

fn any_key() -> impl Strategy<Value = Key> {
    prop::collection::vec(any::<u8>(), 1..12).prop_map(Key::from)
}

/// A token whose checksum is right whatever its body says.
fn sealed(key: &Key, body: &[u8]) -> Vec<u8> {
    let mut token = vec![1];
    token.extend_from_slice(body);
    let sum = XxHash64::oneshot(XxHash64::oneshot(0, key.as_bytes()), &token);
    token.extend_from_slice(&sum.to_be_bytes());
    token
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_token_gives_back_its_context(key in any_key(), context in any_context()) {
        let token = context.to_token(&key);
        prop_assert_eq!(Context::from_token(&key, &token), Ok(context));
    }

    #[test]
    fn a_token_of_another_key_is_refused(
        key in any_key(),
        other in any_key(),
        context in any_context(),
    ) {
        prop_assume!(key != other && !context.is_empty());
        let token = context.to_token(&key);
        prop_assert_eq!(Context::from_token(&other, &token), Err(TokenError::Checksum));
    }

    #[test]
    fn a_token_with_one_flipped_bit_is_refused(
        key in any_key(),
        context in any_context(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        prop_assume!(!context.is_empty());
        let mut token = context.to_token(&key).to_vec();
        let at = at.index(token.len());
        token[at] ^= 1 << bit;
        prop_assert!(Context::from_token(&key, &token).is_err());
    }

    #[test]
    fn a_token_that_was_cut_or_lengthened_is_refused(
        key in any_key(),
        context in any_context(),
        more in prop::collection::vec(any::<u8>(), 1..9),
        cut in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!context.is_empty());
        let token = context.to_token(&key);
        let longer = [token.as_ref(), more.as_ref()].concat();
        prop_assert!(Context::from_token(&key, &longer).is_err());
        let kept = 1 + cut.index(token.len() - 1);
        prop_assert!(Context::from_token(&key, &token[..kept]).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(key in any_key(), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Context::from_token(&key, &bytes);
    }

    /// Behind a right checksum, too: what is read is spelled just as it would be written.
    #[test]
    fn a_body_has_one_spelling(
        key in any_key(),
        context in any_context(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 0..3),
    ) {
        prop_assume!(!context.is_empty());
        let token = context.to_token(&key);
        let mut body = token[1..token.len() - 8].to_vec();
        for (at, edit, byte) in edits {
            let at = at.index(body.len() + 1);
            match edit {
                0 => body.insert(at, byte),
                1 if at < body.len() => drop(body.remove(at)),
                _ if at < body.len() => body[at] = byte,
                _ => body.push(byte),
            }
        }
        let edited = sealed(&key, &body);
        match Context::from_token(&key, &edited) {
            Ok(read) => prop_assert_eq!(read.to_token(&key), edited),
            Err(error) => prop_assert_eq!(error, TokenError::Malformed),
        }
    }
}

#[test]
fn the_empty_context_is_the_empty_token() {
    let key = Key::from("k");
    assert!(Context::new().to_token(&key).is_empty());
    assert_eq!(Context::from_token(&key, b""), Ok(Context::new()));
    let spelled_out = sealed(&key, &[0]);
    assert_eq!(Context::from_token(&key, &spelled_out), Err(TokenError::Malformed));
}

#[test]
fn bodies_that_are_not_canonical_are_refused() {
    let key = Key::from("k");
    let actor = |birth: u8| {
        let mut bytes = vec![0; 12];
        bytes.push(birth);
        bytes
    };
    let good = [&[1][..], &actor(0), &[3, 1, 0]].concat();
    let read = Context::from_token(&key, &sealed(&key, &good)).expect("a canonical body");
    let seen = Seen::from_parts(3, vec![5]).expect("canonical parts");
    assert!(read.iter().map(|(_, seen)| seen).eq([&seen]));

    let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    let endless = [0x80; 11];
    for (why, body) in [
        ("an empty set", [&[1][..], &actor(0), &[0, 0]].concat()),
        ("the same actor twice", [&[2][..], &actor(0), &[1, 0], &actor(0), &[2, 0]].concat()),
        ("descending actors", [&[2][..], &actor(1), &[1, 0], &actor(0), &[1, 0]].concat()),
        ("a long spelling of a number", [&[1][..], &actor(0), &[0x83, 0, 0]].concat()),
        ("a number beyond 64 bits", [&[1][..], &actor(0), &beyond, &[0]].concat()),
        ("an endless number", [&[1][..], &actor(0), &endless, &[0]].concat()),
        ("a counter beyond 64 bits", [&[1][..], &actor(0), &max, &[1, 0]].concat()),
        ("a distance beyond 64 bits", [&[1][..], &actor(0), &[3, 1], &max].concat()),
        ("a claim of counters that are not there", [&[1][..], &actor(0), &[3], &max].concat()),
        ("a claim of actors that are not there", [&max[..], &actor(0), &[3, 0]].concat()),
        ("bytes behind the end", [&good[..], &[0]].concat()),
        ("nothing", Vec::new()),
    ] {
        let read = Context::from_token(&key, &sealed(&key, &body));
        assert_eq!(read, Err(TokenError::Malformed), "{why}");
    }
}

#[test]
fn a_refusal_says_what_was_wrong() {
    let key = Key::from("k");
    assert_eq!(Context::from_token(&key, &[2]), Err(TokenError::Version { found: 2 }));
    assert_eq!(Context::from_token(&key, &[1; 5]), Err(TokenError::Truncated { bytes: 5 }));
    assert_eq!(Context::from_token(&key, &[1; 8]), Err(TokenError::Truncated { bytes: 8 }));
    assert_eq!(Context::from_token(&key, &[1; 30]), Err(TokenError::Checksum));
}

#[test]
fn a_short_context_has_a_short_token() {
    let mut context = Context::new();
    for node in 1..=3 {
        let actor =
            Actor { node: NodeId(node << 60), incarnation: Incarnation(7), birth: Birth(90) };
        context.insert(Dot { actor, counter: Counter(1) });
    }
    assert_eq!(context.to_token(&Key::from("k")).len(), 1 + 1 + 3 * 15 + 8);
}
