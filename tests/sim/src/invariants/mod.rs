//! What must hold, always and at rest: one property per file, one table of all of them.

mod absence_is_vouched_for;
mod acknowledged_is_durable;
mod acknowledges_what_is_synced;
mod answered_context_is_exact;
mod blind_delete_is_durable;
mod bounded_tables;
mod calls_ask_one_thing;
mod delete_covers_what_was_read;
mod detection_is_right;
mod ends_once_in_time;
mod equal_preference_lists;
mod expiry_is_in_the_record;
mod first_layout_is_kept;
mod heartbeats_are_ones_own;
mod hints_are_counted;
mod hints_come_home;
mod justified_supersession;
mod layouts_settle;
mod losses_are_noticed;
mod marks_are_durable;
mod marks_are_remembered;
mod merge_keeps_everything;
mod moved_away_is_held;
mod moves_what_differs;
mod no_acknowledged_write_lost;
mod no_phantom_value;
mod nobody_is_accused;
mod one_dot_one_content;
mod puts_leave_few_siblings;
mod read_your_writes;
mod replicas_converge;
mod replicas_say_what_they_hold;
mod requests_take_one_detour;
mod retries_are_one;
mod siblings_are_maximal;
mod stand_ins_tell_their_hints;
mod starts_over_for_a_reason;
mod steps_wait_for_all;
mod takes_what_is_its_own;
mod the_dead_stay_dead;
mod trees_match_the_store;
mod truncation_is_careful;
mod truthful_receipt;
mod unasked_gives_nothing;
mod unknown_is_never_refused;
mod who_syncs_holds_all;
mod writable_while_w_are_up;

mod false_claim;
mod invariant;
mod violation;

use quorate_core::message::{CallId, LayoutUpdate};
use quorate_core::time::{Instant, UnixMs};

use crate::disk::Disk;
use crate::oracle::{Carried, Facts};
pub use false_claim::claim_falsely;
pub(crate) use invariant::Invariant;
pub(crate) use violation::Verdict;
pub use violation::Violation;

/// The call of all repairs, merges that nobody waits for: several may be under way.
pub(crate) const REPAIR: CallId = CallId(0);

/// A property: what it is called, what it says, and where it is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name, in lower case with dashes.
    pub name: &'static str,
    /// What it says, exactly.
    pub definition: &'static str,
    /// The section of DESIGN.md or of a paper.
    pub source: &'static str,
}

/// The world at the moment of an observation.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) now: Instant,
    /// What the node that acts reads on its wall clock; without meaning where none does.
    pub(crate) wall: UnixMs,
    pub(crate) layout: &'a LayoutUpdate,
    /// The disks of the nodes, by index.
    pub(crate) disks: &'a [Disk],
    /// Everything so far, this observation included.
    pub(crate) facts: &'a Facts,
    /// The record that this observation brings, if it is worth a look: see [`Facts::carried`].
    pub(crate) carried: Option<Carried<'a>>,
}

