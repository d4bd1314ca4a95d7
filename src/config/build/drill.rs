//! What a drill must not share with what is live beside it: data, ports,
//! sender, secrets, topics, devices. An address of people may be shared
//! knowingly.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path as Folder, PathBuf};

use super::Build;
use super::sources::loopback;
use crate::config::Purpose;
use crate::config::fault::{Fault, Place, quote};
use crate::config::plan::{Admits, DRILL_TOPIC, is_drill_topic};
use crate::config::raw::chat;
use crate::config::raw::contacts::{Contact, ROBOTS};
use crate::config::raw::drill::Live;
use crate::config::raw::forewarn_toml::{Main, Mqtt};
use crate::config::raw::secret::SecretRef;
use crate::config::raw::table::At;

impl Build<'_> {
    /// Which readings count.
    pub(super) fn admits(&self) -> Admits {
        let mirror = self.raw.beside.as_ref().is_some_and(|beside| beside.mirror);
        match (self.request.purpose, mirror) {
            (Purpose::Live, _) => Admits::Real,
            (Purpose::Drill, false) => Admits::Drilled,
            (Purpose::Drill, true) | (Purpose::Play, _) => Admits::All,
        }
    }

    /// Compares a drill with what is live beside it.
    pub(super) fn apart(&mut self, own: &Main) {
        let raw = self.raw;
        let Some(beside) = &raw.beside else {
            return self.live_topics(own);
        };
        let Live { main, contacts, devices } = &beside.live;
        if let Some(live) = main {
            self.data_apart(own, live);
            self.ports_apart(own, live);
            self.sender_apart(own, live);
            self.alerts_apart(own, live);
            self.secrets_apart(own, live);
            self.topics_apart(own, live);
        }
        self.people_apart(contacts);
        let known: BTreeSet<[u8; 32]> = devices.iter().map(|device| device.secret_sha256).collect();
        for device in raw.devices.iter().filter(|device| known.contains(&device.secret_sha256)) {
            let what = format!("device {} has the secret of a live one", quote(&device.identity));
            let fault = Fault::new(device.place.clone(), what, "a secret of its own");
            let hint = "take the row out, then: forewarn devices add IDENTITY --stations ID,ID --drill";
            self.faults.push(fault.hint(hint));
        }
    }

    pub(super) fn shared(&mut self, line: u32, what: String, expected: &str) {
        let place = self.at(line);
        self.fault(&place, what, expected);
    }

    pub(super) fn data_apart(&mut self, own: &Main, live: &Main) {
        let (line, folder) = (own.data.as_ref().map_or(0, |data| data.line), self.data(own));
        if plain(&folder) == plain(&self.written_data(live)) {
            let what = format!("data of the drill is {}, where the live data stand", folder.display());
            self.shared(line, what, "a folder of its own");
        }
    }

    fn ports_apart(&mut self, own: &Main, live: &Main) {
        let taken: Vec<SocketAddr> = ports(live).into_iter().map(|(_, _, port)| port).collect();
        for (name, line, port) in ports(own) {
            if taken.iter().any(|it| clash(*it, port)) {
                self.shared(line, format!("{name} is {port}, a port of the live service"), "another port");
            }
        }
    }

    /// What one service listens on itself.
    pub(super) fn ports_once(&mut self, main: &Main) {
        let ports = ports(main);
        for (nth, (name, line, port)) in ports.iter().enumerate() {
            if let Some((taker, ..)) = ports[..nth].iter().find(|(.., it)| clash(*it, *port)) {
                self.shared(*line, format!("{name} is {port}, a port of {taker}"), "another port");
            }
        }
    }

    fn sender_apart(&mut self, own: &Main, live: &Main) {
        let (Some(own), Some(live)) = (&own.email, &live.email) else { return };
        let sender = |from: &str| {
            let mailbox = from.parse::<lettre::message::Mailbox>().ok();
            mailbox.map(|mailbox| mailbox.email.to_string().to_lowercase())
        };
        let from = &own.value.from;
        if sender(&from.value.0).is_some_and(|own| sender(&live.value.from.value.0) == Some(own)) {
            self.shared(
                from.line,
                "email.from is the live sender".to_owned(),
                "a sender of its own, that nobody takes for the live one",
            );
        }
    }

    /// By where they stand, not by what they are: a drill is given no live secret, not even to compare.
    fn secrets_apart(&mut self, own: &Main, live: &Main) {
        let taken = secrets(live);
        for (name, reference) in secrets(own) {
            if taken.iter().any(|(_, it)| it.value.is(&reference.value)) {
                let what = format!("{name} is a secret of the live service");
                self.shared(reference.line, what, "one of its own");
            }
        }
    }

    fn topics_apart(&mut self, own: &Main, live: &Main) {
        let mirror = self.raw.beside.as_ref().is_some_and(|beside| beside.mirror);
        for (name, mqtt) in sessions(own) {
            for topic in mqtt.topic.iter().filter(|topic| !mirror && !is_drill_topic(&topic.value.0)) {
                let what = format!("topic {} of source {} is no drill's", quote(&topic.value.0), quote(name));
                let place = self.at(topic.line);
                let fault = Fault::new(place, what, format!("one below {DRILL_TOPIC}/"));
                self.faults.push(fault.hint("mirror = true lets a drill follow live gauges"));
            }
            let same = |live: &&Mqtt| {
                (&live.url.value.host, live.url.value.port) == (&mqtt.url.value.host, mqtt.url.value.port)
            };
            let Some(client_id) = &mqtt.client_id else { continue };
            let mut ids =
                sessions(live).map(|(_, live)| live).filter(same).filter_map(|live| live.client_id.as_ref());
            if ids.any(|live| live.0 == client_id.0) {
                self.shared(
                    mqtt.url.line,
                    format!("client_id of source {} is the live one's at that broker", quote(name)),
                    "another, or none: the broker would end the live session",
                );
            }
        }
    }

    /// A live service takes nothing from the topics of drills.
    fn live_topics(&mut self, live: &Main) {
        if self.request.purpose != Purpose::Live {
            return;
        }
        for (name, mqtt) in sessions(live) {
            for topic in mqtt.topic.iter().filter(|topic| is_drill_topic(&topic.value.0)) {
                let what = format!("topic {} of source {} is a drill's", quote(&topic.value.0), quote(name));
                self.shared(topic.line, what, "one that is not below drill/: nothing from there counts live");
            }
        }
    }

    /// Somebody may be meant to take part; that is written, so that nobody is by oversight.
    fn people_apart(&mut self, live: &[Contact]) {
        let raw = self.raw;
        let by_address: BTreeMap<String, &str> = live
            .iter()
            .flat_map(|contact| contact.addresses.iter().map(move |(channel, it)| (contact, channel, it)))
            // A robot's name says nothing of the group it speaks in; its address is a secret and compared as one.
            .filter(|(_, channel, _)| !ROBOTS.contains(channel))
            .map(|(contact, _, it)| (it.to_lowercase(), &*contact.id))
            .collect();
        for contact in raw.contacts.iter().flat_map(|contacts| &contacts.rows).filter(|it| !it.takes_part) {
            for (channel, address) in
                contact.addresses.iter().filter(|(channel, _)| !ROBOTS.contains(channel))
            {
                let Some(whose) = by_address.get(&address.to_lowercase()) else { continue };
                let what = format!(
                    "{channel} of {} is the address of live contact {}",
                    quote(&contact.id),
                    quote(whose)
                );
                let hint = "yes in takes_part if they are to be in the drill, or an address for drills";
                self.warn(&contact.place, what, hint);
            }
        }
    }

    /// No text of a drill says that it is none, and none of a live service does
    /// either: it would stand in the next drill's messages.
    pub(super) fn claims(&mut self, main: &Main) {
        let raw = self.raw;
        let site = Place::new(crate::config::raw::forewarn_toml::FILE, 0);
        let names = raw.contacts.iter().flat_map(|contacts| &contacts.rows);
        let texts = [(site, main.site.name.0.as_str())]
            .into_iter()
            .chain(names.map(|contact| (contact.place.clone(), contact.name.as_str())));
        let found: Vec<(Place, &str)> =
            texts.filter_map(|(place, text)| Some((place, crate::channels::words::denial(text)?))).collect();
        for (place, phrase) in found {
            self.fault(&place, format!("{} stands in a name", quote(phrase)), "words that fit a drill too");
        }
    }
}

