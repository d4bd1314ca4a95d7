//! Who hears of what, by a reference written from the plan's words alone: every
//! route against every target.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::event::Input;
use forewarn_core::ids::{AreaIx, OutputId, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{Group, Plan, Target};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, Cell, Death, Kind, Outcome, Reason, Revision};
use proptest::prelude::*;

use crate::world::{Deed, Run, calm, histories, outcome, plan, revisions, variant};

/// Whom the plan routes a warning to.
pub fn routed(plan: &Plan, cell: Cell, level: Level, civil: Timestamp) -> BTreeSet<TargetIx> {
    let local = plan.settings.local(civil).as_secs();
    let minute = (local / 60 % (24 * 60)) as u16;
    let open = |hours: Option<(u16, u16)>| match hours {
        None => true,
        Some((from, to)) if from < to => from <= minute && minute < to,
        Some((from, to)) if from == to => true,
        Some((from, to)) => minute >= from || minute < to,
    };
    let mut chain = vec![cell.area];
    while let Some(parent) = plan.areas[chain[chain.len() - 1].index()].as_ref().and_then(|area| area.parent)
    {
        chain.push(parent);
    }
    let everyone: Vec<(TargetIx, &Target)> = plan
        .targets
        .iter()
        .enumerate()
        .filter_map(|(ix, it)| Some((TargetIx(ix as u32), it.as_ref()?)))
        .collect();
    let in_role = |role: &str, area: Option<AreaIx>| -> Vec<(TargetIx, &Target)> {
        everyone
            .iter()
            .copied()
            .filter(|(_, it)| it.roles.contains(&role.to_owned()) && it.area == area)
            .collect()
    };
    let mut due = BTreeSet::new();
    for route in &plan.routes {
        let holds = route.hazard.is_none_or(|hazard| hazard == cell.hazard)
            && route.area.is_none_or(|area| chain.contains(&area))
            && level >= route.from
            && level <= route.to
            && open(route.hours);
        if !holds {
            continue;
        }
        let group = match &route.group {
            Group::Contact(contact) => {
                everyone.iter().copied().filter(|(_, it)| it.contact == *contact).collect()
            }
            Group::Role(area, role) => in_role(role, Some(*area)),
            Group::AreaRole(role) => {
                let near =
                    chain.iter().map(|&area| in_role(role, Some(area))).find(|found| !found.is_empty());
                near.unwrap_or_else(|| in_role(role, None))
            }
        };
        due.extend(
            group
                .into_iter()
                .filter(|(_, it)| {
                    level >= it.min_level
                        && open(it.hours)
                        && (route.via.is_empty() || route.via.contains(&it.channel))
                        && route.language.as_ref().is_none_or(|language| *language == it.language)
                })
                .map(|(ix, _)| ix),
        );
    }
    due
}

/// What one target has been due of one warning, and what never left.
#[derive(Debug, Default)]
struct Heard {
    due: BTreeSet<u32>,
    superseded: BTreeSet<u32>,
    /// With an outcome: a delivery has one, the first that the log holds.
    settled: BTreeSet<u32>,
    erased: bool,
}

/// Every warning's hearers.
#[derive(Debug, Default)]
struct Ledger(BTreeMap<OutputId, BTreeMap<TargetIx, Heard>>);

impl Ledger {
    /// Who must be due this revision under this plan.
    fn expected(&self, revision: &Revision, plan: &Plan) -> BTreeSet<TargetIx> {
        let heard = self.0.get(&revision.warning);
        let earlier = heard.into_iter().flatten().filter(|(_, heard)| {
            let attempted = heard.due.iter().any(|number| !heard.superseded.contains(number));
            attempted || !revision.kind.is_last()
        });
        let mut expected: BTreeSet<TargetIx> = earlier.map(|(&target, _)| target).collect();
        let unheard = heard.is_none_or(|heard| heard.values().all(|heard| heard.erased));
        match revision.about {
            About::Incident(cell) => {
                let first = matches!(revision.reason, Reason::Raised | Reason::Upgraded);
                if first || revision.kind == Kind::Alert || (revision.kind == Kind::Update && unheard) {
                    expected.extend(routed(plan, cell, revision.level, revision.sent));
                }
            }
            About::Trouble(_) if revision.kind != Kind::AllClear || heard.is_none() => {
                expected.extend(&plan.operator);
            }
            About::Trouble(_) | About::NotifyTest | About::Manual(_) | About::Canary(_) => {}
        }
        expected.retain(|target| heard.and_then(|heard| heard.get(target)).is_none_or(|heard| !heard.erased));
        expected
    }

    fn record(&mut self, revision: &Revision) {
        let heard = self.0.entry(revision.warning).or_default();
        for due in &revision.due {
            heard.entry(due.target).or_default().due.insert(revision.number);
        }
    }

    fn outcome(&mut self, input: &Input) {
        let Input::Outcome(it) = input else { return };
        let Some(heard) = self.0.get_mut(&it.warning).and_then(|heard| heard.get_mut(&it.target)) else {
            return;
        };
        if !heard.settled.insert(it.number) {
            heard.erased |= it.outcome == Outcome::Dead(Death::Erased);
            return;
        }
        match it.outcome {
            Outcome::Superseded => drop(heard.superseded.insert(it.number)),
            Outcome::Dead(Death::Erased) => {
                heard.superseded.insert(it.number);
                heard.erased = true;
            }
            Outcome::Accepted | Outcome::Dead(Death::Rejected | Death::Expired | Death::Forbidden) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A warning goes to exactly those the plan in force routes it to, and to
    /// those who were due it before; its end to those of them whom anything reached.
    ///
    /// Failed when `AreaRole` looked no further than the area itself, and when
    /// `Sent::due` left out earlier targets.
    #[test]
    fn a_warning_goes_to_those_routed_and_those_before(
        deeds in histories(prop_oneof![
            12 => calm(),
            2 => outcome(),
            1 => prop::sample::select(vec![0u8, 1, 3]).prop_map(|which| Deed::Plan(which, false)),
        ]),
    ) {
        let mut run = Run::new(plan());
        let (mut in_force, mut ledger) = (plan(), Ledger::default());
        for deed in &deeds {
            let from = run.log.len();
            if let Deed::Plan(which, _) = deed {
                // What is due by now is due under the former plan.
                run.at = run.at + Span::from_secs(1);
                run.drain();
                check(&run, from, &in_force, &mut ledger)?;
                in_force = variant(*which);
                run.at = run.at - Span::from_secs(1);
            }
            let from = run.log.len();
            run.act(deed);
            check(&run, from, &in_force, &mut ledger)?;
        }
    }
}

fn check(run: &Run, from: usize, plan: &Plan, ledger: &mut Ledger) -> Result<(), TestCaseError> {
    for (event, decided) in &run.log[from..] {
        ledger.outcome(&event.input);
        for revision in revisions(decided) {
            let due: BTreeSet<TargetIx> = revision.due.iter().map(|due| due.target).collect();
            prop_assert_eq!(due.len(), revision.due.len(), "each once");
            prop_assert_eq!(&due, &ledger.expected(revision, plan), "{:?}", revision);
            ledger.record(revision);
        }
    }
    Ok(())
}
