//! `layout join`, `leave`, `remove`, `set` and `revert`: what is staged.

use clap::Args;
use quorate_core::ids::NodeId;
use quorate_core::layout::Member;
use quorate_core::message::{
    LayoutOrder, MemberState, MemberStatus, StagedChange, Staging, Target,
};
use serde_json::{Value, json};

use super::super::args::{ReachArgs, block_on};
use super::super::failure::{Failure, Kind};
use super::super::output::{Format, print_json, print_line};
use super::follow::follow;
use super::session::Session;

/// Stage nodes to become members.
///
/// A node that was started with --seed and is no member yet is known to the cluster and holds
/// nothing. Zone and weight are those it was started with, unless they are given here.
#[derive(Debug, Args)]
pub(super) struct Join {
    /// Labels or ids.
    #[arg(required_unless_present = "all", value_name = "NODE")]
    nodes: Vec<String>,
    /// All that are up and no members.
    #[arg(long, conflicts_with = "nodes")]
    all: bool,
    #[command(flatten)]
    role: RoleArgs,
    #[command(flatten)]
    reach: ReachArgs,
}

/// Stage members to leave: they hand over all that they hold, and are members no longer.
///
/// A node that leaves keeps running and answering until it is stopped; `quorate layout show
/// --watch` tells when nothing is left on it. One that is dead is to be removed.
#[derive(Debug, Args)]
pub(super) struct Leave {
    /// Labels or ids.
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    reach: ReachArgs,
}

/// Stage dead members to be removed: the others take over from the replicas that are left.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// Labels or ids.
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// Though a node is up: what it alone holds is given up.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reach: ReachArgs,
}

/// Stage another weight, zone or label of members.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// Labels or ids.
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    role: RoleArgs,
    /// Name for people; of one node.
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    reach: ReachArgs,
}

/// What a node is to be.
#[derive(Debug, Default, Args)]
struct RoleArgs {
    /// Capacity in relation to the other nodes: its share of the slots.
    #[arg(long)]
    weight: Option<u32>,
    /// Failure domain, such as a rack; the replicas of a key are spread over zones.
    #[arg(long)]
    zone: Option<String>,
}

impl RoleArgs {
    /// A member that is as it is, but for this.
    fn of(&self, member: &MemberStatus) -> Target {
        let MemberStatus { id, label, zone, weight, .. } = member.clone();
        Target::Member(self.changed(Member { id, label, zone, weight }))
    }

    /// Likewise; what is staged for it already stays so.
    fn added_to(&self, session: &Session, member: &MemberStatus) -> Target {
        let mut staged = session.report.staging.effective();
        match staged.find(|change| change.node == member.id).map(|change| &change.target) {
            Some(Target::Member(staged)) => Target::Member(self.changed(staged.clone())),
            Some(Target::AsItIs | Target::Gone) | None => self.of(member),
        }
    }

    fn changed(&self, member: Member) -> Member {
        Member {
            zone: self.zone.as_deref().map_or(member.zone, Into::into),
            weight: self.weight.unwrap_or(member.weight),
            ..member
        }
    }
}

impl Join {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Join { nodes, all, role, reach } = self;
        if role.weight == Some(0) {
            let text = "a member of weight 0 is one that leaves: give a weight of 1 or more";
            return Err(Failure::new(Kind::Usage, text));
        }
        stage(reach, output, |session| {
            let layout = &session.head()?.layout;
            let is_new = |member: &MemberStatus| layout.member(member.id).is_none();
            let mut targets = Vec::new();
            for name in &nodes {
                let member =
                    session.named(name, is_new, "is a member already: see `quorate layout set`")?;
                if member.state == MemberState::Down {
                    return Err(Failure::failed(format_args!("{name} is down: start it first")));
                }
                targets.push(member);
            }
            if all {
                let is_up = |member: &&MemberStatus| member.state == MemberState::Up;
                targets.extend(
                    session.seen.members().into_iter().filter(is_up).filter(|it| is_new(it)),
                );
                if targets.is_empty() {
                    return Err(Failure::failed(
                        "all nodes are members: start more with --seed and the address of one",
                    ));
                }
            }
            Ok(targets.into_iter().map(|it| (it.id, role.of(it))).collect())
        })
    }
}

impl Leave {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Leave { nodes, reach } = self;
        stage(reach, output, |session| nodes.iter().map(|name| leaving(session, name)).collect())
    }
}

fn leaving(session: &Session, name: &str) -> Result<(NodeId, Target), Failure> {
    let member = session.named(name, is_member(session)?, NO_MEMBER)?;
    if member.state == MemberState::Down {
        return Err(Failure::failed(format_args!(
            "{name} is down, so it cannot hand anything over: start it again, or give it up with \
             `quorate layout remove {name}`"
        )));
    }
    let role = RoleArgs { weight: Some(0), zone: None };
    Ok((member.id, role.added_to(session, member)))
}

