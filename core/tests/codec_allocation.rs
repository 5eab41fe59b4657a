//! What decoding costs in memory, counted by the allocator: hostile frames stay cheap.
//!
//! Every place where a few bytes could become many is attacked with the shortest frame that the
//! guard lets through, and with one element more than a vector of a power of two holds, where a
//! growing vector is at its worst.
#![allow(unsafe_code, reason = "a global allocator is unsafe to implement")]

#[path = "codec_allocation/changes.rs"]
mod changes;
#[path = "codec_allocation/collections.rs"]
mod collections;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use changes::changes;
use collections::collections;
use quorate_core::codec::{DecodeError, decode};
use quorate_core::limits::FRAME_BYTES_MAX;

/// Bytes that may be allocated at one time for each byte of a frame.
const PEAK_PER_BYTE_MAX: usize = 32;

/// Bytes that may be allocated in all for each byte of a frame.
const TOTAL_PER_BYTE_MAX: usize = 48;

/// Bytes that may be allocated for the shortest frame.
const GRANTED: usize = 20 * 1024;

/// Bytes that a valid layout may take besides: the primaries of the most slots and the greatest N,
/// once, whatever the length of its frame.
const LAYOUT_BYTES_MAX: usize = 65_536 * 16 * size_of::<u64>();

/// Counts what the current thread allocates. One that grows counts at its old and its
/// new place, one that shrinks stays where it is.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Clone, Copy, Default)]
struct Count {
    live: isize,
    peak: isize,
    total: isize,
}

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { live: 0, peak: 0, total: 0 }) };
}

fn count(taken: usize, given_back: usize) {
    // The cell is gone while its thread ends: nothing is measured there.
    let _ = COUNT.try_with(|cell| {
        let mut count = cell.get();
        count.live += taken as isize;
        count.total += taken as isize;
        count.peak = count.peak.max(count.live);
        count.live -= given_back as isize;
        cell.set(count);
    });
}

// SAFETY: all calls go to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() {
            count(size, layout.size());
        } else {
            count(0, layout.size() - size);
        }
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What decoding one frame allocated.
#[derive(Clone, Copy, Debug)]
struct Cost {
    peak: usize,
    total: usize,
    refused: bool,
}

fn cost(frame: &[u8]) -> Cost {
    assert!(frame.len() <= FRAME_BYTES_MAX);
    let frame = Bytes::copy_from_slice(frame);
    // The frame itself is the receiver's: it outlives the message and is not counted.
    let kept = frame.clone();
    COUNT.set(Count::default());
    let message = decode(frame);
    let Count { peak, total, .. } = COUNT.get();
    let refused = message.is_err();
    drop((message, kept));
    Cost { peak: peak as usize, total: total as usize, refused }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field of bytes: a message, a text, packed numbers.
fn field(tag: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 12);
    varint(u64::from(tag) << 3 | 2, &mut out);
    varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

fn number(tag: u32, number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(tag) << 3, &mut out);
    varint(number, &mut out);
    out
}

fn fixed64(tag: u32, number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(tag) << 3 | 1, &mut out);
    out.extend_from_slice(&number.to_le_bytes());
    out
}

/// Something that is repeated inside messages within messages.
struct Attack {
    name: &'static str,
    /// The tags of the messages around it, outermost first.
    path: &'static [u32],
    /// The fields of the innermost message before the first repetition.
    head: fn() -> Vec<u8>,
    /// The repetition of that number, with its tag.
    element: fn(u64) -> Vec<u8>,
}

const NONE: fn() -> Vec<u8> = Vec::new;

