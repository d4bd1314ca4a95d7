//! What a reload comes to: what is in force while it is under way, and what the
//! engine made of it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use forewarn_core::event::{Decision, Input};
use forewarn_core::plan::{Plan, Target};

use super::desk::cell_word;
use super::opening::{self, Drafted, Orphan};
use super::service::Options;
use crate::config::Loaded;
use crate::config::plan::Setup;
use crate::config::targets::TargetIds;
use crate::driver::inbox::Answer;
use crate::log::Indices;

/// The configuration, read again.
pub(super) struct Reread {
    pub(super) loaded: Loaded,
    /// What brings its plan into force, where that is another than the one that is.
    pub(super) change: Option<Vec<Input>>,
    /// The tables of names with those that are new.
    pub(super) names: (Indices, TargetIds),
}

/// Reads the configuration under the names that are known. Of many sensors it takes a second.
pub(super) fn reread(
    options: &Options,
    data: &Path,
    names: (Indices, TargetIds),
    in_force: &Arc<Plan>,
    orphan: Orphan,
) -> anyhow::Result<Reread> {
    let (mut indices, mut targets) = names;
    let mut draft = Drafted::new(&mut indices);
    let mut loaded = opening::load(options, &mut draft, &mut targets)?;
    let assigned = draft.assigned;
    targets.save(data).context("table of target ids")?;
    let change = opening::plan_change(data, &loaded.setup.plan, assigned, in_force.id(), orphan)?;
    if change.is_none() {
        loaded.setup.share(in_force);
    }
    Ok(Reread { loaded, change, names: (indices, targets) })
}

/// What is in force while a plan is on its way into the log: the old setup with
/// the targets and addresses of the new one as well. The courier must know them
/// before the log names them, and intake must not name new sensors before then.
pub(super) fn bridge(old: &Setup, new: &Setup) -> Setup {
    let mut bridge = old.clone();
    let mut addresses = (*old.addresses).clone();
    addresses.extend(new.addresses.iter().map(|(id, address)| (id.clone(), address.clone())));
    bridge.addresses = Arc::new(addresses);
    let targets = both(&old.plan.targets, &new.plan.targets);
    bridge.plan = Arc::new(Plan { targets, ..(*old.plan).clone() });
    bridge
}

/// The new targets, and the old ones that are not among them; an index is its target's for good.
fn both(old: &[Option<Target>], new: &[Option<Target>]) -> Vec<Option<Target>> {
    let at = |targets: &[Option<Target>], ix: usize| targets.get(ix).cloned().flatten();
    (0..old.len().max(new.len())).map(|ix| at(new, ix).or_else(|| at(old, ix))).collect()
}

pub(super) fn refusal(answer: Option<&Answer>) -> Option<String> {
    let Some(answer) = answer else { return Some("the service is stopping".into()) };
    if answer.quarantined {
        return Some("the engine stumbled over the new plan; see `forewarn quarantine`".into());
    }
    answer.decisions.iter().find_map(|decision| match decision {
        Decision::PlanRefused(why) => Some(why.clone()),
        Decision::Incident(_)
        | Decision::Revision(_)
        | Decision::WouldHave(_)
        | Decision::Trouble(_)
        | Decision::Resumed
        | Decision::Resent { .. }
        | Decision::Asked { .. }
        | Decision::Acknowledged { .. }
        | Decision::Refused(_)
        | Decision::Drafted(_)
        | Decision::Muted(_)
        | Decision::Noted(_)
        | Decision::Lapsed(_)
        | Decision::Canary(_) => None,
    })
}

/// The cells whose incident a change of plan left without a rule.
pub(super) fn orphaned(decisions: &[Decision], plan: &Plan) -> Vec<String> {
    let alone = |decision: &Decision| match decision {
        Decision::Incident(incident) if incident.orphaned => Some(cell_word(plan, incident.cell)),
        Decision::Incident(_)
        | Decision::Revision(_)
        | Decision::WouldHave(_)
        | Decision::Trouble(_)
        | Decision::PlanRefused(_)
        | Decision::Resumed
        | Decision::Resent { .. }
        | Decision::Asked { .. }
        | Decision::Acknowledged { .. }
        | Decision::Refused(_)
        | Decision::Drafted(_)
        | Decision::Muted(_)
        | Decision::Noted(_)
        | Decision::Lapsed(_)
        | Decision::Canary(_) => None,
    };
    decisions.iter().filter_map(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::sample::target;
    use crate::app::service::Timekeeping;
    use crate::config::Purpose;

    #[test]
    fn a_plan_that_did_not_change_is_kept_once() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let options = Options {
            config: Path::new(env!("CARGO_MANIFEST_DIR")).join("config"),
            data: Some(data.path().to_owned()),
            purpose: Purpose::Live,
            time: Timekeeping::System,
        };
        let targets = TargetIds::open(data.path()).expect("a new table");
        let read = |names, in_force: &Arc<Plan>| {
            reread(&options, data.path(), names, in_force, Orphan::Refuse).expect("the example is sound")
        };
        let Reread { loaded, change, names } = read((Indices::default(), targets), &Arc::default());
        assert!(change.is_some(), "there was no such plan before");
        let in_force = loaded.setup.plan.clone();
        drop((loaded, change));
        let Reread { loaded, change, .. } = read(names, &in_force);
        assert!(change.is_none() && Arc::ptr_eq(&loaded.setup.plan, &in_force));
        // Here, in the setup and in its catalog, which has let its own go.
        assert_eq!(Arc::strong_count(&in_force), 3);
        assert!(loaded.setup.catalog.sensor("qj-02", "level").is_some());
    }

    #[test]
    fn while_a_plan_is_on_its_way_the_targets_of_both_are_known() {
        let old = [target("t-1", "it"), target("t-2", "gone"), None];
        let new = [target("t-1", "moved"), None, None, target("t-4", "new")];
        let known = both(&old, &new);
        let contacts: Vec<_> = known.iter().map(|it| it.as_ref().map(|it| it.contact.as_str())).collect();
        assert_eq!(contacts, [Some("moved"), Some("gone"), None, Some("new")]);
    }
}