/// Has one node leave, and waits until nothing is left on it.
pub(in super::super) async fn leave(
    reach: ReachArgs,
    name: &str,
    told: Option<Format>,
) -> Result<(), Failure> {
    let mut session = Session::open(reach).await?;
    let target = leaving(&session, name)?;
    let staging = session.stage(LayoutOrder::Stage(vec![target])).await?;
    session.order(LayoutOrder::Commit(staging)).await?;
    follow(session, told).await
}

impl Remove {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Remove { nodes, force, reach } = self;
        stage(reach, output, |session| {
            let target = |name: &String| {
                let member = session.named(name, is_member(session)?, NO_MEMBER)?;
                let is = match member.state {
                    MemberState::Up => "is up",
                    MemberState::Suspected => "may be up",
                    MemberState::Down => "",
                };
                if !is.is_empty() && !force {
                    return Err(Failure::failed(format_args!(
                        "{name} {is}: `quorate layout leave {name}` has it hand over what it \
                         holds; --force gives up what it alone holds"
                    )));
                }
                Ok((member.id, Target::Gone))
            };
            nodes.iter().map(target).collect()
        })
    }
}

impl Set {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Set { nodes, role, label, reach } = self;
        let wrong = |text| Err(Failure::new(Kind::Usage, text));
        if role.weight.is_none() && role.zone.is_none() && label.is_none() {
            return wrong("say what to set: --weight, --zone or --label");
        }
        if label.is_some() && nodes.len() > 1 {
            return wrong("a label is for one node");
        }
        if role.weight == Some(0) {
            return wrong("a member of weight 0 is one that leaves: see `quorate layout leave`");
        }
        stage(reach, output, |session| {
            let target = |name: &String| {
                let member = session.named(name, is_member(session)?, NO_MEMBER)?;
                let mut target = role.added_to(session, member);
                if let (Target::Member(member), Some(label)) = (&mut target, &label) {
                    member.label = label.as_str().into();
                }
                Ok((member.id, target))
            };
            nodes.iter().map(target).collect()
        })
    }
}

/// `layout revert`.
pub(super) fn revert(reach: ReachArgs, output: Format) -> Result<(), Failure> {
    block_on(async {
        let mut session = Session::open(reach).await?;
        let staging = session.stage(LayoutOrder::Revert).await?;
        tell(&session, &staging, output)
    })
}

const NO_MEMBER: &str = "is no member: see `quorate layout join`";

fn is_member(session: &Session) -> Result<impl Fn(&MemberStatus) -> bool + use<'_>, Failure> {
    let layout = &session.head()?.layout;
    Ok(|member: &MemberStatus| layout.member(member.id).is_some())
}

fn stage(
    reach: ReachArgs,
    output: Format,
    targets: impl FnOnce(&Session) -> Result<Vec<(NodeId, Target)>, Failure>,
) -> Result<(), Failure> {
    block_on(async {
        let mut session = Session::open(reach).await?;
        let targets = targets(&session)?;
        let staging = session.stage(LayoutOrder::Stage(targets)).await?;
        tell(&session, &staging, output)
    })
}

fn tell(session: &Session, staging: &Staging, output: Format) -> Result<(), Failure> {
    if output == Format::Json {
        return print_json(&json!({ "staged": staged_json(session, staging) }));
    }
    let lines = staged_lines(session, staging);
    if lines.is_empty() {
        return print_line("nothing is staged");
    }
    print_line(&format!(
        "staged for the layout after {}:\n  {}\nlook at what would move with `quorate layout plan`, \
         then `quorate layout commit`",
        staging.base.version,
        lines.join("\n  ")
    ))
}

/// What is staged, a line for each node.
pub(super) fn staged_lines(session: &Session, staging: &Staging) -> Vec<String> {
    let line = |change: &StagedChange| {
        let by_itself = if change.auto { " by itself" } else { "" };
        let former =
            session.report.live.last().and_then(|update| update.layout.member(change.node));
        match (&change.target, former) {
            (Target::AsItIs, _) => String::new(),
            (Target::Gone, _) => format!("{} is removed{by_itself}", session.label(change.node)),
            (Target::Member(member), None) => format!("{} joins{by_itself}", role(member)),
            (Target::Member(member), Some(_)) if member.weight == 0 => {
                format!("{} leaves", member.label)
            }
            (Target::Member(member), Some(former)) => {
                format!("{} becomes {}", role(former), role(member))
            }
        }
    };
    staging.effective().map(line).collect()
}

/// Zone and weight of a member, for people.
pub(super) fn role(member: &Member) -> String {
    let Member { label, zone, weight, .. } = member;
    match &**zone {
        "" => format!("{label} (weight {weight})"),
        zone => format!("{label} (weight {weight}, zone {zone})"),
    }
}

pub(super) fn staged_json(session: &Session, staging: &Staging) -> Vec<Value> {
    let change = |change: &StagedChange| match &change.target {
        Target::Member(member) => json!({
            "id": change.node.to_string(),
            "label": &*member.label,
            "zone": &*member.zone,
            "weight": member.weight,
            "member": true,
            "auto": change.auto,
        }),
        Target::AsItIs | Target::Gone => json!({
            "id": change.node.to_string(),
            "label": session.label(change.node),
            "member": false,
            "auto": change.auto,
        }),
    };
    staging.effective().map(change).collect()
}
