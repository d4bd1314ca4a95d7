//! How warnings are published as CAP alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_core::ids::AreaIx;

use super::Build;
use super::service::host;
use crate::config::Purpose;
use crate::config::plan::{Cap, Outline};
use crate::config::raw::cap::is_plain;
use crate::config::raw::forewarn_toml::Main;

/// What a sender begins with that says it drills, where nobody wrote one.
const DRILL: &str = "drill.";

impl Build<'_> {
    pub(super) fn cap(&mut self, main: &Main) -> Cap {
        let Some(written) = &main.cap else {
            return Cap { sender: self.sender(main), ..Cap::default() };
        };
        let written = &written.value;
        let of = |(hazard, category): (&String, &crate::config::raw::table::At<_>)| {
            (hazard.clone(), category.value)
        };
        Cap {
            public: written.public.unwrap_or(false),
            sender: written.sender.as_ref().map_or_else(|| self.sender(main), |it| it.value.0.clone()),
            oid: written.oid.as_ref().map(|oid| oid.value.0.clone()),
            categories: written.categories.iter().flatten().map(of).collect(),
        }
    }

    /// Who sends alerts where nobody wrote it.
    fn sender(&self, main: &Main) -> String {
        let url = main.site.url.as_ref().and_then(|url| reqwest::Url::parse(&url.0).ok());
        let named = url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(host);
        let plain: String = named.chars().filter(|c| is_plain(*c)).collect();
        let name = if plain.is_empty() { Cap::default().sender } else { plain };
        match self.request.purpose {
            Purpose::Live => name,
            Purpose::Drill | Purpose::Play if name.starts_with(DRILL) => name,
            Purpose::Drill | Purpose::Play => format!("{DRILL}{name}"),
        }
    }

    /// Where each area lies.
    pub(super) fn lie(&self) -> Arc<BTreeMap<AreaIx, Outline>> {
        let outline = |(ix, area): (&AreaIx, &&crate::config::raw::areas::Area)| {
            (*ix, Outline { polygons: area.outer().cloned().collect(), geocode: area.geocode.clone() })
        };
        Arc::new(self.outlines.iter().map(outline).collect())
    }
}
