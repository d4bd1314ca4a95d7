//! How chats and text messages are reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::secret::Secret;

/// Robots of chat groups, the gateway for text messages, and what the site
/// says of how they are spoken to.
#[derive(Debug, Clone, Default)]
pub struct Chat {
    /// Robots by service (`wecom` ...), then by the name that contacts use.
    pub robots: BTreeMap<String, BTreeMap<String, Way>>,
    /// The gateway for text messages, if there is one.
    pub sms: Option<Sms>,
    /// The site's own files of `channels/`, by file name; what is not there is built in.
    pub recipes: Arc<BTreeMap<String, String>>,
}

impl Chat {
    /// The robot of a service by its name.
    pub fn robot(&self, service: &str, name: &str) -> Option<&Way> {
        self.robots.get(service)?.get(name)
    }
}

/// Where requests go, and by what they are let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The address; whoever knows a robot's can speak as it.
    pub url: Secret,
    /// What requests are signed with, where the service checks that.
    pub sign: Option<Secret>,
    /// What stands in `Authorization`.
    pub login: Option<Login>,
}

/// What a gateway lets in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// `Bearer`.
    Token(Secret),
    /// `Basic`: user name and password.
    User(String, Secret),
}

/// The gateway for text messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sms {
    /// Where it stands.
    pub way: Way,
    /// Segments of one text, where the site says so.
    pub segments_max: Option<u32>,
}
