//! `routes.toml` as written.

use std::path::Path;
use std::sync::Arc;

use super::table::{At, Reader, raw};
use super::words::{Hours, Id, Language, Length, Levels, Word, word_schema};
use crate::config::fault::Faults;

/// The file's name.
pub(crate) const FILE: &str = "routes.toml";

/// Reads it.
pub(crate) fn read(dir: &Path, file: &str, faults: &mut Faults) -> Option<Routes> {
    let text = super::required(dir, file, faults)?;
    Reader::document(&Arc::from(file), &text, faults)
}

raw! {
    /// Who hears of what. Every route that matches counts.
    pub(crate) struct Routes {
        /// The routes.
        route: Vec<At<Route>>,
    }
}

raw! {
    /// One route.
    pub(crate) struct Route {
        /// The hazard; any if absent.
        hazard: Option<At<Id>>,
        /// The area, with all that lie in it; any if absent.
        area: Option<At<Id>>,
        /// The levels that go this way.
        level: Levels,
        /// Local hours in which it holds, wrapping over midnight; always if absent.
        hours: Option<Hours>,
        /// Only those told in this language; any if absent.
        language: Option<Language>,
        /// Whom it reaches: "{area}/role", "area-id/role" or a contact's id.
        to: At<To>,
        /// The channels it takes, in order: "webhook", "email", "wecom" ...
        via: Vec<At<Via>>,
        /// Whether those it reaches are to acknowledge; nobody is asked if absent.
        ack: Option<At<Ack>>,
    }
}

raw! {
    /// That one of those whom a route reaches is to acknowledge a warning.
    pub(crate) struct Ack {
        /// How long they have.
        within: At<Length>,
        /// Who is told next if nobody does, one after the other, each with as
        /// long; after the last of them the operator is. Default: the operator at once.
        then: Option<Vec<At<To>>>,
        /// A warning that is still red so long after its acknowledgement is asked
        /// about again; never if absent.
        again: Option<At<Length>>,
    }
}

/// Whom a route reaches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum To {
    /// Those with this role in the warning's area, or the nearest around it that has any.
    AreaRole(String),
    /// Those with this role in one area.
    Role(String, String),
    /// One contact.
    Contact(String),
}

impl Word for To {
    const EXPECTED: &'static str = "\"{area}/role\", \"area-id/role\" or a contact's id";

    fn parse(text: &str) -> Option<Self> {
        let id = |text: &str| Id::parse(text).map(|id| id.0);
        match text.trim().split_once('/') {
            Some(("{area}", role)) => id(role).map(To::AreaRole),
            Some((area, role)) => Some(To::Role(id(area)?, id(role)?)),
            None => id(text).map(To::Contact),
        }
    }
}

/// A channel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Via(pub(crate) String);

impl Word for Via {
    const EXPECTED: &'static str =
        "one of \"email\", \"webhook\", \"wecom\", \"dingtalk\", \"feishu\", \"slack\", \"teams\", \"sms\"";

    fn parse(text: &str) -> Option<Self> {
        super::contacts::CHANNELS.contains(&text).then(|| Via(text.to_owned()))
    }
}

word_schema!(To, Via);
