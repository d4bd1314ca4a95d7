//! The feed of alerts, as Atom has it (RFC 4287).

use forewarn_core::ids::{Key, LogId};
use forewarn_core::level::Status;
use forewarn_core::plan::Settings;
use forewarn_core::time::Timestamp;

use super::shelf::Listed;
use super::write::Document;
use super::xml::MEDIA_TYPE;
use crate::channels::show;
use crate::channels::words::Messages;
use crate::config::plan::Setup;

/// Where the feed stands.
pub const PATH: &str = "/feed.atom";

/// Warnings that hold of which the feed lists the newest alert; of more the highest.
pub const STANDING_MAX: usize = 500;

/// Alerts that the feed lists besides, the newest; older ones have their own paths.
pub const RECENT_MAX: usize = 100;

/// As what the feed is served.
pub const FEED_TYPE: &str = "application/atom+xml";

/// Where the alert of a revision stands.
pub fn path(warning: Key, number: u32) -> String {
    format!("/cap/{warning}/{number}.xml")
}

/// What the feed is of.
#[derive(Debug, Clone, Copy)]
pub struct Feed<'a> {
    /// The setup in force.
    pub setup: &'a Setup,
    /// Its words.
    pub messages: &'a Messages,
    /// The log that it is made of, which names it for good.
    pub log: LogId,
}

/// Writes it.
pub fn feed(of: &Feed<'_>, listed: &[Listed]) -> String {
    let settings = &of.setup.plan.settings;
    let site = show::clean(&settings.site);
    let id = format!("urn:uuid:{}", uuid(of.log.0));
    // One that lists nothing was never updated; saying now would change it at every look.
    let updated = listed.first().map_or(Timestamp::default(), |newest| newest.sent);
    let mut document = Document::new();
    document.element("feed", &[("xmlns", "http://www.w3.org/2005/Atom")], |document| {
        document.text("id", &id);
        document.text("title", &title(of, &site));
        document.text("updated", &show::rfc3339_local(updated, settings));
        document.element("author", &[], |document| document.text("name", &site));
        document.empty("link", &[("rel", "self"), ("type", FEED_TYPE), ("href", &href(of, PATH))]);
        document.text("generator", "Forewarn");
        listed.iter().for_each(|it| entry(document, of, settings, it));
    });
    document.done()
}

/// The site's name, with the mark of what is not real.
fn title(of: &Feed<'_>, site: &str) -> String {
    let status = of.setup.plan.settings.status;
    match status {
        Status::Actual => site.to_owned(),
        Status::Exercise | Status::Test => {
            let path = format!("marks.{status}");
            let marks: Vec<&str> = of
                .messages
                .tags()
                .map(|tag| of.messages.language(tag).find(&path).unwrap_or_default())
                .collect();
            format!("[{}] {site}", marks.join(" "))
        }
    }
}

fn entry(document: &mut Document, of: &Feed<'_>, settings: &Settings, listed: &Listed) {
    let sent = show::rfc3339_local(listed.sent, settings);
    document.element("entry", &[], |document| {
        document.text("id", &entry_id(&listed.identifier));
        document.text("title", &listed.title);
        document.text("updated", &sent);
        document.text("published", &sent);
        for term in [listed.status.as_str(), &listed.kind, listed.level.word()] {
            document.empty("category", &[("term", term)]);
        }
        let href = href(of, &path(listed.warning, listed.number));
        document.empty("link", &[("rel", "alternate"), ("type", MEDIA_TYPE), ("href", &href)]);
        document.some("summary", Some(&listed.summary));
    });
}

/// The identifier as an address for good.
fn entry_id(identifier: &str) -> String {
    match Key::parse(identifier) {
        Some(key) => format!("urn:uuid:{}", uuid(key.0)),
        None => identifier.to_owned(),
    }
}

/// Whole where the site has an address, else from the feed's own.
fn href(of: &Feed<'_>, path: &str) -> String {
    let url = of.setup.url.as_deref().map(|url| url.trim_end_matches('/')).unwrap_or_default();
    format!("{url}{path}")
}

fn uuid(bytes: [u8; 16]) -> String {
    let hex = Key(bytes).to_string();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
