//! The words of `forewarn.toml` that say where something is reached.

use std::net::{IpAddr, SocketAddr};

use super::words::{Word, word_schema};
use crate::config::plan::{MailSecurity, MqttVersion};

word_schema!(Url, Broker, Topic, Version, Socket, Security, Network);

/// An address of a web server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Url(pub(crate) String);

impl Word for Url {
    const EXPECTED: &'static str =
        "an address such as \"https://warn.example.org\", without user or password in it";

    fn parse(text: &str) -> Option<Self> {
        let url = reqwest::Url::parse(text.trim()).ok()?;
        let sound = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none();
        sound.then(|| Url(text.trim().trim_end_matches('/').to_owned()))
    }

    fn shown(_: &str) -> String {
        "not a plain web address".to_owned()
    }
}

/// The address of an MQTT broker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
}

/// Whether a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    On,
    Off,
}

impl Word for Broker {
    const EXPECTED: &'static str =
        "\"mqtt://host:1883\" or \"mqtts://host:8883\", without user or password in it";

    fn parse(text: &str) -> Option<Self> {
        let url = reqwest::Url::parse(text.trim()).ok()?;
        let (tls, port) = match url.scheme() {
            "mqtt" | "tcp" => (Tls::Off, 1883),
            "mqtts" | "ssl" => (Tls::On, 8883),
            _ => return None,
        };
        let bare = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
        let host = url.host_str().filter(|host| bare && !host.is_empty())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Broker { host, port: url.port().unwrap_or(port), tls })
    }

    // Someone may have written a password into it.
    fn shown(_: &str) -> String {
        "not the address of a broker".to_owned()
    }
}

/// An MQTT topic filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Topic(pub(crate) String);

impl Word for Topic {
    const EXPECTED: &'static str =
        "an MQTT topic filter such as \"river/+/up\" (+ a whole level, # the last one)";

    fn parse(text: &str) -> Option<Self> {
        let levels: Vec<&str> = text.split('/').collect();
        let sound = |(at, level): (usize, &&str)| match *level {
            "+" => true,
            "#" => at + 1 == levels.len(),
            level => !level.contains(['+', '#']) && !level.chars().any(char::is_control),
        };
        let fits = !text.is_empty() && u16::try_from(text.len()).is_ok();
        (fits && levels.iter().enumerate().all(sound)).then(|| Topic(text.to_owned()))
    }
}

/// Which MQTT is spoken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version(pub(crate) MqttVersion);

impl Word for Version {
    const EXPECTED: &'static str = "\"3.1.1\" or \"5\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "3.1.1" => Some(Version(MqttVersion::V4)),
            "5" => Some(Version(MqttVersion::V5)),
            _ => None,
        }
    }
}

/// Address and port to listen on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Socket(pub(crate) SocketAddr);

impl Word for Socket {
    const EXPECTED: &'static str = "an address and port such as \"127.0.0.1:8080\"";

    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Socket)
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Security(pub(crate) MailSecurity);

impl Word for Security {
    const EXPECTED: &'static str = "\"starttls\", \"tls\" or \"plaintext-unsafe\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "starttls" => Some(Security(MailSecurity::StartTls)),
            "tls" => Some(Security(MailSecurity::Tls)),
            "plaintext-unsafe" => Some(Security(MailSecurity::PlaintextUnsafe)),
            _ => None,
        }
    }
}

/// A network, as address and prefix length.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Network(pub(crate) (IpAddr, u8));

impl Word for Network {
    const EXPECTED: &'static str = "a network such as \"10.1.0.0/16\"";

    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.trim().split_once('/')?;
        let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        let widest = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= widest).then_some(Network((address, prefix)))
    }
}