const WELCOME_LAYOUT: &[u32] = &[2, 7];
const REPLY_LAYOUT: &[u32] = &[7, 3];
const REPLY_RECEIPT: &[u32] = &[7, 4];
const REPLY_ENTRY: &[u32] = &[7, 6];
const READ_RECORD: &[u32] = &[9, 3];
const MERGE_RECORD: &[u32] = &[10, 3];
const MERGE_HISTORY: &[u32] = &[10, 3, 1];
const MERGE_SEEN: &[u32] = &[10, 3, 1, 2];
const STATUS: &[u32] = &[13];
const STATUS_MEMBER: &[u32] = &[13, 11];
const WELCOME: &[u32] = &[2];
const REPLY: &[u32] = &[7];
const GOSSIP: &[u32] = &[14];
const GOSSIP_PULSE: &[u32] = &[14, 4];
const GOSSIP_LAYOUT: &[u32] = &[14, 8];
const BRANCHES: &[u32] = &[15, 4];
const LEAF_STATES: &[u32] = &[15, 5];
const OUTLINES: &[u32] = &[15, 6];
const OUTLINE: &[u32] = &[15, 6, 2];
const OUTLINE_HISTORY: &[u32] = &[15, 6, 2, 2];
const BRANCHES_DIFFER: &[u32] = &[16, 2];
const LEAF_DIFFERS: &[u32] = &[16, 3];
const RECORDS_GIVEN: &[u32] = &[16, 4];
const PACKED_LIVE: &[u32] = &[15, 6, 2, 2, 4];
const PACKED_BUSY: &[u32] = &[16, 2, 2];
const PACKED_OWNERS: &[u32] = &[2, 7, 4];
const PACKED_NODES: &[u32] = &[7, 4, 2];
const PACKED_NUMBERS: &[u32] = &[10, 3, 1, 2, 2];

fn text(tag: u32) -> Vec<u8> {
    field(tag, b"x")
}

fn actor(birth: u64) -> Vec<u8> {
    field(1, &number(3, birth))
}

fn attack(
    name: &'static str,
    path: &'static [u32],
    head: fn() -> Vec<u8>,
    element: fn(u64) -> Vec<u8>,
) -> Attack {
    Attack { name, path, head, element }
}

