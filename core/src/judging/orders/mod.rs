//! What people order beside the rules: warnings by hand, mutes, notes, and how
//! they end. Decided in step, so that two who click at once decide once.

mod drafts;
mod hand;
mod mutes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::{Decode, Encode};

pub(super) use self::mutes::Mutes;
use super::AreaStage;
use super::decide::Stamp;
use crate::authority::By;
use crate::event::{Command, Decision};
use crate::ids::OutputId;
use crate::orders::{Draft, Note, Quiet, Refusal, Stage};
use crate::time::{Span, Timestamp};

/// Drafts that wait at once.
const WAITING_MAX: usize = 64;

/// Drafts that were decided on and are kept, so that whoever comes late hears so.
const DECIDED_KEPT: usize = 64;

/// Notes of one warning that wait for its next revision.
const NOTES_MAX: usize = 8;

/// Something whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Order {
    /// A draft: its approvers are reminded, or its time is up.
    #[n(0)]
    Draft(#[n(0)] OutputId),
    /// A warning by hand: its end is near, or here.
    #[n(1)]
    Warning(#[n(0)] OutputId),
    /// A mute: it begins or ends.
    #[n(2)]
    Mute(#[n(0)] OutputId),
}

/// A warning by hand that stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Standing {
    /// Engine time of its stated end.
    #[n(0)]
    ends: Timestamp,
    /// Engine time at which that is said; `None` once it was.
    #[n(1)]
    says: Option<Timestamp>,
}

/// Drafts, warnings by hand, and notes.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Orders {
    #[n(0)]
    drafts: BTreeMap<OutputId, Draft>,
    /// Drafts that were decided on, the oldest first.
    #[n(1)]
    decided: VecDeque<OutputId>,
    #[n(2)]
    standing: BTreeMap<OutputId, Standing>,
    /// By warning: what its next revision says besides.
    #[n(3)]
    notes: BTreeMap<OutputId, Vec<String>>,
    /// What came due and is not decided on yet.
    #[n(4)]
    rung: BTreeSet<Order>,
    /// That on which the log records something else than this version decides:
    /// taken up again at the next start.
    #[n(5)]
    deferred: BTreeSet<Order>,
    /// The number of the newest draft or mute.
    #[n(6)]
    numbered: u32,
}

impl Orders {
    /// What is due by itself, and when.
    fn dues(&self) -> impl Iterator<Item = (Timestamp, Order)> {
        let drafts = self.drafts.iter().filter_map(|(&id, it)| Some((it.due?, Order::Draft(id))));
        let standing = self.standing.iter().map(|(&id, it)| (it.says.unwrap_or(it.ends), Order::Warning(id)));
        drafts.chain(standing)
    }

    pub(super) fn next_rung(&self) -> Option<Order> {
        self.rung.first().copied()
    }

    pub(super) fn take(&mut self, order: Order) {
        self.rung.remove(&order);
    }

    pub(super) fn defer(&mut self, order: Order) {
        self.deferred.insert(order);
    }

    /// The service started: its own downtime took nobody's time to approve.
    pub(super) fn started(&mut self, downtime: Span) {
        self.rung.append(&mut self.deferred);
        for draft in self.drafts.values_mut().filter(|draft| draft.due.is_some()) {
            draft.since = draft.since + downtime;
            draft.due = draft.due.map(|due| due + downtime);
        }
    }

    /// A restored directory acts again: from here on people have their whole time.
    pub(super) fn restart(&mut self, at: Timestamp, within: Span) {
        for draft in self.drafts.values_mut().filter(|draft| draft.due.is_some()) {
            (draft.since, draft.due) = (at, Some(at + within));
        }
    }

    /// A draft is now so.
    fn set(&mut self, draft: &Draft) {
        if draft.stage != Stage::Waiting {
            self.decided.push_back(draft.id);
        }
        self.drafts.insert(draft.id, draft.clone());
        while self.decided.len() > DECIDED_KEPT {
            if let Some(oldest) = self.decided.pop_front() {
                self.drafts.remove(&oldest);
            }
        }
    }
}

