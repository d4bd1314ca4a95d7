//! Contacts become targets, routes say which of them hear of what.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::ids::{IndexKind, StationIx, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{AckTerms, Group, Route, Target};
use forewarn_core::time::Span;

use super::{Build, put};
use crate::config::fault::{Fault, Place, list, nearest, quote};
use crate::config::plan::{Address, Device, Devices};
use crate::config::raw::contacts::Contact;
use crate::config::raw::routes::{self, To};

/// Roles that a message lists.
const ROLES_LISTED: usize = 12;

/// Least and most time that people have to acknowledge, or until they are asked again.
const ACK_MIN: Span = Span::from_secs(1);
const ACK_MAX: Span = Span::from_hours(24);

/// Addresses by target id.
pub(super) type Addresses = BTreeMap<String, Address>;

impl Build<'_> {
    /// Targets, routes, and the operator.
    pub(super) fn people(&mut self) -> Addresses {
        let raw = self.raw;
        let mut addresses = Addresses::new();
        let mut by_contact: BTreeMap<&str, Vec<TargetIx>> = BTreeMap::new();
        for contact in raw.contacts.iter().flat_map(|contacts| &contacts.rows) {
            let targets = self.contact(contact, &mut addresses);
            by_contact.insert(&contact.id, targets);
        }
        if let Some(main) = &raw.main {
            let wanted = &main.operator.contact;
            let place = self.at(wanted.line);
            self.known_contact(&wanted.value.0, &place, "operator.contact");
            self.plan.operator = by_contact.get(wanted.value.0.as_str()).cloned().unwrap_or_default();
        }
        for written in raw.routes.iter().flat_map(|routes| &routes.route) {
            let place = Place::new(raw.files.routes, written.line);
            if let Some(route) = self.route(&written.value, &place) {
                self.plan.routes.push(route);
                self.places.routes.push(place);
            }
        }
        self.unrouted_roles();
        addresses
    }

    fn contact(&mut self, contact: &Contact, addresses: &mut Addresses) -> Vec<TargetIx> {
        let area = contact.area.as_ref().and_then(|area| self.named_area(area, &contact.place));
        let mut targets = vec![];
        for (channel, address) in &contact.addresses {
            let id = contact.target_id.clone().unwrap_or_else(|| self.targets.id(&contact.id, channel));
            let known = Address { address: address.clone(), name: contact.name.clone() };
            if addresses.insert(id.clone(), known).is_some() {
                let what = format!("target_id {} is another contact's", quote(&id));
                self.fault(&contact.place, what, "each target_id once");
            }
            let ix = TargetIx(self.index(IndexKind::Target, &id));
            let target = Target {
                id,
                contact: contact.id.clone(),
                roles: contact.roles.clone(),
                area,
                channel: (*channel).to_owned(),
                language: contact.language.clone(),
                min_level: contact.min_level,
                hours: contact.hours,
            };
            put(&mut self.plan.targets, ix.index(), target);
            targets.push(ix);
        }
        targets
    }

    fn known_contact(&mut self, id: &str, place: &Place, path: &str) {
        let Some(contacts) = self.raw.contacts.as_ref().filter(|contacts| !contacts.named.contains(id))
        else {
            return;
        };
        let what = format!("{path} is {}, who is not in {}", quote(id), self.raw.files.contacts);
        let fault = Fault::new(place.clone(), what, "the id of a contact");
        self.faults.push_nearest(fault, id, contacts.named.iter());
    }

    fn route(&mut self, route: &routes::Route, place: &Place) -> Option<Route> {
        let file = self.raw.files.routes;
        let at = |line| Place::new(file, line);
        let hazard = route.hazard.as_ref().map(|hazard| {
            self.hazard_of_route(&hazard.value.0, &at(hazard.line));
            self.hazard(&hazard.value.0)
        });
        let area = route.area.as_ref().map(|area| self.named_area(&area.value.0, &at(area.line)));
        let group = self.group(&route.to.value, &at(route.to.line), "to");
        let ack = route.ack.as_ref().map(|ack| self.ack(&ack.value, &at(ack.line)));
        if route.via.is_empty() {
            self.fault(place, "route goes via no channel", "via = [\"webhook\", \"email\"], or one of them");
        }
        let via: Vec<String> = route.via.iter().map(|via| via.value.0.clone()).collect();
        if via.iter().collect::<BTreeSet<_>>().len() < via.len() {
            self.fault(place, "route names a channel twice", "each channel once");
        }
        let (from, highest): (Level, Level) = route.level.0;
        // An area that was named and not found is no route for every area.
        let area = match area {
            Some(found) => Some(found?),
            None => None,
        };
        Some(Route {
            hazard,
            area,
            from,
            to: highest,
            hours: route.hours.as_ref().map(|hours| hours.0),
            language: route.language.as_ref().map(|language| language.0.clone()),
            group: group?,
            via,
            ack,
        })
    }

    /// Whom a word of a route means.
    fn group(&mut self, to: &To, place: &Place, path: &str) -> Option<Group> {
        match to {
            To::AreaRole(role) => {
                self.role(role, place);
                Some(Group::AreaRole(role.clone()))
            }
            To::Role(area, role) => {
                self.role(role, place);
                self.named_area(area, place).map(|area| Group::Role(area, role.clone()))
            }
            To::Contact(id) => {
                self.known_contact(id, place, path);
                Some(Group::Contact(id.clone()))
            }
        }
    }

    fn ack(&mut self, ack: &routes::Ack, place: &Place) -> AckTerms {
        let file = self.raw.files.routes;
        let at = |line| Place::new(file, line);
        let again = ack.again.as_ref();
        for (path, length) in [("ack.within", Some(&ack.within)), ("ack.again", again)]
            .into_iter()
            .filter_map(|(path, it)| Some((path, it?)))
        {
            if !(ACK_MIN..=ACK_MAX).contains(&length.value.0) {
                let what = format!("{path} is {}", length.value.0);
                self.fault(&at(length.line), what, format!("from {ACK_MIN} to {ACK_MAX}"));
            }
        }
        if self.raw.main.as_ref().is_some_and(|main| main.site.url.is_none()) {
            let what = "those this route reaches are asked to acknowledge, and site.url is missing";
            self.warn(place, what, "without it no message carries a link to acknowledge with");
        }
        let then = ack.then.iter().flatten();
        AckTerms {
            within: ack.within.value.0,
            then: then.filter_map(|to| self.group(&to.value, &at(to.line), "ack.then")).collect(),
            again: again.map(|again| again.value.0),
        }
    }

    /// A hazard is known by the rules that warn of it.
    fn hazard_of_route(&mut self, name: &str, place: &Place) {
        let rules = &self.raw.rules;
        if rules.torn || rules.written.iter().any(|rule| rule.body.rule.value.hazard.value.0 == name) {
            return;
        }
        let known: BTreeSet<&str> =
            rules.written.iter().map(|rule| rule.body.rule.value.hazard.value.0.as_str()).collect();
        let hint =
            nearest(name, known).map_or(String::new(), |near| format!("did you mean {}?", quote(near)));
        self.warn(
            place,
            format!("no rule warns of hazard {}, so this route carries nothing", quote(name)),
            hint,
        );
    }

    /// A role is known by the contacts who have it.
    fn role(&mut self, role: &str, place: &Place) {
        let Some(contacts) = self.raw.contacts.as_ref() else { return };
        if contacts.roles.contains(role) {
            return;
        }
        let roles = || contacts.roles.iter();
        let what = format!("no contact has role {}, so this route goes to nobody", quote(role));
        let expected = match roles().count() {
            0 => "a role that contacts.csv gives to somebody".to_owned(),
            1..=ROLES_LISTED => format!("one of {}", list(roles())),
            _ => "a role of contacts.csv".to_owned(),
        };
        let mut fault = Fault::new(place.clone(), what, expected);
        if let Some(near) = nearest(role, roles()) {
            fault = fault.hint(format!("did you mean {}, or is it misspelt in contacts.csv?", quote(near)));
        }
        self.faults.push(fault);
    }

    /// A role that no route names and that is nearly one of theirs is misspelt.
    fn unrouted_roles(&mut self) {
        let Some(routes) = self.raw.routes.as_ref() else { return };
        let routed: BTreeSet<&str> = routes
            .route
            .iter()
            .filter_map(|route| match &route.value.to.value {
                To::AreaRole(role) | To::Role(_, role) => Some(role.as_str()),
                To::Contact(_) => None,
            })
            .collect();
        let raw = self.raw;
        for contact in raw.contacts.iter().flat_map(|contacts| &contacts.rows) {
            for role in contact.roles.iter().filter(|role| !routed.contains(role.as_str())) {
                if let Some(near) = nearest(role, routed.iter().copied()) {
                    let what = format!("no route goes to role {}", quote(role));
                    self.warn(&contact.place, what, format!("did you mean {}?", quote(near)));
                }
            }
        }
    }

    /// Who may speak for which stations.
    pub(super) fn devices(&mut self) -> Devices {
        let raw = self.raw;
        let mut devices = Devices::default();
        for written in &raw.devices {
            let mut stations = Vec::with_capacity(written.stations.len());
            for station in &written.stations {
                let Some(sensors) = raw.sensors.as_ref() else { continue };
                if sensors.stations.contains(station) {
                    stations.push(StationIx(self.index(IndexKind::Station, station)));
                    continue;
                }
                let what = format!("station {} is not in sensors.csv", quote(station));
                let fault = Fault::new(written.place.clone(), what, "a station");
                self.faults.push_nearest(fault, station, sensors.stations.iter());
            }
            stations.sort_unstable();
            let device = Device { stations: stations.into(), secret_sha256: written.secret_sha256 };
            devices.by_identity.insert(written.identity.as_str().into(), device);
        }
        devices
    }
}