fn attacks() -> Vec<Attack> {
    let with_actor = || actor(7);
    let one_owner = || [number(2, 1), field(4, &[0])].concat();
    let mut attacks = vec![
        attack("members of a welcome", WELCOME_LAYOUT, NONE, |_| field(3, &[])),
        attack("members of a reply", REPLY_LAYOUT, NONE, |_| field(3, &[])),
        attack("members with texts", REPLY_LAYOUT, NONE, |_| {
            field(3, &[text(2), text(3), text(5)].concat())
        }),
        attack("members in order", REPLY_LAYOUT, one_owner, |n| field(3, &fixed64(1, n))),
        attack("members in order with texts", REPLY_LAYOUT, one_owner, |n| {
            field(3, &[fixed64(1, n), text(2), text(3), text(5)].concat())
        }),
        attack("packed owners", PACKED_OWNERS, NONE, |_| vec![0]),
        attack("owners one by one", WELCOME_LAYOUT, NONE, |_| number(4, 0)),
        attack("nodes of a receipt", REPLY_RECEIPT, NONE, |n| fixed64(2, n)),
        attack("packed nodes", PACKED_NODES, NONE, |_| vec![0; 8]),
        attack("two lists of a receipt", REPLY_RECEIPT, NONE, |n| fixed64(2 + (n % 2) as u32, n)),
        attack("values", REPLY_ENTRY, NONE, |_| field(1, &[])),
        attack("values of one byte", REPLY_ENTRY, NONE, |_| field(1, &text(1))),
        attack("histories of an answer that is not readable", READ_RECORD, NONE, |_| field(1, &[])),
        attack("histories of a merge", MERGE_RECORD, NONE, |_| field(1, &[])),
        attack("histories with one live each", MERGE_RECORD, NONE, |_| field(1, &field(4, &[]))),
        attack("histories with one number each", MERGE_RECORD, NONE, |_| {
            field(1, &field(2, &number(2, 3)))
        }),
        attack("histories with an actor only", MERGE_RECORD, NONE, |n| field(1, &actor(n))),
        attack("histories in order", MERGE_RECORD, NONE, |n| {
            field(1, &[actor(n), field(2, &number(1, 1))].concat())
        }),
        attack("histories in order with one number each", MERGE_RECORD, NONE, |n| {
            field(1, &[actor(n), field(2, &number(2, 3))].concat())
        }),
        attack("histories in order with one live each", MERGE_RECORD, NONE, |n| {
            field(1, &[actor(n), field(4, &number(1, 1))].concat())
        }),
        attack("histories in order with five live each", MERGE_RECORD, NONE, |n| {
            let live = (1..=5).flat_map(|counter| field(4, &number(1, counter)));
            field(1, &actor(n).into_iter().chain(live).collect::<Vec<u8>>())
        }),
        attack("live of one history", MERGE_HISTORY, NONE, |_| field(4, &[])),
        attack("live in order", MERGE_HISTORY, with_actor, |n| field(4, &number(1, n + 1))),
        attack("packed numbers", PACKED_NUMBERS, NONE, |_| vec![0]),
        attack("packed numbers of two bytes", PACKED_NUMBERS, NONE, |n| {
            vec![n as u8 | 0x80, (n >> 7) as u8 & 0x7f]
        }),
        attack("histories with five packed numbers", MERGE_RECORD, NONE, |_| {
            field(1, &field(2, &field(2, &[0; 5])))
        }),
        attack("numbers one by one", MERGE_SEEN, NONE, |_| number(2, 3)),
        attack("status members", STATUS, NONE, |_| field(11, &[])),
        attack("status members with texts", STATUS, NONE, |_| {
            field(11, &[text(2), text(3), text(5)].concat())
        }),
        attack("counters", STATUS, NONE, |_| field(12, &[])),
        attack("limits with names", STATUS, NONE, |_| field(13, &text(1))),
        attack("comparisons of a status", STATUS, NONE, |_| field(15, &[])),
        attack("comparisons with a peer each", STATUS, NONE, |n| field(15, &fixed64(2, n))),
        attack("three lists of a status", STATUS, NONE, |n| field(11 + (n % 3) as u32, &[])),
        attack("records that add up", &[10], NONE, |_| field(3, &field(1, &[]))),
        attack("bodies that add up", &[], NONE, |_| field(10, &field(3, &field(1, &[])))),
        attack("bodies that replace each other", &[], NONE, |n| match n % 2 {
            0 => field(10, &field(3, &field(1, &field(4, &[])))),
            _ => field(5, &[]),
        }),
        attack("statuses that replace each other", &[], NONE, |n| match n % 2 {
            0 => field(13, &[text(4), text(8), text(9), field(11, &[]), field(12, &[])].concat()),
            _ => field(5, &[]),
        }),
        attack("texts that replace each other", &[], NONE, |n| match n % 2 {
            0 => field(4, &text(1)),
            _ => field(5, &[]),
        }),
        attack("one text again and again", STATUS, NONE, |_| text(4)),
        attack("nodes that are down in a welcome", WELCOME, || field(6, &[]), |n| fixed64(8, n)),
        attack("nodes that are down in a reply", REPLY, || field(7, &[]), |n| fixed64(9, n)),
        attack("stand-ins", REPLY_RECEIPT, NONE, |_| field(6, &[])),
        attack("stand-ins in a reply in order", REPLY_RECEIPT, NONE, |n| field(6, &fixed64(1, n))),
        attack("status members in order", STATUS, NONE, |_| field(11, &number(9, 1))),
        attack("status members with texts in order", STATUS, NONE, |_| {
            field(11, &[number(9, 1), text(2), text(3), text(5)].concat())
        }),
        attack("status members with a witness each", STATUS, NONE, |n| {
            field(11, &[number(9, 1), fixed64(12, n)].concat())
        }),
        attack("witnesses of a status", STATUS_MEMBER, || number(9, 1), |n| fixed64(12, n)),
        attack("pulses", GOSSIP, NONE, |_| field(4, &[])),
        attack("pulses in order", GOSSIP, NONE, |n| field(4, &fixed64(1, n))),
        attack("pulses with a witness each", GOSSIP, NONE, |n| field(4, &fixed64(4, n))),
        attack("pulses in order with a witness each", GOSSIP, NONE, |n| {
            field(4, &[fixed64(1, n), fixed64(4, n)].concat())
        }),
        attack("pulses in order with five witnesses each", GOSSIP, NONE, |n| {
            field(4, &[fixed64(1, n), fixed64(4, n).repeat(5)].concat())
        }),
        attack("pulses in order with packed witnesses", GOSSIP, NONE, |n| {
            field(4, &[fixed64(1, n), field(4, &[0; 8])].concat())
        }),
        attack("witnesses of one pulse", GOSSIP_PULSE, NONE, |n| fixed64(4, n)),
        attack("members of a gossip", GOSSIP, NONE, |_| field(5, &[])),
        attack("members of a gossip with texts", GOSSIP, NONE, |_| {
            field(5, &[text(4), text(5), text(7)].concat())
        }),
        attack("pulses and members", GOSSIP, NONE, |n| match n % 2 {
            0 => field(4, &fixed64(1, n)),
            _ => field(5, &[text(4), text(5), text(7)].concat()),
        }),
        attack("members wanted", GOSSIP, NONE, |n| fixed64(6, n)),
        attack("members of the layout of a gossip", GOSSIP_LAYOUT, NONE, |_| field(3, &[])),
        attack("branches", BRANCHES, NONE, |_| field(1, &[])),
        attack("branches with a hash each", BRANCHES, NONE, |_| field(1, &field(4, &[1; 16]))),
        attack("states of a leaf", LEAF_STATES, NONE, |_| field(6, &[])),
        attack("states of a leaf with keys", LEAF_STATES, NONE, |_| field(6, &text(1))),
        attack("outlines", OUTLINES, NONE, |_| field(2, &[])),
        attack("outlines with an actor each", OUTLINES, NONE, |n| field(2, &field(2, &actor(n)))),
        attack("histories of an outline", OUTLINE, NONE, |_| field(2, &[])),
        attack("histories of an outline in order", OUTLINE, NONE, |n| field(2, &actor(n))),
        attack("histories of an outline with numbers", OUTLINE, NONE, |n| {
            field(2, &[actor(n), field(2, &number(2, 3)), number(4, 1)].concat())
        }),
        attack("live of an outline", OUTLINE_HISTORY, with_actor, |n| number(4, n + 1)),
        attack("packed live of an outline", PACKED_LIVE, NONE, |_| vec![0]),
        attack("branches that differ", BRANCHES_DIFFER, NONE, |_| field(1, &[])),
        attack("branches that differ in one child", BRANCHES_DIFFER, NONE, |_| {
            field(1, &field(4, &[1; 16]))
        }),
        attack("slots that are busy", PACKED_BUSY, NONE, |_| vec![0]),
        attack("states that differ", LEAF_DIFFERS, NONE, |_| field(1, &[])),
        attack("records given", RECORDS_GIVEN, NONE, |_| field(1, &field(2, &[]))),
        attack("records given with an actor each", RECORDS_GIVEN, NONE, |n| {
            let history = [actor(n), field(2, &number(1, 1))].concat();
            field(1, &field(2, &field(1, &history)))
        }),
        attack("keys wanted", RECORDS_GIVEN, NONE, |_| field(2, &[])),
        attack("keys wanted of one byte", RECORDS_GIVEN, NONE, |_| field(2, b"x")),
        attack("comparisons that replace each other", &[], NONE, |n| match n % 2 {
            0 => field(15, &field(5, &field(6, &text(1)))),
            _ => field(5, &[]),
        }),
        attack("gossips that replace each other", &[], NONE, |n| match n % 2 {
            0 => field(14, &[field(4, &[]), field(5, &text(4)), fixed64(6, n)].concat()),
            _ => field(5, &[]),
        }),
    ];
    attacks.extend(collections());
    attacks.extend(changes());
    attacks
}

