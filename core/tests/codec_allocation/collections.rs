//! Attacks with what members say to each other before anything that was deleted goes.

use super::{Attack, NONE, attack, field, fixed64, text};

const CONFIRM: &[u32] = &[19, 3];
const REMOVE: &[u32] = &[19, 5];
const CONFIRMED: &[u32] = &[20, 2];

pub(super) fn collections() -> Vec<Attack> {
    vec![
        attack("keys that are looked for", CONFIRM, NONE, |_| field(1, &[])),
        attack("keys of one byte that are looked for", CONFIRM, NONE, |_| field(1, b"x")),
        attack("floors", CONFIRM, NONE, |_| field(3, &[])),
        attack("floors with a node each", CONFIRM, NONE, |n| field(3, &fixed64(1, n))),
        attack("keys and floors", CONFIRM, NONE, |n| field(1 + 2 * (n % 2) as u32, &[])),
        attack("records that are to go", REMOVE, NONE, |_| field(1, &[])),
        attack("records that are to go, with a state", REMOVE, NONE, |_| {
            field(1, &[text(1), field(2, &[1; 16])].concat())
        }),
        attack("states that are held", CONFIRMED, NONE, |_| field(1, &[])),
        attack("states of 16 bytes that are held", CONFIRMED, NONE, |_| {
            field(1, &field(1, &[1; 16]))
        }),
        attack("collections that replace each other", &[], NONE, |n| match n % 2 {
            0 => field(19, &field(3, &[field(1, b"x"), field(3, &[])].concat())),
            _ => field(20, &field(2, &field(1, &[]))),
        }),
    ]
}