impl AreaStage {
    /// Every draft that waits, and those decided on lately.
    pub fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.orders.drafts.values()
    }

    /// When some order is due by itself.
    pub(super) fn orders_due(&self) -> Option<Timestamp> {
        let is_known =
            |order: &Order| self.orders.rung.contains(order) || self.orders.deferred.contains(order);
        // Held, nothing is sent and nobody can approve; but a mute ends all the same.
        let orders = self.orders.dues().filter(|_| !self.held);
        let mutes = self.mutes.dues().map(|(due, id)| (due, Order::Mute(id)));
        orders.chain(mutes).filter(|(_, order)| !is_known(order)).map(|(due, _)| due).min()
    }

    /// Takes up what has come due.
    pub(super) fn ring_orders(&mut self, at: Timestamp) {
        let orders = self.orders.dues().filter(|_| !self.held);
        let mutes = self.mutes.dues().map(|(due, id)| (due, Order::Mute(id)));
        let due =
            orders.chain(mutes).filter(|(due, order)| *due <= at && !self.orders.deferred.contains(order));
        let rung: Vec<Order> = due.map(|(_, order)| order).collect();
        self.orders.rung.extend(rung);
    }

    /// What follows where something has come due.
    pub(super) fn decide_order(&self, order: Order, stamp: &Stamp) -> Vec<Decision> {
        match order {
            Order::Draft(id) => self.decide_draft(id, stamp),
            Order::Warning(id) => self.decide_standing(id, stamp),
            Order::Mute(id) => self.decide_mute(id, stamp),
        }
    }

    /// What follows from an order; the reason where it is refused.
    pub(super) fn decide_asked(
        &self,
        command: &Command,
        by: &By,
        stamp: &Stamp,
    ) -> Result<Vec<Decision>, Refusal> {
        match command {
            Command::Correct(warning, texts) => self.correct(*warning, texts, stamp),
            Command::Propose(proposal) => self.propose(proposal, by, stamp),
            Command::Approve(draft, digest) => self.approve(*draft, *digest, by, stamp),
            Command::Withdraw(draft, reason) => self.withdraw(*draft, reason, by),
            Command::Unmute(mute) => self.unmute(*mute, by),
            Command::Note(warning, text) => self.note(*warning, text, by, stamp),
            Command::End(warning, ending, text) => self.end(*warning, *ending, text, stamp),
            // What was there before orders were is decided where it always was.
            Command::NotifyTest(..)
            | Command::AllClear(..)
            | Command::Cancel(..)
            | Command::Resend(..)
            | Command::Resume
            | Command::Acknowledge(..) => Ok(Vec::new()),
        }
    }

    /// A decision about an order is now so.
    pub(super) fn apply_order(&mut self, decision: &Decision) {
        match decision {
            Decision::Drafted(draft) => {
                self.orders.numbered = self.orders.numbered.max(draft.number);
                self.orders.set(draft);
                let report = self.waiting_report(draft);
                self.troubles.report(report);
            }
            Decision::Muted(mute) => {
                let report = self.mute_report(mute);
                self.orders.numbered = self.orders.numbered.max(mute.number);
                self.mutes.set(mute);
                self.troubles.report(report);
                // What it hid is told now, or what goes on is hidden.
                if mute.silence.quiet == Quiet::Muted {
                    let warned = self.cells.iter().filter(|(_, state)| state.warning.is_some());
                    self.dirty.extend(warned.map(|(&cell, _)| cell));
                }
            }
            Decision::Noted(Note { warning: Some(warning), text, .. }) => {
                let notes = self.orders.notes.entry(*warning).or_default();
                notes.push(text.clone());
                let over = notes.len().saturating_sub(NOTES_MAX);
                notes.drain(..over);
            }
            Decision::Lapsed(warning) => {
                self.orders.standing.remove(warning);
                self.orders.notes.remove(warning);
                self.asking.set(*warning, &[]);
                self.tell_unacknowledged(*warning);
                self.warnings.end(*warning);
            }
            _ => {}
        }
    }
}