/// A frame of `count` repetitions, filled up to `length` with a field that nobody knows.
fn hostile(attack: &Attack, count: u64, length: usize) -> Vec<u8> {
    let mut body = (attack.head)();
    for number in 0..count {
        body.extend_from_slice(&(attack.element)(number));
    }
    filled(wrapped(attack.path, body), length)
}

fn wrapped(path: &[u32], body: Vec<u8>) -> Vec<u8> {
    path.iter().rev().fold(body, |body, tag| field(*tag, &body))
}

fn filled(mut frame: Vec<u8>, length: usize) -> Vec<u8> {
    if frame.len() < length {
        frame.extend(field(100, &vec![0; length - frame.len()]));
    }
    frame
}

/// The shortest frame of `count` repetitions that the guard lets through, to half a per mille;
/// `None` where there is none within the limits.
fn shortest_let_through(attack: &Attack, count: u64) -> Option<Vec<u8>> {
    let bare = hostile(attack, count, 0);
    if bare.len() > FRAME_BYTES_MAX - 8 {
        return None;
    }
    let stopped = Err(DecodeError::Malformed { reason: "too many elements for its length" });
    let let_through = |length: usize| {
        let frame = filled(bare.clone(), length);
        (decode(Bytes::copy_from_slice(&frame)) != stopped).then_some(frame)
    };
    let (mut short, mut long) = (bare.len().saturating_sub(1), FRAME_BYTES_MAX - 8);
    let mut best = let_through(long)?;
    while short + 1 + long / 2_000 < long {
        let middle = short.midpoint(long);
        match let_through(middle) {
            Some(frame) => (best, long) = (frame, middle),
            None => short = middle,
        }
    }
    Some(best)
}

