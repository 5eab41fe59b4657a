//! Attacks with what operators ask of nodes about the layout, and what they are answered.

use super::{Attack, GOSSIP, NONE, attack, field, fixed64, number, text};

const STAGE: &[u32] = &[21, 5];
const COMMIT: &[u32] = &[21, 7];
const GOSSIP_STAGING: &[u32] = &[14, 14];
const REPORT: &[u32] = &[22, 3];
const REPORT_LAYOUT: &[u32] = &[22, 3, 1];
const REPORT_STAGING: &[u32] = &[22, 3, 4];
const REPORT_WAITS: &[u32] = &[22, 3, 5];
const FIGURES: &[u32] = &[22, 4];
const PAST: &[u32] = &[22, 5];
const PAST_LAYOUT: &[u32] = &[22, 5, 1];
const STAGED: &[u32] = &[22, 6];
const PACKED_PEERS: &[u32] = &[22, 3, 5, 2];
const PACKED_SLOTS: &[u32] = &[22, 4, 1];
const PACKED_BYTES: &[u32] = &[22, 4, 3];

pub(super) fn changes() -> Vec<Attack> {
    vec![
        attack("changes to stage", STAGE, NONE, |_| field(1, &[])),
        attack("changes to stage with texts", STAGE, NONE, |n| {
            let member = [text(2), text(3), text(5)].concat();
            field(1, &[fixed64(1, n), field(4, &member)].concat())
        }),
        attack("changes to commit", COMMIT, NONE, |_| field(3, &[])),
        attack("changes to commit in order", COMMIT, NONE, |n| field(3, &fixed64(1, n))),
        attack("changes to commit in order with texts", COMMIT, NONE, |n| {
            let member = [text(2), text(3), text(5)].concat();
            field(3, &[fixed64(1, n), field(4, &member)].concat())
        }),
        attack("changes in a gossip in order", GOSSIP_STAGING, NONE, |n| field(3, &fixed64(1, n))),
        attack("changes that are staged in order", STAGED, NONE, |n| field(3, &fixed64(1, n))),
        attack("changes in a report in order", REPORT_STAGING, NONE, |n| field(3, &fixed64(1, n))),
        attack("marks of a gossip", GOSSIP, NONE, |_| field(13, &[])),
        attack("marks of a gossip with a node each", GOSSIP, NONE, |n| field(13, &fixed64(1, n))),
        attack("marks of a gossip with a hash each", GOSSIP, NONE, |_| {
            field(13, &field(3, &[1; 16]))
        }),
        attack("layouts of a report", REPORT, NONE, |_| field(1, &[])),
        attack("members of the layout of a report", REPORT_LAYOUT, NONE, |_| field(3, &[])),
        attack("marks of a report", REPORT, NONE, |_| field(3, &[])),
        attack("slots to fill", REPORT, NONE, |_| field(5, &[])),
        attack("slots to fill with a peer each", REPORT, NONE, |n| field(5, &fixed64(2, n))),
        attack("slots to fill with five peers each", REPORT, NONE, |n| {
            field(5, &fixed64(2, n).repeat(5))
        }),
        attack("slots to give with packed peers", REPORT, NONE, |_| field(6, &field(2, &[0; 16]))),
        attack("slots to fill and to give", REPORT, NONE, |n| field(5 + (n % 2) as u32, &[])),
        attack("peers of one slot", REPORT_WAITS, NONE, |n| fixed64(2, n)),
        attack("packed peers of one slot", PACKED_PEERS, NONE, |_| vec![0; 8]),
        attack("packed slots of figures", PACKED_SLOTS, NONE, |_| vec![0]),
        attack("packed bytes of figures", PACKED_BYTES, NONE, |_| vec![0]),
        attack("figures one by one", FIGURES, NONE, |n| number(1 + (n % 3) as u32, n)),
        attack("layouts of the past", PAST, NONE, |_| field(1, &[])),
        attack("layouts of the past with a member each", PAST, NONE, |_| field(1, &field(4, &[]))),
        attack("members that joined", PAST_LAYOUT, NONE, |_| field(4, &[])),
        attack("members that left, with texts", PAST_LAYOUT, NONE, |_| {
            field(5, &[text(2), text(3), text(5)].concat())
        }),
        attack("members that changed", PAST_LAYOUT, NONE, |n| field(6, &fixed64(1, n))),
        attack("answers about layouts that replace each other", &[], NONE, |n| match n % 2 {
            0 => field(22, &field(3, &[field(4, &field(3, &[])), field(5, &[])].concat())),
            _ => field(22, &field(5, &field(1, &field(4, &[])))),
        }),
    ]
}