/// A path as far as it can be told without what is not there yet.
fn plain(path: &Folder) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => _ = plain.pop(),
            std::path::Component::CurDir => {}
            other => plain.push(other),
        }
    }
    std::fs::canonicalize(&plain).unwrap_or(plain)
}

/// Every port that a service listens on, those by default too.
fn ports(main: &Main) -> Vec<(&'static str, u32, SocketAddr)> {
    let mut ports = vec![];
    let listener = main.listener.as_ref();
    let on = listener.and_then(|it| it.value.on).unwrap_or(listener.is_some() || main.sources.is_none());
    if on {
        let line = listener.map_or(0, |it| it.line);
        let bind = listener.and_then(|it| it.value.bind.as_ref());
        let tls = listener.and_then(|it| it.value.bind_tls.as_ref());
        ports.extend(tls.map(|bind| ("listener.bind_tls", bind.line, bind.value.0)));
        match bind {
            Some(bind) => ports.push(("listener.bind", bind.line, bind.value.0)),
            None if tls.is_none() => ports.push(("listener.bind", line, loopback(1883))),
            None => {}
        }
    }
    let http = main.http.as_ref();
    match http.and_then(|it| it.value.bind.as_ref()) {
        Some(bind) => ports.push(("http.bind", bind.line, bind.value.0)),
        None => ports.push(("http.bind", http.map_or(0, |it| it.line), loopback(8080))),
    }
    ports
}