/// Per mille of `length` that `bytes` above what is granted come to.
fn per_mille(bytes: usize, length: usize) -> usize {
    bytes.saturating_sub(GRANTED) * 1_000 / length.max(1)
}

#[derive(Default)]
struct Worst {
    per_mille: usize,
    of: String,
}

impl Worst {
    fn note(&mut self, per_mille: usize, of: impl FnOnce() -> String) {
        if per_mille > self.per_mille {
            *self = Worst { per_mille, of: of() };
        }
    }
}

#[test]
fn hostile_frames_cost_a_small_multiple_of_their_length() {
    let (mut peak, mut total) = (Worst::default(), Worst::default());
    for attack in attacks() {
        let mut let_through = 0;
        for exponent in (1..12).step_by(2).chain(12..=19) {
            let Some(frame) = shortest_let_through(&attack, (1 << exponent) + 1) else { continue };
            let_through += 1;
            let cost = cost(&frame);
            let of = || format!("{}: {} bytes, {cost:?}", attack.name, frame.len());
            peak.note(per_mille(cost.peak, frame.len()), of);
            total.note(per_mille(cost.total, frame.len()), of);
        }
        assert!(let_through > 0, "{} never reaches the decoder", attack.name);
    }
    println!("worst peak, per mille of the frame: {} of {}", peak.per_mille, peak.of);
    println!("worst total, per mille of the frame: {} of {}", total.per_mille, total.of);
    assert!(peak.per_mille <= PEAK_PER_BYTE_MAX * 1_000, "{} {}", peak.per_mille, peak.of);
    assert!(total.per_mille <= TOTAL_PER_BYTE_MAX * 1_000, "{} {}", total.per_mille, total.of);
}

#[test]
fn the_greatest_layout_costs_its_primaries_besides() {
    let members = (1..=16).flat_map(|id| field(3, &fixed64(1, id)));
    let owners = field(4, &(0..16).cycle().take(65_536).collect::<Vec<u8>>());
    let layout: Vec<u8> = number(2, 16).into_iter().chain(members).chain(owners).collect();
    let welcome = [field(6, &[]), field(7, &layout)].concat();
    let failed = field(8, &number(1, 1));
    let reply = [field(3, &layout), failed].concat();
    let gossip = field(8, &layout);
    for frame in [field(2, &welcome), field(7, &reply), field(14, &gossip)] {
        let cost = cost(&frame);
        println!("a layout of {} bytes: {cost:?}", frame.len());
        assert!(!cost.refused);
        let bound = frame.len() * PEAK_PER_BYTE_MAX + GRANTED + LAYOUT_BYTES_MAX;
        assert!(cost.peak <= bound, "{cost:?} of {bound}");
    }
}

#[test]
fn promised_lengths_and_depths_cost_nothing() {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    // A length that nothing stands behind, at every depth of every path.
    for path in attacks().iter().map(|attack| attack.path) {
        for depth in 0..=path.len() {
            for length in [1, u64::from(u32::MAX), 1 << 40, u64::MAX >> 1, u64::MAX] {
                for tag in 1..=22_u64 {
                    let mut body = Vec::new();
                    varint(tag << 3 | 2, &mut body);
                    varint(length, &mut body);
                    frames.push(wrapped(&path[..depth], body));
                }
            }
        }
    }
    // Bodies that nobody knows, each in place of the one before.
    frames.push(field(99, &[]).repeat(FRAME_BYTES_MAX / 3));
    // Messages in messages and groups in groups, also where a field is unknown.
    for tag in [2, 7, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 100] {
        let mut nested = Vec::new();
        for _ in 0..200 {
            nested = field(tag, &nested);
        }
        frames.push(nested);
        let group = |wire_type: u64| {
            let mut key = Vec::new();
            varint(u64::from(tag) << 3 | wire_type, &mut key);
            key.repeat(FRAME_BYTES_MAX / 8)
        };
        frames.push(group(3));
        frames.push([group(3), group(4)].concat());
        frames.push(field(5, &group(3)));
        frames.push(field(5, &[group(3), group(4)].concat()));
    }
    for frame in frames {
        let cost = cost(&frame);
        let bound = 4 * 1024;
        assert!(cost.total <= bound, "{cost:?}: {:02x?}", &frame[..frame.len().min(32)]);
    }
}
