//! `contacts.csv` as written: who is told, where and in which language.
//! Addresses are personal; no fault repeats one.

use std::path::Path;

use forewarn_core::level::Level;

use super::Names;
use super::chat::Phone;
use super::sheet::{Column, Row, Sheet, may, must};
use super::words::{Hours, Id, Language, LevelWord, Text, Word};
use crate::config::fault::{Fault, Faults, Place, list, quote};

/// The file's name.
pub(crate) const FILE: &str = "contacts.csv";

/// The channels a contact can have an address on, in the order of the columns.
pub(crate) const CHANNELS: [&str; 8] =
    ["email", "webhook", "wecom", "dingtalk", "feishu", "slack", "teams", "sms"];

/// Those whose address is the name of a robot of `[chat]`.
pub(crate) const ROBOTS: [&str; 5] = ["wecom", "dingtalk", "feishu", "slack", "teams"];

/// Its columns.
pub(crate) const COLUMNS: &[Column] = &[
    must("id", "a name for routes and for the operator"),
    must("name", "as messages address the contact"),
    may("roles", "what routes mean by {area}/role, with ; between them: duty, mayor ..."),
    may("area", "the area the contact answers for; empty is all"),
    must("language", "zh or en"),
    may("email", "mail address"),
    may("webhook", "address of a web receiver; one address of any kind is mandatory"),
    may("wecom", "name of a robot below [chat.wecom]"),
    may("dingtalk", "name of a robot below [chat.dingtalk]"),
    may("feishu", "name of a robot below [chat.feishu]"),
    may("slack", "name of a robot below [chat.slack]"),
    may("teams", "name of a robot below [chat.teams]"),
    may("sms", "telephone number for text messages"),
    may("min_level", "lowest level told; default blue"),
    may("hours", "local hours told in, such as 08:00..18:00; empty is always"),
    may("target_id", "the target's id, where another system has given one; for contacts with one address"),
    may("takes_part", "yes in drill/contacts.csv for a live contact's address that is to be in the drill"),
];

/// Every contact that could be read.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    pub(crate) rows: Vec<Contact>,
    /// Ids of all rows, those at fault too.
    pub(crate) named: Names,
    /// Roles of all rows, those at fault too.
    pub(crate) roles: Names,
}

/// One contact.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) roles: Vec<String>,
    pub(crate) area: Option<String>,
    pub(crate) language: String,
    /// Channel and address.
    pub(crate) addresses: Vec<(&'static str, String)>,
    pub(crate) min_level: Level,
    pub(crate) hours: Option<(u16, u16)>,
    pub(crate) target_id: Option<String>,
    /// Whether it is known that the address is a live contact's as well.
    pub(crate) takes_part: bool,
}

/// Reads it.
pub(crate) fn read(dir: &Path, file: &str, faults: &mut Faults) -> Option<Contacts> {
    let sheet = Sheet::required(dir, file, COLUMNS, faults)?;
    let mut contacts = Contacts::default();
    for mut row in sheet.rows() {
        row.shape(faults);
        let id = row.cell("id").to_owned();
        if !id.is_empty() && !contacts.named.insert(id.clone()) {
            let fault =
                Fault::new(row.place.clone(), format!("contact {} stands twice", quote(&id)), "each id once");
            row.fault(fault, faults);
        }
        if Id::parse(&id).is_none() {
            contacts.named.tear();
        }
        let before = faults.count();
        for Id(role) in row.several::<Id>("roles", faults) {
            contacts.roles.insert(role);
        }
        if faults.count() > before {
            contacts.roles.tear();
        }
        if let Some(contact) = contact(&mut row, faults).filter(|_| row.sound()) {
            contacts.rows.push(contact);
        }
    }
    Some(contacts)
}

fn contact(row: &mut Row<'_>, faults: &mut Faults) -> Option<Contact> {
    let id = row.must::<Id>("id", faults);
    let name = row.must::<Text>("name", faults);
    let language = row.must::<Language>("language", faults);
    let area = row.may::<Id>("area", faults).map(|area| area.0);
    let min_level = row.may::<LevelWord>("min_level", faults).map_or(Level::Blue, |level| level.0);
    let hours = row.may::<Hours>("hours", faults).map(|hours| hours.0);
    let target_id = row.may::<Id>("target_id", faults).map(|id| id.0);
    let takes_part = row.may::<Yes>("takes_part", faults).is_some();
    let email = row.may::<MailAddress>("email", faults).map(|email| ("email", email.0));
    let webhook = row.may::<WebhookAddress>("webhook", faults).map(|webhook| ("webhook", webhook.0));
    let robots = ROBOTS.map(|service| row.may::<Id>(service, faults).map(|robot| (service, robot.0)));
    let sms = row.may::<Phone>("sms", faults).map(|phone| ("sms", phone.0));
    let addresses: Vec<_> = [email, webhook].into_iter().chain(robots).chain([sms]).flatten().collect();
    if CHANNELS.iter().all(|channel| row.cell(channel).is_empty()) {
        let expected = format!("one of {}", list(CHANNELS));
        row.fault(Fault::new(row.place.clone(), "has no address", expected), faults);
    }
    if target_id.is_some() && addresses.len() > 1 {
        let fault = Fault::new(
            row.place.clone(),
            "has one target_id for several addresses",
            "a contact with one address",
        );
        row.fault(fault.hint("make several contacts of it, or leave target_id empty"), faults);
    }
    Some(Contact {
        place: row.place.clone(),
        id: id?.0,
        name: name?.0,
        roles: row.several::<Id>("roles", &mut Faults::default()).into_iter().map(|role| role.0).collect(),
        area,
        language: language?.0,
        addresses,
        min_level,
        hours,
        target_id,
        takes_part,
    })
}

/// A cell that says yes, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Yes;

impl Word for Yes {
    const EXPECTED: &'static str = "yes, or nothing";

    fn parse(text: &str) -> Option<Self> {
        (text == "yes").then_some(Yes)
    }
}

/// A mail address. Quoted local parts are refused: nobody has one, and line
/// ends hide in them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MailAddress(pub(crate) String);

impl Word for MailAddress {
    const EXPECTED: &'static str = "an address such as duty@example.org, without quotation marks or spaces";

    fn parse(text: &str) -> Option<Self> {
        let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"');
        let address: lettre::Address = plain.then(|| text.parse().ok())??;
        Some(MailAddress(address.to_string()))
    }

    fn shown(_: &str) -> String {
        "not a mail address".to_owned()
    }
}

/// The address of a web receiver.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WebhookAddress(pub(crate) String);

impl Word for WebhookAddress {
    const EXPECTED: &'static str =
        "an address such as https://hooks.example.org/forewarn, without user, password or # in it";

    fn parse(text: &str) -> Option<Self> {
        let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        let url = plain.then(|| reqwest::Url::parse(text).ok())??;
        let sound = matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        sound.then(|| WebhookAddress(url.to_string()))
    }

    fn shown(_: &str) -> String {
        "not a plain web address".to_owned()
    }
}