/// Whether two cannot be listened on at once. Port 0 is any free one.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// Every reference to a secret, by the name of its key.
fn secrets(main: &Main) -> Vec<(String, &At<SecretRef>)> {
    let mut found: Vec<(String, &At<SecretRef>)> = vec![];
    let email = main.email.as_ref().and_then(|it| it.value.password.as_ref());
    found.extend(email.map(|it| ("email.password".to_owned(), it)));
    let webhook = main.webhook.as_ref().and_then(|it| it.value.secret.as_ref());
    found.extend(webhook.map(|it| ("webhook.secret".to_owned(), it)));
    for (path, robot) in main.chat.iter().flat_map(chat::Chat::robots) {
        found.push((format!("{path}.url"), &robot.url));
        found.extend(robot.secret.as_ref().map(|it| (format!("{path}.secret"), it)));
    }
    if let Some(sms) = main.sms.as_ref().map(|it| &it.value) {
        found.extend(sms.token.as_ref().map(|it| ("sms.token".to_owned(), it)));
        found.extend(sms.password.as_ref().map(|it| ("sms.password".to_owned(), it)));
    }
    let heartbeat = main.heartbeat.as_ref().and_then(|it| it.value.secret.as_ref());
    found.extend(heartbeat.map(|it| ("heartbeat.secret".to_owned(), it)));
    if let Some(http) = main.http.as_ref().map(|it| &it.value) {
        found.extend(http.operator_token.as_ref().map(|it| ("http.operator_token".to_owned(), it)));
        let tokens = http.tokens.iter().flatten();
        found.extend(tokens.map(|(name, it)| (format!("http.tokens.{name}"), it)));
    }
    for (name, mqtt) in sessions(main) {
        found.extend(mqtt.password.as_ref().map(|it| (format!("sources.{name}.mqtt.password"), it)));
    }
    found
}

fn sessions(main: &Main) -> impl Iterator<Item = (&str, &Mqtt)> {
    main.sources.iter().flatten().map(|(name, source)| (name.as_str(), &source.value.mqtt.value))
}
