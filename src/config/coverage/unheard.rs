//! Addresses that no warning ever goes to: somebody entered them, and relies on them.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::plan::Plan;

use super::few;
use crate::config::fault::{Place, Warning};
use crate::config::raw::contacts;

/// Warns of addresses that neither a route nor its stand-ins lead to, and that are not the operator's.
pub(super) fn advise(plan: &Plan, heard: &BTreeSet<String>, warnings: &mut Vec<Warning>) {
    let mut unheard: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (target, ix) in plan.targets.iter().zip(0..) {
        let Some(target) = target else { continue };
        if !heard.contains(&target.id) && !plan.operator.iter().any(|operator| operator.0 == ix) {
            unheard.entry(&target.channel).or_default().push(&target.contact);
        }
    }
    for (channel, contacts) in unheard {
        let what =
            format!("no route leads to {} by {channel}, so nothing is ever told there", few(&contacts));
        let hint = "check roles, area, min_level and hours, and to and via in routes.toml";
        warnings.push(Warning::new(Place::new(contacts::FILE, 0), what, hint));
    }
}
