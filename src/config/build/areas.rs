//! Areas: parents known, no cycle.

use std::collections::BTreeMap;

use forewarn_core::ids::{AreaIx, IndexKind};
use forewarn_core::plan::{Area, Names};

use super::{Build, put};
use crate::config::fault::{Fault, quote};
use crate::config::raw::areas::Area as Written;

impl Build<'_> {
    pub(super) fn areas(&mut self) {
        let Some(written) = self.raw.areas.as_ref() else { return };
        let parents: BTreeMap<&str, &str> = written
            .areas
            .iter()
            .filter_map(|area| Some((area.id.as_str(), area.parent.as_deref()?)))
            .collect();
        for area in &written.areas {
            let ix = AreaIx(self.index(IndexKind::Area, &area.id));
            self.areas.insert(area.id.clone(), ix);
            self.outlines.insert(ix, area);
        }
        for area in &written.areas {
            self.parent(area, &parents);
            let parent = area.parent.as_ref().and_then(|parent| self.areas.get(parent).copied());
            let names = names(area.name_zh.as_deref(), area.name_en.as_deref());
            let ix = self.areas[&area.id];
            put(&mut self.plan.areas, ix.index(), Area { id: area.id.clone(), names, parent });
        }
    }

    fn parent(&mut self, area: &Written, parents: &BTreeMap<&str, &str>) {
        let Some(parent) = area.parent.as_deref() else { return };
        let known = self.raw.areas.as_ref().is_some_and(|areas| areas.named.contains(parent));
        if !known {
            let what = format!("area {} lies in {}, which is not there", quote(&area.id), quote(parent));
            let fault = Fault::new(area.place.clone(), what, "the id of another area");
            self.faults.push_nearest(fault, parent, self.areas.keys().map(String::as_str));
            return;
        }
        // Every chain ends within as many steps as there are areas, or goes round.
        let mut around = Some(parent);
        for _ in 0..=parents.len() {
            match around {
                Some(id) if id == area.id => {
                    let what = format!("area {} lies in itself, through {}", quote(&area.id), quote(parent));
                    return self.fault(&area.place, what, "parents without a cycle");
                }
                Some(id) => around = parents.get(id).copied(),
                None => return,
            }
        }
    }
}

/// Names by language; what is not given is left out.
pub(super) fn names(zh: Option<&str>, en: Option<&str>) -> Names {
    [("zh", zh), ("en", en)].into_iter().filter_map(|(language, name)| Some((language, name?))).collect()
}
