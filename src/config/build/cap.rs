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

/// The host of the site's address.
fn named(main: &Main) -> Option<String> {
    let url = reqwest::Url::parse(&main.site.url.as_ref()?.0).ok()?;
    url.host_str().map(str::to_owned)
}

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
        let plain: String = named(main).unwrap_or_else(host).chars().filter(|c| is_plain(*c)).collect();
        let name = if plain.is_empty() { Cap::default().sender } else { plain };
        match self.request.purpose {
            Purpose::Live => name,
            Purpose::Drill | Purpose::Play if name.starts_with(DRILL) => name,
            Purpose::Drill | Purpose::Play => format!("{DRILL}{name}"),
        }
    }

    /// Whoever reads alerts tells drills by their sender too.
    pub(super) fn alerts_apart(&mut self, own: &Main, live: &Main) {
        let written = |main: &Main| main.cap.as_ref().and_then(|cap| cap.value.sender.clone());
        let (Some(own), Some(live)) =
            (written(own), written(live).map(|it| it.value.0).or_else(|| named(live)))
        else {
            return;
        };
        if own.value.0.eq_ignore_ascii_case(&live) {
            let what = "cap.sender is the live sender of alerts".to_owned();
            self.shared(own.line, what, "a sender of its own, that nobody takes for the live one");
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