/// All properties with their checks, in the order of the table.
pub(crate) fn all() -> Vec<(Property, Box<dyn Invariant + Send>)> {
    vec![
        (
            acknowledged_is_durable::PROPERTY,
            Box::new(acknowledged_is_durable::AcknowledgedIsDurable),
        ),
        (
            blind_delete_is_durable::PROPERTY,
            Box::new(blind_delete_is_durable::BlindDeleteIsDurable),
        ),
        (
            no_acknowledged_write_lost::PROPERTY,
            Box::new(no_acknowledged_write_lost::NoAcknowledgedWriteLost),
        ),
        (hints_come_home::PROPERTY, Box::new(hints_come_home::HintsComeHome)),
        (hints_are_counted::PROPERTY, Box::new(hints_are_counted::HintsAreCounted::default())),
        (justified_supersession::PROPERTY, Box::new(justified_supersession::JustifiedSupersession)),
        (no_phantom_value::PROPERTY, Box::new(no_phantom_value::NoPhantomValue)),
        (one_dot_one_content::PROPERTY, Box::new(one_dot_one_content::OneDotOneContent)),
        (siblings_are_maximal::PROPERTY, Box::new(siblings_are_maximal::SiblingsAreMaximal)),
        (read_your_writes::PROPERTY, Box::new(read_your_writes::ReadYourWrites::default())),
        (truthful_receipt::PROPERTY, Box::new(truthful_receipt::TruthfulReceipt)),
        (ends_once_in_time::PROPERTY, Box::new(ends_once_in_time::EndsOnceInTime::default())),
        (
            unknown_is_never_refused::PROPERTY,
            Box::new(unknown_is_never_refused::UnknownIsNeverRefused),
        ),
        (
            writable_while_w_are_up::PROPERTY,
            Box::new(writable_while_w_are_up::WritableWhileWAreUp::default()),
        ),
        (
            equal_preference_lists::PROPERTY,
            Box::new(equal_preference_lists::EqualPreferenceLists::default()),
        ),
        (
            first_layout_is_kept::PROPERTY,
            Box::new(first_layout_is_kept::FirstLayoutIsKept::default()),
        ),
        (layouts_settle::PROPERTY, Box::new(layouts_settle::LayoutsSettle)),
        (steps_wait_for_all::PROPERTY, Box::new(steps_wait_for_all::StepsWaitForAll::default())),
        (moved_away_is_held::PROPERTY, Box::new(moved_away_is_held::MovedAwayIsHeld)),
        (
            takes_what_is_its_own::PROPERTY,
            Box::new(takes_what_is_its_own::TakesWhatIsItsOwn::default()),
        ),
        (who_syncs_holds_all::PROPERTY, Box::new(who_syncs_holds_all::WhoSyncsHoldsAll::default())),
        (bounded_tables::PROPERTY, Box::new(bounded_tables::BoundedTables::default())),
        (retries_are_one::PROPERTY, Box::new(retries_are_one::RetriesAreOne)),
        (replicas_converge::PROPERTY, Box::new(replicas_converge::ReplicasConverge)),
        (
            delete_covers_what_was_read::PROPERTY,
            Box::new(delete_covers_what_was_read::DeleteCoversWhatWasRead::default()),
        ),
        (
            answered_context_is_exact::PROPERTY,
            Box::new(answered_context_is_exact::AnsweredContextIsExact),
        ),
        (expiry_is_in_the_record::PROPERTY, Box::new(expiry_is_in_the_record::ExpiryIsInTheRecord)),
        (merge_keeps_everything::PROPERTY, Box::new(merge_keeps_everything::MergeKeepsEverything)),
        (
            acknowledges_what_is_synced::PROPERTY,
            Box::new(acknowledges_what_is_synced::AcknowledgesWhatIsSynced),
        ),
        (
            replicas_say_what_they_hold::PROPERTY,
            Box::new(replicas_say_what_they_hold::ReplicasSayWhatTheyHold),
        ),
        (absence_is_vouched_for::PROPERTY, Box::new(absence_is_vouched_for::AbsenceIsVouchedFor)),
        (
            stand_ins_tell_their_hints::PROPERTY,
            Box::new(stand_ins_tell_their_hints::StandInsTellTheirHints::default()),
        ),
        (
            requests_take_one_detour::PROPERTY,
            Box::new(requests_take_one_detour::RequestsTakeOneDetour),
        ),
        (calls_ask_one_thing::PROPERTY, Box::new(calls_ask_one_thing::CallsAskOneThing::default())),
        (
            puts_leave_few_siblings::PROPERTY,
            Box::new(puts_leave_few_siblings::PutsLeaveFewSiblings),
        ),
        (detection_is_right::PROPERTY, Box::new(detection_is_right::DetectionIsRight::default())),
        (
            heartbeats_are_ones_own::PROPERTY,
            Box::new(heartbeats_are_ones_own::HeartbeatsAreOnesOwn::default()),
        ),
        (
            trees_match_the_store::PROPERTY,
            Box::new(trees_match_the_store::TreesMatchTheStore::default()),
        ),
        (moves_what_differs::PROPERTY, Box::new(moves_what_differs::MovesWhatDiffers::default())),
        (the_dead_stay_dead::PROPERTY, Box::new(the_dead_stay_dead::TheDeadStayDead::default())),
        (truncation_is_careful::PROPERTY, Box::new(truncation_is_careful::TruncationIsCareful)),
        (losses_are_noticed::PROPERTY, Box::new(losses_are_noticed::LossesAreNoticed::default())),
        (
            unasked_gives_nothing::PROPERTY,
            Box::new(unasked_gives_nothing::UnaskedGivesNothing::default()),
        ),
        (marks_are_durable::PROPERTY, Box::new(marks_are_durable::MarksAreDurable::default())),
        (
            marks_are_remembered::PROPERTY,
            Box::new(marks_are_remembered::MarksAreRemembered::default()),
        ),
        (
            starts_over_for_a_reason::PROPERTY,
            Box::new(starts_over_for_a_reason::StartsOverForAReason::default()),
        ),
        (nobody_is_accused::PROPERTY, Box::new(nobody_is_accused::NobodyIsAccused)),
    ]
}

/// What a world that begins is held to: all properties, and the false claim while it is made.
pub(crate) fn in_force() -> Vec<(Property, Box<dyn Invariant + Send>)> {
    let mut in_force = all();
    if false_claim::is_made() {
        in_force.push((false_claim::PROPERTY, Box::new(false_claim::NeverAnswers)));
    }
    in_force
}

/// The table of all properties.
pub fn table() -> Vec<Property> {
    all().into_iter().map(|(property, _)| property).collect()
}
