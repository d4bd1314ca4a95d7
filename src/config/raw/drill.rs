//! `drill/drill.toml` as written: what of the settings a drill has of its own.
//! Sensors, areas, limits and rules are the live ones, which it is to exercise.

use std::collections::BTreeMap;
use std::path::Path as DirPath;
use std::sync::Arc;

use super::addresses::Url;
use super::cap::Cap;
use super::chat::{Chat, Sms};
use super::forewarn_toml::{Email, Http, Listener, Main, Operator, Source, Webhook};
use super::table::{At, Reader, raw};
use super::words::Path;
use super::{contacts, devices, routes};
use crate::config::fault::{Fault, Faults, Place};

/// The folder of what a drill has of its own.
pub(crate) const FOLDER: &str = "drill";
/// The file of its settings.
pub(crate) const FILE: &str = "drill/drill.toml";
/// Its files of people and devices.
pub(crate) const ROUTES: &str = "drill/routes.toml";
pub(crate) const CONTACTS: &str = "drill/contacts.csv";
pub(crate) const DEVICES: &str = "drill/devices.csv";

raw! {
    /// The world of a drill. Paths are from the folder of forewarn.toml, as there.
    pub(crate) struct Drill {
        /// Where a drill's log, state and stores stand: not where the live ones do.
        data: At<Path>,
        /// Who hears of Trouble in a drill; the live operator's id if absent, with an address of drill/contacts.csv.
        operator: Option<Operator>,
        /// Whether a drill also takes readings that are not marked as simulated and do not
        /// come below drill/: it then follows live gauges. Default false.
        mirror: Option<bool>,
        /// The site's public address for links of a drill.
        url: Option<Url>,
        /// The ways readings come in from outside brokers, by name; topics lie below drill/ unless mirror is on.
        sources: Option<BTreeMap<String, At<Source>>>,
        /// The built-in MQTT listener, on a port of its own.
        listener: Option<At<Listener>>,
        /// The HTTP server, on a port of its own.
        http: Option<At<Http>>,
        /// The mail server, with a sender of its own.
        email: Option<At<Email>>,
        /// How webhooks are signed, with a secret of their own.
        webhook: Option<At<Webhook>>,
        /// How a drill's alerts are published, with a sender of their own. Default: for those who log in.
        cap: Option<At<Cap>>,
        /// Robots of chat groups for drills.
        chat: Option<Chat>,
        /// The gateway for text messages of drills.
        sms: Option<At<Sms>>,
    }
}

/// What a drill is written in, and the live words that it must differ from.
pub(crate) struct Written {
    pub(crate) main: Option<Main>,
    pub(crate) mirror: bool,
    pub(crate) routes: Option<routes::Routes>,
    pub(crate) contacts: Option<contacts::Contacts>,
    pub(crate) devices: Vec<devices::Device>,
    pub(crate) live: Live,
}

/// What is live beside a drill.
pub(crate) struct Live {
    pub(crate) main: Option<Main>,
    pub(crate) contacts: Vec<contacts::Contact>,
    pub(crate) devices: Vec<devices::Device>,
}

/// Reads the folder of a drill over the live settings.
pub(crate) fn read(dir: &DirPath, live: Option<Main>, faults: &mut Faults) -> Written {
    // What is wrong with the live files that a drill has its own of is not the drill's to tell.
    let aside = &mut Faults::default();
    let live = Live {
        main: live,
        contacts: contacts::read(dir, contacts::FILE, aside).map(|it| it.rows).unwrap_or_default(),
        devices: devices::read(dir, devices::FILE, aside),
    };
    if !dir.join(FOLDER).is_dir() {
        let fault = Fault::new(Place::new(FOLDER, 0), "is missing", "a folder with the drill's own settings");
        let hint = "a drill has drill.toml, routes.toml, contacts.csv and devices.csv of its own: see docs/drills.md";
        faults.push(fault.hint(hint));
        return Written { main: None, mirror: false, routes: None, contacts: None, devices: vec![], live };
    }
    let own = super::required(dir, FILE, faults)
        .and_then(|text| Reader::document::<Drill>(&Arc::from(FILE), &text, faults));
    let mirror = own.as_ref().and_then(|own| own.mirror).unwrap_or(false);
    let main = live.main.clone().zip(own).map(|(live, own)| over(live, own));
    Written {
        main,
        mirror,
        routes: routes::read(dir, ROUTES, faults),
        contacts: contacts::read(dir, CONTACTS, faults),
        devices: devices::read(dir, DEVICES, faults),
        live,
    }
}

/// The live settings with all that leads in or out replaced: a way that the
/// drill does not name, it does not have.
fn over(live: Main, own: Drill) -> Main {
    let Drill { data, operator, mirror: _, url, sources, listener, http, email, webhook, cap, chat, sms } =
        own;
    let mut main = live;
    main.site.url = url;
    main.operator = operator.unwrap_or_else(|| {
        let contact = main.operator.contact.clone();
        Operator { contact: At { line: 0, ..contact } }
    });
    // Two that beat under one name would hide that the live one has stopped.
    let heartbeat = None;
    Main {
        data: Some(data),
        sources,
        listener,
        http,
        email,
        webhook,
        cap,
        chat,
        sms,
        heartbeat,
        influx: None,
        ..main
    }
}
