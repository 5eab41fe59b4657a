//! The same numbers as the status, in the text format of Prometheus.
//!
//! No types are given: what a name counts up and what it measures is for the machine to decide.

use std::fmt::Write;
use std::time::Duration;

use quorate_core::message::{MemberState, MemberStatus};

use super::status::Look;

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
pub(super) fn render(look: &Look) -> String {
    let status = &look.status;
    let mut text = String::with_capacity(8 * 1024);
    let mut one = |name: &str, value: f64| {
        let _ = writeln!(text, "quorate_{name} {value}");
    };
    one("ready", if look.not_ready.is_none() { 1.0 } else { 0.0 });
    one("uptime_seconds", seconds(status.uptime));
    one("layout_version", status.layout_version.0 as f64);
    one("records", status.records as f64);
    for (name, value) in &status.counters {
        one(name, *value as f64);
    }
    for (name, value) in &status.limits {
        one(&format!("limit_{name}"), *value as f64);
    }
    let members = &status.members;
    of_each(&mut text, "member_connected", members, |member| f64::from(u8::from(member.up)));
    of_each(&mut text, "member_down", members, |member| {
        f64::from(u8::from(member.state == MemberState::Down))
    });
    of_each(&mut text, "member_suspected", members, |member| {
        f64::from(u8::from(member.state == MemberState::Suspected))
    });
    of_each(&mut text, "member_heartbeat", members, |member| member.heartbeat as f64);
    of_each(&mut text, "member_heartbeat_age_seconds", members, |member| {
        seconds(member.heartbeat_age)
    });
    of_each(&mut text, "member_witnesses", members, |member| member.witnesses.len() as f64);
    of_each(&mut text, "member_hints", members, |member| member.hints as f64);
    of_each(&mut text, "member_hint_bytes", members, |member| member.hint_bytes as f64);
    text
}

/// One metric with a line for each member.
fn of_each(
    text: &mut String,
    name: &str,
    members: &[MemberStatus],
    value: impl Fn(&MemberStatus) -> f64,
) {
    for member in members {
        let _ = writeln!(
            text,
            "quorate_{name}{{node=\"{}\",label=\"{}\"}} {}",
            member.id,
            escape(&member.label),
            value(member)
        );
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// A label's value, quoted as the format wants it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_breaks_out_of_its_quotes() {
        assert_eq!(escape("a\"} 1\n\\"), "a\\\"} 1\\n\\\\");
    }
}
