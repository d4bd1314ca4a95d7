//! From what is written to what is meant. Every fault is noted and nothing
//! stops at the first; what leans on a faulty thing is not judged.

mod areas;
mod cap;
mod chat;
mod drill;
mod heartbeat;
mod limits;
mod people;
mod rules;
mod sensors;
mod service;
mod sources;

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_core::ids::{AreaIx, HazardIx, IndexKind, SensorIx};
use forewarn_core::plan::{AlikeTerms, OrderTerms, Plan, Settings};
use forewarn_core::sensing::SOURCES_MAX;
use forewarn_core::time::Span;
use forewarn_core::units::Unit;
use jiff::tz::TimeZone;

use super::Request;
use super::fault::{Fault, Faults, Place, Warning, quote};
use super::names::{Assign, FreshIndices};
use super::plan::{Catalog, Keeping, Setup};
use super::raw::Raw;
use super::raw::forewarn_toml::{self, Main};
use super::raw::secret::SecretRef;
use super::raw::table::At;
use super::raw::words::Length;
use super::secret::Secret;
use super::targets::TargetIds;
use super::zone;

/// What a build makes, apart from faults.
pub(super) struct Built {
    pub(super) setup: Setup,
    pub(super) warnings: Vec<Warning>,
    pub(super) places: Places,
    pub(super) memory_max: u64,
}

/// Where things of the plan were written, for warnings about them.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub(super) rules: BTreeMap<forewarn_core::ids::RuleIx, Place>,
    /// As in the plan.
    pub(super) routes: Vec<Place>,
}

/// A build under way.
pub(super) struct Build<'a> {
    raw: &'a Raw,
    request: &'a Request<'a>,
    indices: &'a mut dyn Assign,
    targets: &'a mut TargetIds,
    faults: &'a mut Faults,
    zone: TimeZone,
    plan: Plan,
    areas: BTreeMap<String, AreaIx>,
    /// As written, for where they lie.
    outlines: BTreeMap<AreaIx, &'a super::raw::areas::Area>,
    sensors: BTreeMap<String, SensorIx>,
    /// What devices send, where it is another unit than the sensor's.
    sent: BTreeMap<SensorIx, Unit>,
    terms: AlikeTerms,
    hazards: BTreeMap<String, HazardIx>,
    warnings: Vec<Warning>,
    places: Places,
}

/// Builds what is meant; `None` when anything is at fault.
pub(super) fn build(
    raw: &Raw,
    request: &Request<'_>,
    indices: &mut dyn Assign,
    targets: &mut TargetIds,
    faults: &mut Faults,
) -> Option<Built> {
    let mut build = Build::begin(raw, request, indices, targets, faults);
    build.areas();
    build.sensors();
    build.rules();
    let addresses = build.people();
    let devices = build.devices();
    let main = raw.main.as_ref()?;
    build.settings(main);
    let service = build.service(main);
    build.apart(main);
    build.claims(main);
    build.few_sources();
    if !build.faults.is_empty() {
        return None;
    }
    let Build { mut plan, sent, warnings, places, .. } = build;
    plan.stations.shrink_to_fit();
    plan.sensors.shrink_to_fit();
    let plan = Arc::new(plan);
    let catalog = Catalog::new(plan.clone(), &sent);
    let setup = service?.setup(plan, catalog, devices, addresses, raw.messages.clone());
    let memory_max =
        main.limits.as_ref().and_then(|limits| limits.memory_max.as_ref()).map_or(MEMORY_MAX, |max| max.0);
    Some(Built { setup, warnings, places, memory_max })
}

/// Where the data stand and how their log is kept; `None` where that is at fault.
pub(super) fn keeping(raw: &Raw, request: &Request<'_>) -> Option<Keeping> {
    let (mut indices, mut targets) = (FreshIndices::default(), TargetIds::counted());
    let mut faults = Faults::default();
    let main = raw.main.as_ref()?;
    let mut build = Build::begin(raw, request, &mut indices, &mut targets, &mut faults);
    let keeping = Keeping { data: build.data(main), log: build.log(main) };
    // A drill must not open what is live.
    if let Some(live) = raw.beside.as_ref().and_then(|beside| beside.live.main.as_ref()) {
        build.data_apart(main, live);
    }
    faults.is_empty().then_some(keeping)
}

/// Memory that sensors and rules may take together unless configured, bytes.
const MEMORY_MAX: u64 = 1 << 30;

fn site_zone(main: &Main, faults: &mut Faults) -> Option<TimeZone> {
    let name = &main.site.zone.value.0;
    let found = zone::zone(name);
    if found.is_none() {
        let place = Place::new(forewarn_toml::FILE, main.site.zone.line);
        let what = format!("site.zone is {}", quote(name));
        let fault = Fault::new(place, what, "a zone such as \"Asia/Shanghai\" or \"Europe/Berlin\"");
        let known = zone::names();
        let fault = match known.is_empty() {
            true => fault.hint("this system has no zones: install tzdata"),
            false if name.to_lowercase().contains("beijing") => fault.hint("did you mean \"Asia/Shanghai\"?"),
            false => fault.nearest(name, known.iter().map(String::as_str)),
        };
        faults.push(fault);
    }
    found
}

