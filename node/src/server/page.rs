//! The page that a node shows to people: whole in itself, without scripts, in light and dark.

use std::fmt::Write;
use std::time::Duration;

use quorate_core::message::{MemberState, MemberStatus};

use super::report::span;
use super::status::Look;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1c2330;--dim:#5b6577;--bg:#f6f7f9;--card:#fff;--line:#dde1e8;\
--up:#0a7a3d;--down:#b3261e}\
@media(prefers-color-scheme:dark){:root{--fg:#e7eaf0;--dim:#9aa4b5;--bg:#12151b;--card:#1a1f28;\
--line:#2c3340;--up:#4cc38a;--down:#ff8a80}}\
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);\
font:15px/1.5 system-ui,sans-serif}main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}p{margin:.25rem 0}\
.dim{color:var(--dim)}.up{color:var(--up)}.down{color:var(--down);font-weight:600}\
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{text-align:left;padding:.4rem .75rem;border-bottom:1px solid var(--line);white-space:nowrap}\
tr:last-child td{border-bottom:0}th{font-weight:600;color:var(--dim)}.n{text-align:right}\
code{font-family:ui-monospace,monospace;font-size:.92em}\
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.5rem;margin:0}\
.grid div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.5rem .75rem}\
dt{color:var(--dim);font-size:.85rem}dd{margin:0;font-variant-numeric:tabular-nums}";

/// The page as HTML.
pub(super) fn render(look: &Look) -> String {
    let status = &look.status;
    let mut page = String::with_capacity(8 * 1024);
    let label = escape(&status.label);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"5\">\
         <title>{label} · Quorate</title><style>{STYLE}</style></head><body><main>\
         <h1>{label}</h1>"
    );
    let _ = match &look.not_ready {
        None => write!(page, "<p class=\"up\">ready</p>"),
        Some(reason) => write!(page, "<p class=\"down\">not ready: {}</p>", escape(reason)),
    };
    let _ = write!(
        page,
        "<p class=\"dim\">{} · storage {} · up for {} · R={} W={}</p>\
         <p class=\"dim\">cluster <code>{}</code> · node <code>{}</code></p>",
        escape(&status.software),
        escape(&status.storage),
        duration(status.uptime),
        look.r,
        look.w,
        status.cluster,
        status.node,
    );
    members(&mut page, look);
    let own = [("records".into(), status.records), ("layout".into(), status.layout_version.0)];
    numbers(&mut page, "Counts since the start", &[&own, &status.counters[..]].concat());
    numbers(&mut page, "Limits", &status.limits);
    page.push_str("</main></body></html>");
    page
}

fn members(page: &mut String, look: &Look) {
    let mut members: Vec<_> = look.status.members.iter().collect();
    members.sort_by(|a, b| a.label.cmp(&b.label));
    let up = members.iter().filter(|member| state(member).0 == "up").count();
    let _ = write!(
        page,
        "<h2>Members: {up} of {} up</h2><div class=\"scroll\"><table><thead><tr><th>Node</th>\
         <th>State</th><th class=\"n\">Heartbeat</th><th class=\"n\">Hints here</th>\
         <th>Zone</th><th class=\"n\">Weight</th><th class=\"n\">Owns slots</th>\
         <th class=\"n\">Holds slots</th><th>Address</th></tr></thead><tbody>",
        members.len()
    );
    for member in members {
        let MemberStatus { label, zone, weight, address, slots, replicas, hints, .. } = member;
        let (class, text) = state(member);
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"{class}\">{}</td><td class=\"n\">{} ago</td>\
             <td class=\"n\">{hints}</td><td>{}</td><td class=\"n\">{weight}</td>\
             <td class=\"n\">{slots}</td><td class=\"n\">{replicas}</td><td><code>{}</code></td></tr>",
            escape(label),
            escape(&text),
            span(member.heartbeat_age),
            escape(zone),
            escape(address),
        );
    }
    page.push_str("</tbody></table></div>");
}

/// How a member stands, as a style and in words.
fn state(member: &MemberStatus) -> (&'static str, String) {
    match member.state {
        MemberState::Down => ("down", format!("down for {}", span(member.down))),
        MemberState::Suspected => ("down", "suspected".into()),
        MemberState::Up if member.up => ("up", "up".into()),
        MemberState::Up => ("down", "not connected".into()),
    }
}

fn numbers<T: AsRef<str>>(page: &mut String, title: &str, numbers: &[(T, u64)]) {
    let _ = write!(page, "<h2>{title}</h2><dl class=\"grid\">");
    for (name, value) in numbers {
        let name = escape(name.as_ref()).replace('_', " ");
        let _ = write!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    page.push_str("</dl>");
}

fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_member_says_becomes_markup() {
        assert_eq!(escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn durations_are_short() {
        let shown = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(
            [shown(59), shown(60), shown(7_260), shown(90_000)],
            ["59 s", "1 min", "2 h 1 min", "1 d 1 h"]
        );
    }
}
