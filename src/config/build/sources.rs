//! The ways readings come in: outside brokers, the listener, HTTP.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use forewarn_core::ids::{IndexKind, SourceIx};
use forewarn_core::time::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Build, put_name};
use crate::config::fault::{Place, list, nearest, quote};
use crate::config::plan::{ClientTls, Decode, From, Http, Listener, Mqtt, MqttVersion, ServerTls, Source};
use crate::config::raw::addresses::Tls;
use crate::config::raw::forewarn_toml::{self, Main};
use crate::config::raw::secret::SecretRef;
use crate::config::raw::table::At;
use crate::config::raw::words::{Id, Length, Path, Word};
use crate::config::secret::Secret;
use crate::formats::AnyFormat;

const MIB: u64 = 1 << 20;

/// Largest MQTT packet there is, bytes.
const MQTT_PACKET_MAX: u64 = 268_435_455;

/// Most connections of the listener: as many as files that Linux lets a process open.
const CONNECTIONS_MAX: u32 = 1 << 20;

/// Shortest wait for another's answer.
const WAIT_MIN: Span = Span::from_secs(1);

/// Sources that the service itself has.
const OWN_SOURCES: [&str; 2] = ["listener", "http"];

impl Build<'_> {
    /// Sources of outside brokers.
    pub(super) fn brokers(&mut self, main: &Main) -> Vec<Source> {
        let mut sources = vec![];
        for (name, written) in main.sources.iter().flatten() {
            let place = at(written.line);
            if Id::parse(name).is_none() || OWN_SOURCES.contains(&name.as_str()) {
                let what = format!("a source is named {}", quote(name));
                self.fault(&place, what, format!("{}, other than listener and http", Id::EXPECTED));
                continue;
            }
            let mqtt = self.mqtt(&written.value.mqtt.value, name);
            let ix = self.source(name);
            if let Some(mqtt) = mqtt {
                let decode = self.decode(&written.value.decode, name);
                sources.push(Source { name: name.clone(), ix, from: From::Mqtt(Box::new(mqtt)), decode });
            }
        }
        sources
    }

    fn source(&mut self, name: &str) -> SourceIx {
        let ix = SourceIx(self.index(IndexKind::Source, name));
        put_name(&mut self.plan.sources, ix.index(), name);
        ix
    }

    fn mqtt(&mut self, written: &forewarn_toml::Mqtt, name: &str) -> Option<Mqtt> {
        let url = &written.url;
        let path = |key: &str| format!("sources.{name}.mqtt.{key}");
        let password = match &written.password {
            Some(reference) => Some(self.secret(reference)?),
            None => None,
        };
        if written.password.is_some() && written.user.is_none() {
            self.fault(
                &self.at(url.line),
                format!("{} is without a user", path("password")),
                "user beside password",
            );
        }
        if let (Some(user), None, None) = (&written.user, &written.password, &written.cert) {
            self.warn(
                &self.at(url.line),
                format!("source {} has the user {} and no password", quote(name), quote(&user.0)),
                "password = { file = \"...\" } beside user, unless the broker asks for none",
            );
        }
        let identity =
            self.pair(written.cert.as_ref(), written.key.as_ref(), &format!("sources.{name}.mqtt"), url.line);
        let tls = ClientTls { ca: written.ca.as_ref().and_then(|path| self.file(path)), identity };
        if url.value.tls == Tls::Off {
            if written.ca.is_some() || tls.identity.is_some() {
                self.fault(
                    &self.at(url.line),
                    format!("{} has certificates for a connection without TLS", path("url")),
                    "mqtts:// beside ca, cert and key",
                );
            }
            if password.is_some() && !is_loopback(&url.value.host) {
                self.warn(
                    &self.at(url.line),
                    format!("password of source {} travels unprotected", quote(name)),
                    "use mqtts://",
                );
            }
        }
        let qos = self.within(written.qos.as_ref(), &path("qos"), 1, 0..=1);
        let packet_max = written.packet_max.as_ref().map_or(4 * MIB, |at| at.value.0);
        if !(1024..=MQTT_PACKET_MAX).contains(&packet_max) {
            let line = written.packet_max.as_ref().map_or(url.line, |at| at.line);
            let what = format!("{} is {packet_max} B", path("packet_max"));
            self.fault(&self.at(line), what, "1 KiB to 255 MiB");
        }
        let keep_alive =
            forewarn_toml::length(written.keep_alive.as_ref().map(|at| &at.value), Span::from_secs(30));
        if !(Span::from_secs(5)..=Span::from_secs(3600)).contains(&keep_alive) {
            let line = written.keep_alive.as_ref().map_or(url.line, |at| at.line);
            self.fault(&self.at(line), format!("{} is {keep_alive}", path("keep_alive")), "5 s to 1 h");
        }
        let topics: Vec<String> = written.topic.iter().map(|topic| topic.value.0.clone()).collect();
        if topics.is_empty() {
            self.fault(
                &self.at(url.line),
                format!("{} is an empty list", path("topic")),
                "one topic filter at least",
            );
        }
        Some(Mqtt {
            host: url.value.host.clone(),
            port: url.value.port,
            tls: (url.value.tls == Tls::On).then_some(tls),
            version: written.version.as_ref().map_or(MqttVersion::V4, |version| version.0),
            topics,
            qos: qos as u8,
            client_id: written.client_id.as_ref().map(|id| id.0.clone()),
            user: written.user.as_ref().map(|user| user.0.clone()),
            password,
            packet_max: packet_max as u32,
            keep_alive,
        })
    }

    /// The built-in listener, on by default when no broker is configured.
    pub(super) fn listener(&mut self, main: &Main) -> Option<(Listener, Source)> {
        let written = main.listener.as_ref();
        let on = written.and_then(|at| at.value.on).unwrap_or(written.is_some() || main.sources.is_none());
        if !on {
            return None;
        }
        let line = written.map_or(0, |at| at.line);
        let written = written.map(|at| &at.value);
        let tls = written.and_then(|listener| listener.tls.as_ref()).and_then(|tls| {
            let client_ca = tls.value.client_ca.as_ref().and_then(|path| self.file(path));
            let (cert, key) = (self.file(&tls.value.cert), self.file(&tls.value.key));
            Some(ServerTls { cert: cert?, key: key?, client_ca })
        });
        let bind_tls = written.and_then(|listener| listener.bind_tls.as_ref());
        let has_tls = written.is_some_and(|listener| listener.tls.is_some());
        if bind_tls.is_some() != has_tls {
            self.fault(&self.at(line), "listener has one of bind_tls and tls", "both, or neither");
        }
        let bind = match written.and_then(|listener| listener.bind.as_ref()) {
            Some(bind) => {
                if !bind.value.0.ip().is_loopback() {
                    let what = format!("listener on {} takes passwords unprotected", bind.value.0);
                    self.warn(&self.at(bind.line), what, "use bind_tls, or bind to 127.0.0.1");
                }
                Some(bind.value.0)
            }
            None => bind_tls.is_none().then(|| loopback(1883)),
        };
        let packet = written.and_then(|listener| listener.packet_max.as_ref());
        let packet_max = packet.map_or(256 * 1024, |at| at.value.0);
        if !(256..=MQTT_PACKET_MAX).contains(&packet_max) {
            let line = packet.map_or(line, |at| at.line);
            self.fault(&self.at(line), format!("listener.packet_max is {packet_max} B"), "256 B to 255 MiB");
        }
        let connections = written.and_then(|listener| listener.connections_max.as_ref());
        let handshake = written.and_then(|listener| listener.handshake_max.as_ref());
        let decode =
            self.decode_or_json(written.and_then(|listener| listener.decode.as_ref()), "listener", line)?;
        let ix = self.source("listener");
        let listener = Listener {
            bind,
            bind_tls: bind_tls.map(|bind| bind.value.0),
            tls,
            source: ix,
            connections_max: self.within(connections, "listener.connections_max", 5000, 1..=CONNECTIONS_MAX)
                as usize,
            packet_max: packet_max as usize,
            rate_max: written.and_then(|listener| listener.rate_max).unwrap_or(1000),
            handshake_max: self.waited(handshake, "listener.handshake_max", Span::from_secs(10)),
        };
        Some((listener, Source { name: "listener".to_owned(), ix, from: From::Listener, decode }))
    }

    /// The HTTP server.
    pub(super) fn http(&mut self, main: &Main) -> Option<(Http, Source)> {
        let line = main.http.as_ref().map_or(0, |at| at.line);
        let written = main.http.as_ref().map(|at| &at.value);
        let bind = match written.and_then(|http| http.bind.as_ref()) {
            Some(bind) => {
                if !bind.value.0.ip().is_loopback() {
                    let what = format!("http on {} has no TLS of its own", bind.value.0);
                    self.warn(&self.at(bind.line), what, "bind to 127.0.0.1 and put a TLS proxy before it");
                }
                bind.value.0
            }
            None => loopback(8080),
        };
        let mut tokens = vec![];
        for (name, reference) in written.and_then(|http| http.tokens.as_ref()).into_iter().flatten() {
            tokens.extend(self.token(reference, name).map(|secret| (name.clone(), secret)));
        }
        let operator_token = written.and_then(|http| http.operator_token.as_ref());
        let operator_token = operator_token.and_then(|reference| self.token(reference, "operator_token"));
        let decode = self.decode_or_json(written.and_then(|http| http.decode.as_ref()), "http", line)?;
        let ix = self.source("http");
        let body_max = written.and_then(|http| http.body_max.as_ref()).map_or(8 * MIB, |max| max.0) as usize;
        let http = Http { bind, tokens, operator_token, body_max, source: ix };
        Some((http, Source { name: "http".to_owned(), ix, from: From::Http, decode }))
    }

    fn token(&mut self, reference: &At<SecretRef>, name: &str) -> Option<Secret> {
        let secret = self.secret(reference)?;
        if secret.expose().len() < TOKEN_MIN {
            let what = format!("token {} is short enough to be guessed", quote(name));
            self.fault(&self.at(reference.line), what, format!("{TOKEN_MIN} characters at least"));
        }
        Some(secret)
    }

    /// What is configured, or JSON as it is by default.
    fn decode_or_json(
        &mut self,
        written: Option<&At<forewarn_toml::Decode>>,
        source: &str,
        line: u32,
    ) -> Option<Decode> {
        if let Some(written) = written {
            return Some(self.decode(written, source));
        }
        let nothing = Spanned::new(0..0, DeValue::Table(DeTable::new()));
        if let Some(Ok(format)) = AnyFormat::read("json", ValueDeserializer::from(nothing)) {
            return Some(Decode { format });
        }
        self.fault(&self.at(line), format!("{source} has no decode"), "decode = { format = \"...\" }");
        None
    }

    /// As configured. A quantity that no sensor measures is a slip of the pen
    /// as a rule: nothing of what is sent under it would ever be judged.
    fn decode(&mut self, written: &At<forewarn_toml::Decode>, source: &str) -> Decode {
        let format = written.value.0.clone();
        let measured: BTreeSet<String> =
            self.plan.sensors.iter().flatten().map(|sensor| sensor.quantity.clone()).collect();
        for quantity in format.as_dyn().quantities() {
            if measured.contains(quantity) {
                continue;
            }
            let what =
                format!("source {} reads {}, and no sensor measures that", quote(source), quote(quantity));
            let known = measured.iter().map(String::as_str);
            let hint = nearest(quantity, known.clone()).map_or_else(
                || format!("expected one of {}, or no such reading", list(known)),
                |near| format!("did you mean {}?", quote(near)),
            );
            self.warn(&self.at(written.line), what, hint);
        }
        Decode { format }
    }

    /// A distance that the format negates and the sensor takes from its zero as
    /// well comes out twice as far from the truth as the instrument hangs high.
    pub(super) fn turned_twice(&mut self, sources: &[Source]) {
        let raw = self.raw;
        let rows = || raw.sensors.iter().flat_map(|sensors| &sensors.rows).filter(|row| row.zero.is_some());
        for source in sources {
            let format = source.decode.format.as_dyn();
            let Some(row) = rows().find(|row| format.turns(&row.quantity)) else { continue };
            let what = format!(
                "has zero, and the source {} reads {} with apply = \"zero - value\": its sign turns twice",
                quote(&source.name),
                quote(&row.quantity)
            );
            let expected = "zero here, or apply there with the zero as offset here";
            self.fault(&row.place, what, expected);
        }
    }

    /// A line of the file that says what leads in and out.
    pub(super) fn at(&self, line: u32) -> Place {
        Place::new(self.raw.files.ways, line)
    }

    /// A number within bounds, or its default.
    pub(super) fn within(
        &mut self,
        written: Option<&At<u32>>,
        name: &str,
        default: u32,
        bounds: std::ops::RangeInclusive<u32>,
    ) -> u32 {
        let Some(written) = written else { return default };
        if !bounds.contains(&written.value) {
            let expected = format!("{} to {}", bounds.start(), bounds.end());
            self.fault(&self.at(written.line), format!("{name} is {}", written.value), expected);
        }
        written.value
    }

    /// How long something is waited for, or its default: in no time at all nothing comes.
    pub(super) fn waited(&mut self, written: Option<&At<Length>>, name: &str, default: Span) -> Span {
        if let Some(written) = written.filter(|written| written.value.0 < WAIT_MIN) {
            let what = format!("{name} is {}", written.value.0);
            self.fault(&self.at(written.line), what, format!("{WAIT_MIN} at least"));
        }
        forewarn_toml::length(written.map(|at| &at.value), default)
    }

    /// A file that must be there, from the configuration's folder.
    pub(super) fn file(&mut self, written: &At<Path>) -> Option<PathBuf> {
        let path = self.request.dir.join(&written.value.0);
        if path.is_file() {
            return Some(path);
        }
        let what = format!("file {} is not there", quote(&path.to_string_lossy()));
        self.fault(&self.at(written.line), what, "a file");
        None
    }

    fn pair(
        &mut self,
        cert: Option<&At<Path>>,
        key: Option<&At<Path>>,
        whose: &str,
        line: u32,
    ) -> Option<(PathBuf, PathBuf)> {
        if cert.is_some() != key.is_some() {
            self.fault(&self.at(line), format!("{whose} has one of cert and key"), "both, or neither");
        }
        Some((self.file(cert?)?, self.file(key?)?))
    }
}

/// Shortest token taken, characters: 128 bits written in hexadecimal digits.
const TOKEN_MIN: usize = 32;

/// A line of `forewarn.toml`.
pub(super) fn at(line: u32) -> Place {
    Place::new(forewarn_toml::FILE, line)
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Whether a host is this machine, as far as its name tells.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