impl<'a> Build<'a> {
    fn begin(
        raw: &'a Raw,
        request: &'a Request<'a>,
        indices: &'a mut dyn Assign,
        targets: &'a mut TargetIds,
        faults: &'a mut Faults,
    ) -> Self {
        let zone = raw.main.as_ref().and_then(|main| site_zone(main, faults)).unwrap_or(TimeZone::UTC);
        Build {
            raw,
            request,
            indices,
            targets,
            faults,
            zone,
            plan: Plan::default(),
            areas: BTreeMap::new(),
            outlines: BTreeMap::new(),
            sensors: BTreeMap::new(),
            sent: BTreeMap::new(),
            terms: AlikeTerms::default(),
            hazards: BTreeMap::new(),
            warnings: vec![],
            places: Places::default(),
        }
    }
}

impl Build<'_> {
    /// A source keeps its index for good, also when it has gone; the engine has room for so many.
    fn few_sources(&mut self) {
        let count = self.plan.sources.len();
        if count > SOURCES_MAX {
            let place = Place::new(forewarn_toml::FILE, 1);
            let what = format!("{count} sources have had a name in this data directory");
            let expected = format!("{SOURCES_MAX} at most, those counted that are no more");
            let hint = "give a source that replaces another its name";
            self.faults.push(Fault::new(place, what, expected).hint(hint));
        }
    }

    /// The index of a name.
    fn index(&mut self, kind: IndexKind, name: &str) -> u32 {
        self.indices.index(kind, name)
    }

    /// The hazard of a name.
    fn hazard(&mut self, name: &str) -> HazardIx {
        if let Some(&ix) = self.hazards.get(name) {
            return ix;
        }
        let ix = HazardIx(self.index(IndexKind::Hazard, name));
        self.hazards.insert(name.to_owned(), ix);
        put_name(&mut self.plan.hazards, ix.index(), name);
        ix
    }

    fn fault(&mut self, place: &Place, what: impl Into<String>, expected: impl Into<String>) {
        self.faults.push(Fault::new(place.clone(), what, expected));
    }

    fn warn(&mut self, place: &Place, what: impl Into<String>, hint: impl Into<String>) {
        self.warnings.push(Warning::new(place.clone(), what, hint));
    }

    /// Follows a reference to a secret.
    fn secret(&mut self, reference: &At<SecretRef>) -> Option<Secret> {
        let place = self.at(reference.line);
        match reference.value.resolve(self.request.dir, &place, self.request.env) {
            Ok((secret, warning)) => {
                self.warnings.extend(warning);
                Some(secret)
            }
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    fn settings(&mut self, main: &Main) {
        let defaults = Settings::default();
        let warnings = main.warnings.as_ref();
        let length = forewarn_toml::length;
        let expires = warnings.and_then(|warnings| warnings.expires_after.as_ref());
        let renew = warnings.and_then(|warnings| warnings.renew_before.as_ref());
        let expires_after = length(expires.map(|at| &at.value), defaults.expires_after);
        let renew_before = length(renew.map(|at| &at.value), defaults.renew_before);
        if renew_before >= expires_after {
            let line = renew.or(expires).map_or(0, |at| at.line);
            let what = format!(
                "warnings.renew_before is {renew_before}, not less than expires_after, {expires_after}"
            );
            self.fault(
                &Place::new(forewarn_toml::FILE, line),
                what,
                "less, so that a warning is renewed before it ends",
            );
        }
        let tell_max = warnings.and_then(|warnings| warnings.outage_tell_max.as_ref());
        let future = main.limits.as_ref().and_then(|limits| limits.future_tolerance.as_ref());
        self.plan.settings = Settings {
            site: main.site.name.0.clone(),
            status: self.request.purpose.status(),
            zone: main.site.zone.value.0.clone(),
            offsets: zone::offsets(&self.zone, self.request.at),
            future_tolerance: length(future, defaults.future_tolerance),
            expires_after,
            renew_before,
            outage_tell_max: length(tell_max, defaults.outage_tell_max),
            orders: self.orders(main),
        };
    }

    fn orders(&mut self, main: &Main) -> OrderTerms {
        let defaults = OrderTerms::default();
        let Some(written) = &main.orders else { return defaults };
        let mut within = |key: &str, written: Option<&At<Length>>, default, most: Span| {
            let length = forewarn_toml::length(written.map(|at| &at.value), default);
            if length <= Span::ZERO || length > most {
                let line = written.map_or(0, |at| at.line);
                let what = format!("orders.{key} is {length}");
                self.fault(
                    &Place::new(forewarn_toml::FILE, line),
                    what,
                    format!("more than 0 s, {most} at most"),
                );
            }
            length
        };
        let approve = written.approve_within.as_ref();
        let approve_within = within("approve_within", approve, defaults.approve_within, Span::from_hours(24));
        let most = Span::from_hours(7 * 24);
        let mute_max = within("mute_max", written.mute_max.as_ref(), defaults.mute_max, most);
        let mut send_unapproved = Vec::new();
        for level in written.send_unapproved.iter().flatten() {
            send_unapproved.push(level.value.0);
        }
        OrderTerms { approve_within, send_unapproved, mute_max }
    }
}

/// Puts something into a table by its dense index.
fn put<T>(table: &mut Vec<Option<T>>, index: usize, value: T) {
    if table.len() <= index {
        table.resize_with(index + 1, || None);
    }
    table[index] = Some(value);
}

/// Puts a name into a table by its dense index.
fn put_name(table: &mut Vec<String>, index: usize, name: &str) {
    if table.len() <= index {
        table.resize(index + 1, String::new());
    }
    name.clone_into(&mut table[index]);
}
