//! A conversation with one node about the layout.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use quorate_core::ids::NodeId;
use quorate_core::message::{
    LayoutAnswer, LayoutOrder, LayoutReport, LayoutUpdate, MemberStatus, Staging,
};

use super::super::args::{AskOptions, ReachArgs};
use super::super::failure::{Failure, Kind};
use super::super::overview::Overview;
use crate::cluster::Door;

/// Time for one answer of a node; a large plan takes a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// One node that answers, and what it knows.
pub(super) struct Session {
    pub(super) seen: Overview,
    pub(super) report: LayoutReport,
    door: Door,
    options: AskOptions,
}

impl Session {
    /// Asks the seeds, one after the other, until one answers.
    pub(super) async fn open(reach: ReachArgs) -> Result<Session, Failure> {
        Session::with(reach.ask_options(PATIENCE)).await
    }

    async fn with(options: AskOptions) -> Result<Session, Failure> {
        let (seen, door) = Overview::meet(&options).await?;
        let mut session = Session { seen, report: LayoutReport::default(), door, options };
        session.look().await?;
        Ok(session)
    }

    /// Asks the node; its refusal is the failure.
    pub(super) async fn order(&mut self, order: LayoutOrder) -> Result<LayoutAnswer, Failure> {
        let reply = self.door.layout(order).await.map_err(Failure::failed)?;
        reply.result.map_err(Failure::failed)
    }

    /// Asks once more how far the layouts are.
    pub(super) async fn look(&mut self) -> Result<(), Failure> {
        if let LayoutAnswer::Report(report) = self.order(LayoutOrder::Show).await? {
            self.report = report;
        }
        Ok(())
    }

    /// The same of everything that it knows. Where the node went away another one is asked.
    pub(super) async fn refresh(&mut self) -> Result<(), Failure> {
        let looked = async {
            self.seen.status = self.door.status(false).await.map_err(Failure::failed)?;
            self.look().await
        };
        if looked.await.is_err() {
            let addresses = self.seen.status.members.iter().map(|it| it.address.to_string());
            let mut options = self.options.clone();
            options.seeds.extend(addresses);
            *self = Session::with(options).await?;
        }
        Ok(())
    }

    /// The newest layout.
    pub(super) fn head(&self) -> Result<&LayoutUpdate, Failure> {
        let none = || {
            Failure::failed(
                "the cluster has no layout yet: it is made as soon as all nodes of --found have met",
            )
        };
        self.report.live.last().map(|update| &**update).ok_or_else(none)
    }

    /// Says what nodes are to be, or takes that back.
    pub(super) async fn stage(&mut self, order: LayoutOrder) -> Result<Staging, Failure> {
        let LayoutAnswer::Staged(staging) = self.order(order).await? else {
            return Err(Failure::failed("the node answers something else than what is staged"));
        };
        Ok(staging)
    }

    /// Asks each member of the layouts in force; of one that does not answer, why.
    pub(super) async fn ask_all(
        &self,
        order: LayoutOrder,
    ) -> BTreeMap<NodeId, Result<LayoutAnswer, String>> {
        let mut addresses: BTreeMap<NodeId, String> = BTreeMap::new();
        for update in &self.report.live {
            let members = update.layout.members().iter().zip(&update.addresses);
            addresses.extend(members.map(|(member, address)| (member.id, address.to_string())));
        }
        let asked = addresses.into_iter().map(async |(id, address)| {
            let answer = self.ask_one(id, &address, order.clone()).await;
            (id, answer)
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn ask_one(
        &self,
        id: NodeId,
        address: &str,
        order: LayoutOrder,
    ) -> Result<LayoutAnswer, String> {
        let door = Overview::knock(address, &self.options).await;
        let mut door = door.map_err(|error| error.to_string())?;
        if door.welcome.node != id {
            return Err(format!("at {address} another node answers"));
        }
        let reply = door.layout(order).await.map_err(|error| error.to_string())?;
        reply.result
    }

    /// What people call a node.
    pub(super) fn label(&self, id: NodeId) -> String {
        let layouts = self.report.live.iter().rev();
        let member = layouts.filter_map(|update| update.layout.member(id)).next();
        member.map_or_else(|| self.seen.label(id), |member| member.label.to_string())
    }

    /// The one node that a label or an id names, of those that `belongs` takes.
    pub(super) fn named(
        &self,
        name: &str,
        belongs: impl Fn(&MemberStatus) -> bool,
        otherwise: &str,
    ) -> Result<&MemberStatus, Failure> {
        let members = self.seen.members();
        let is_named =
            |member: &&MemberStatus| *member.label == *name || member.id.to_string() == name;
        let named: Vec<&MemberStatus> = members.iter().copied().filter(is_named).collect();
        let found: Vec<&MemberStatus> = named.iter().copied().filter(|it| belongs(it)).collect();
        let listed = |members: &[&MemberStatus]| {
            let labels = members.iter().map(|member| &*member.label);
            labels.collect::<Vec<_>>().join(", ")
        };
        let wrong = |text| Err(Failure::new(Kind::Usage, text));
        match (&found[..], &named[..]) {
            ([member], _) => Ok(member),
            ([], []) => {
                let there: Vec<_> = members.iter().copied().filter(|it| belongs(it)).collect();
                let there = match &*listed(&there) {
                    "" => "there is none to choose from".into(),
                    there => format!("choose from {there}"),
                };
                wrong(format!("nobody has heard of {name}: {there}"))
            }
            ([], _) => wrong(format!("{name} {otherwise}")),
            (several, _) => {
                let ids =
                    several.iter().map(|member| format!("{} at {}", member.id, member.address));
                wrong(format!(
                    "several nodes are called {name}: give the id of one: {}",
                    ids.collect::<Vec<_>>().join(", ")
                ))
            }
        }
    }
}
