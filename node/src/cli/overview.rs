//! The members of a cluster as one node sees them, for `status` and `members`.

use std::sync::Arc;

use quorate_core::ids::{NodeId, Text};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    Defaults, LayoutUpdate, MemberState, MemberStatus, StatusReply, Welcome,
};
use serde_json::{Value, json};

use super::args::AskOptions;
use super::failure::Failure;
use crate::cluster::{Door, KnockError};
use crate::server::span;

/// What one node said.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) status: StatusReply,
    pub(super) defaults: Defaults,
    /// `None` as long as the cluster has none.
    pub(super) layout: Option<Arc<LayoutUpdate>>,
}

impl Overview {
    /// Asks the seeds, one after the other, until one answers.
    pub(super) async fn ask(options: &AskOptions) -> Result<Overview, Failure> {
        Ok(Overview::meet(options).await?.0)
    }

    /// The same, with the connection to the node that answered.
    pub(super) async fn meet(options: &AskOptions) -> Result<(Overview, Door), Failure> {
        let mut reasons = Vec::new();
        for seed in &options.seeds {
            match Overview::meet_one(seed, options).await {
                Ok(met) => return Ok(met),
                Err(reason) => reasons.push(format!("{seed}: {reason}")),
            }
        }
        Err(Failure::failed(format_args!("no node answers: {}", reasons.join("; "))))
    }

    /// Asks the node at one address.
    pub(super) async fn ask_one(address: &str, options: &AskOptions) -> Result<Overview, String> {
        Ok(Overview::meet_one(address, options).await?.0)
    }

    async fn meet_one(address: &str, options: &AskOptions) -> Result<(Overview, Door), String> {
        let asked = async {
            let mut door = Overview::knock(address, options).await?;
            let status = door.status(true).await?;
            let Welcome { defaults, layout, .. } = door.welcome.clone();
            Ok((Overview { status, defaults, layout }, door))
        };
        asked.await.map_err(|error: KnockError| error.to_string())
    }

    /// A connection to the node at one address, which tells the layout.
    pub(super) async fn knock(address: &str, options: &AskOptions) -> Result<Door, KnockError> {
        let AskOptions { patience, credentials, .. } = options;
        Door::knock(address, credentials.clone(), None, *patience, LayoutVersion(0)).await
    }

    /// The members in the order of people.
    pub(super) fn members(&self) -> Vec<&MemberStatus> {
        let mut members: Vec<_> = self.status.members.iter().collect();
        members.sort_by(|a, b| a.label.cmp(&b.label).then(a.id.cmp(&b.id)));
        members
    }

    /// What people call a member.
    pub(super) fn label(&self, id: NodeId) -> String {
        let member = self.status.members.iter().find(|member| member.id == id);
        member.map_or_else(|| id.to_string(), |member| member.label.to_string())
    }

    /// The labels of those who doubt that a member is alive.
    pub(super) fn witnesses(&self, member: &MemberStatus) -> Vec<String> {
        let labels = member.witnesses.iter().map(|id| self.label(*id));
        let mut labels: Vec<String> = labels.collect();
        labels.sort();
        labels
    }
}

/// How a member stands, in one word for programs.
pub(super) fn state_name(member: &MemberStatus) -> &'static str {
    match member.state {
        MemberState::Up if member.up => "up",
        MemberState::Up => "not connected",
        MemberState::Suspected => "suspected",
        MemberState::Down => "down",
    }
}

/// How a member stands, for people.
pub(super) fn state(member: &MemberStatus) -> String {
    match member.state {
        MemberState::Down => format!("DOWN for {}", span(member.down)),
        MemberState::Up | MemberState::Suspected => state_name(member).to_owned(),
    }
}

/// How long ago the heartbeat of a member rose.
pub(super) fn heartbeat(member: &MemberStatus) -> String {
    match member.heartbeat {
        0 => "never seen".into(),
        _ => format!("{} ago", span(member.heartbeat_age)),
    }
}

/// A limit of a node by its name.
pub(super) fn limit(reply: &StatusReply, name: &str) -> Option<u64> {
    number(&reply.limits, name)
}

/// A count of a node by its name; `None` where a former version does not count that.
pub(super) fn counter(reply: &StatusReply, name: &str) -> Option<u64> {
    number(&reply.counters, name)
}

fn number(numbers: &[(Text, u64)], name: &str) -> Option<u64> {
    numbers.iter().find(|(known, _)| &**known == name).map(|(_, value)| *value)
}

/// A member for programs.
pub(super) fn member_json(overview: &Overview, member: &MemberStatus) -> Value {
    json!({
        "label": &*member.label,
        "id": member.id.to_string(),
        "zone": &*member.zone,
        "weight": member.weight,
        "address": &*member.address,
        "state": state_name(member),
        "up": member.up,
        "heartbeat": member.heartbeat,
        "heartbeat_age_ms": member.heartbeat_age.as_millis() as u64,
        "down_ms": member.down.as_millis() as u64,
        "witnesses": overview.witnesses(member),
        "hints": member.hints,
        "hint_bytes": member.hint_bytes,
        "slots": member.slots,
        "replicas": member.replicas,
    })
}

/// A number of bytes for people.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_their_greatest_unit() {
        let told = [0, 1_023, 1_536, 5 << 20, 3 << 50].map(bytes);
        assert_eq!(told, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "3072.0 TiB"]);
    }
}
