//! `[cap]` of `forewarn.toml` as written: how warnings are published as CAP alerts.

use std::collections::BTreeMap;

use super::table::{At, raw};
use super::words::{Word, word_schema};
use crate::config::plan::Category;

/// Longest sender, characters.
const SENDER_MAX: usize = 128;

/// Longest object identifier, characters.
const OID_MAX: usize = 128;

raw! {
    /// How warnings are published as CAP 1.2 alerts, and who may read them.
    pub(crate) struct Cap {
        /// Whether alerts and feed are for everybody who reaches the HTTP server; their scope is then
        /// Public. Default false: they need a login or a token, and their scope is Restricted.
        public: Option<bool>,
        /// Who sends them. Default the host of `site.url`, else the machine's name; in a drill with "drill." before it.
        sender: Option<At<Sender>>,
        /// The object identifier that identifiers of alerts begin with, as registered, such as "2.49.0.1.156.3".
        oid: Option<At<Oid>>,
        /// CAP categories of hazards, over those that are built in; of a hazard without one it is Other.
        categories: Option<BTreeMap<String, At<Category>>>,
    }
}

/// Who sends alerts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sender(pub(crate) String);

impl Word for Sender {
    const EXPECTED: &'static str = "a domain name or a mail address, without space, comma, < and &";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound = !text.is_empty() && text.chars().count() <= SENDER_MAX && text.chars().all(is_plain);
        sound.then(|| Sender(text.to_owned()))
    }
}

/// What may stand in a sender or an identifier.
pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, ',' | '<' | '>' | '&' | '"' | '\'')
}

/// An object identifier in its dotted form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Oid(pub(crate) String);

impl Word for Oid {
    const EXPECTED: &'static str = "an object identifier such as \"2.49.0.1.156.3\" (2.49.0.0 is of those who warn, 2.49.0.1 of their alerts)";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let arcs: Vec<&str> = text.split('.').collect();
        let is_arc = |arc: &&str| {
            !arc.is_empty()
                && arc.bytes().all(|b| b.is_ascii_digit())
                && (*arc == "0" || !arc.starts_with('0'))
        };
        // The register of authorities lists this one, and receivers take it for no alert's.
        if arcs.starts_with(&["2", "49", "0", "0"]) {
            return None;
        }
        (arcs.len() >= 2 && text.len() <= OID_MAX && arcs.iter().all(is_arc)).then(|| Oid(text.to_owned()))
    }
}

impl Word for Category {
    const EXPECTED: &'static str =
        "Geo, Met, Safety, Security, Rescue, Fire, Health, Env, Transport, Infra, CBRNE or Other";

    fn parse(text: &str) -> Option<Self> {
        Category::ALL.into_iter().find(|category| category.word() == text.trim())
    }
}

word_schema!(Sender, Oid, Category);
