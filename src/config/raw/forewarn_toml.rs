//! `forewarn.toml` as written.

use std::collections::BTreeMap;
use std::path::Path as DirPath;
use std::sync::Arc;

use schemars::JsonSchema;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::addresses::{Broker, Network, Security, Socket, Topic, Url, Version};
use super::cap::Cap;
use super::chat::{Chat, Sms};
use super::member::member;
use super::secret::SecretRef;
use super::table::{At, OneOrMany, Read, Reader, raw};
use super::words::{Bytes, Id, Length, LevelWord, Path, Text};
use crate::config::fault::Faults;
use crate::formats::AnyFormat;

/// The file's name.
pub(crate) const FILE: &str = "forewarn.toml";

/// Reads it.
pub(crate) fn read(dir: &DirPath, faults: &mut Faults) -> Option<Main> {
    let text = super::required(dir, FILE, faults)?;
    Reader::document(&Arc::from(FILE), &text, faults)
}

raw! {
    /// The service's own settings.
    pub(crate) struct Main {
        /// The site: who warns, and in which zone it lives.
        site: Site,
        /// Who hears of Trouble.
        operator: Operator,
        /// Where log, state and stores stand; from this file's folder unless absolute. Default "../data".
        data: Option<At<Path>>,
        /// The ways readings come in from outside brokers, by name.
        sources: Option<BTreeMap<String, At<Source>>>,
        /// The built-in MQTT listener; on by default when no broker is configured.
        listener: Option<At<Listener>>,
        /// The HTTP server.
        http: Option<At<Http>>,
        /// The mail server.
        email: Option<At<Email>>,
        /// How webhooks are signed and where they may go.
        webhook: Option<At<Webhook>>,
        /// How warnings are published as CAP alerts, and who may read them.
        cap: Option<At<Cap>>,
        /// Robots of chat groups.
        chat: Option<Chat>,
        /// The gateway for text messages.
        sms: Option<At<Sms>>,
        /// How it shows to somebody outside that it lives.
        heartbeat: Option<At<Heartbeat>>,
        /// `InfluxDB` 2 for the long history.
        influx: Option<At<Influx>>,
        /// The embedded store.
        store: Option<Store>,
        /// The log.
        log: Option<Log>,
        /// How long warnings hold and when silences are told.
        warnings: Option<Warnings>,
        /// Warnings by hand, and mutes.
        orders: Option<Orders>,
        /// What the service may take.
        limits: Option<Limits>,
    }
}

raw! {
    /// The site.
    pub(crate) struct Site {
        /// Its name, as warnings sign it.
        name: Text,
        /// IANA name of the zone all times are shown in, such as "Asia/Shanghai".
        zone: At<Text>,
        /// The site's public address, for links in messages.
        url: Option<Url>,
    }
}

raw! {
    /// Who hears of Trouble.
    pub(crate) struct Operator {
        /// Id of the contact in contacts.csv.
        contact: At<Id>,
    }
}

raw! {
    /// One way readings come in from an outside broker.
    pub(crate) struct Source {
        /// The session with the broker.
        mqtt: At<Mqtt>,
        /// How its payloads are read.
        decode: At<Decode>,
    }
}

raw! {
    /// A session with an outside MQTT broker.
    pub(crate) struct Mqtt {
        /// Its address: `mqtt://host:1883`, or `mqtts://host:8883` with TLS.
        url: At<Broker>,
        /// Topic filter, or a list of them.
        topic: OneOrMany<At<Topic>>,
        /// 0 or 1 (the default): with 1 nothing is lost while we are down.
        qos: Option<At<u32>>,
        /// "3.1.1" (the default) or "5".
        version: Option<Version>,
        /// Client id; by default derived from the data directory's place and this source's name.
        client_id: Option<Text>,
        /// User name.
        user: Option<Text>,
        /// Password.
        password: Option<At<SecretRef>>,
        /// Largest packet taken; should equal the broker's limit. Default "4 MiB".
        packet_max: Option<At<Bytes>>,
        /// Keep-alive. Default "30 s".
        keep_alive: Option<At<Length>>,
        /// PEM file of the authority to trust instead of the system's.
        ca: Option<At<Path>>,
        /// PEM file of our client certificate.
        cert: Option<At<Path>>,
        /// PEM file of its key.
        key: Option<At<Path>>,
    }
}

raw! {
    /// The built-in MQTT listener.
    pub(crate) struct Listener {
        /// Whether it runs. Default true.
        on: Option<bool>,
        /// Plain TCP. Default "127.0.0.1:1883" unless `bind_tls` is given.
        bind: Option<At<Socket>>,
        /// TLS; needs tls.
        bind_tls: Option<At<Socket>>,
        /// Certificate for `bind_tls`.
        tls: Option<At<ServerTls>>,
        /// Connections at once. Default 5000.
        connections_max: Option<At<u32>>,
        /// Largest packet. Default "256 KiB".
        packet_max: Option<At<Bytes>>,
        /// Messages a second of one connection; 0 is no limit. Default 1000.
        rate_max: Option<u32>,
        /// From accept to a whole CONNECT. Default "10 s".
        handshake_max: Option<At<Length>>,
        /// How its payloads are read. Default { format = "json" }.
        decode: Option<At<Decode>>,
    }
}

raw! {
    /// A server's certificate.
    pub(crate) struct ServerTls {
        /// PEM file of the certificate chain.
        cert: At<Path>,
        /// PEM file of the key.
        key: At<Path>,
        /// PEM file of the authorities whose client certificates are asked for.
        client_ca: Option<At<Path>>,
    }
}

raw! {
    /// The HTTP server.
    pub(crate) struct Http {
        /// Default "127.0.0.1:8080".
        bind: Option<At<Socket>>,
        /// Tokens of integrators that may post readings, by name.
        tokens: Option<BTreeMap<String, At<SecretRef>>>,
        /// Token of the operator, for `POST /api/v1/reload`; without it that path is off.
        operator_token: Option<At<SecretRef>>,
        /// Largest body. Default "8 MiB".
        body_max: Option<Bytes>,
        /// How `POST /api/v1/readings` is read. Default { format = "json" }.
        decode: Option<At<Decode>>,
    }
}

raw! {
    /// The mail server.
    pub(crate) struct Email {
        /// Host name.
        host: Text,
        /// Port. Default 465 with "tls", 587 with "starttls", 25 with "plaintext-unsafe".
        port: Option<At<u32>>,
        /// "starttls" (the default, required), "tls", or "plaintext-unsafe" for a server on the same machine.
        security: Option<At<Security>>,
        /// PEM file of an authority to trust besides the system's.
        ca: Option<At<Path>>,
        /// User name.
        user: Option<At<Text>>,
        /// Password.
        password: Option<At<SecretRef>>,
        /// The sender, as "Name <address>".
        from: At<Text>,
        /// Connections at once. Default 4.
        connections_max: Option<At<u32>>,
        /// From how many mails on a person gets digests. Default { after = 2, every = "1 min" }.
        digest: Option<Digest>,
    }
}

raw! {
    /// From how many messages on a target gets digests.
    pub(crate) struct Digest {
        /// Messages that go singly in each `every`, 1 to 60; one red may go beyond them. Default 2.
        after: Option<At<u32>>,
        /// From one digest to the next, "10 s" to "1 h". Default "1 min".
        every: Option<At<Length>>,
    }
}

raw! {
    /// How webhooks are signed and where they may go.
    pub(crate) struct Webhook {
        /// The signing secret (Standard Webhooks).
        secret: Option<At<SecretRef>>,
        /// Networks beyond the public ones that may be reached, such as "127.0.0.0/8".
        allow: Option<Vec<At<Network>>>,
        /// Whether plain http:// is allowed, and then only to `allow`. Default false.
        plaintext: Option<bool>,
        /// PEM file of an authority to trust besides the system's.
        ca: Option<At<Path>>,
        /// From connect to the last byte of the response. Default "10 s".
        timeout: Option<At<Length>>,
        /// Connections at once, per server. Default 4.
        connections_max: Option<At<u32>>,
        /// From how many posts on a receiver gets digests. Without it, every warning is a post of its own.
        digest: Option<Digest>,
    }
}

raw! {
    /// How the service shows to somebody outside that all of it lives.
    pub(crate) struct Heartbeat {
        /// Where a signed POST goes every round; reached as webhooks are. Default: nowhere, so that nobody outside hears it stop.
        url: Option<At<Url>>,
        /// The signing secret (Standard Webhooks). Default that of [webhook].
        secret: Option<At<SecretRef>>,
        /// How long a round is, "1 s" to "1 min". Default "1 min".
        every: Option<At<Length>>,
    }
}

raw! {
    /// `InfluxDB` 2.
    pub(crate) struct Influx {
        /// Base address.
        url: Url,
        /// Organisation.
        org: Text,
        /// Bucket.
        bucket: Text,
        /// Token.
        token: At<SecretRef>,
    }
}

raw! {
    /// The embedded store.
    pub(crate) struct Store {
        /// How long readings are kept. Default "3 d" beside `InfluxDB`, else "400 d".
        keep: Option<At<Length>>,
    }
}

raw! {
    /// The log.
    pub(crate) struct Log {
        /// Size of a segment file. Default "64 MiB".
        segment: Option<At<Bytes>>,
        /// How long it is kept at least. Default "30 d".
        keep: Option<Length>,
        /// Least time between the starts of two syncs. Default "400 us".
        gap: Option<At<Length>>,
        /// Segments kept for control inputs when the disk is full. Default 2.
        reserve_segments: Option<At<u32>>,
    }
}

raw! {
    /// How long warnings hold and when silences are told.
    pub(crate) struct Warnings {
        /// How long a warning holds unless renewed. Default "6 h".
        expires_after: Option<At<Length>>,
        /// How long before its end a standing warning is renewed. Default "30 min".
        renew_before: Option<At<Length>>,
        /// How long after a silence it is told, at most. Default "5 min".
        outage_tell_max: Option<Length>,
    }
}

raw! {
    /// Warnings by hand, and mutes.
    pub(crate) struct Orders {
        /// How long a second person has to approve a draft. Default "10 min".
        approve_within: Option<At<Length>>,
        /// Levels of warnings by hand that go out when nobody has approved them by then; all others expire. Default none.
        send_unapproved: Option<Vec<At<LevelWord>>>,
        /// How long a mute or a maintenance window may last. Default "24 h".
        mute_max: Option<At<Length>>,
        /// Accounts that whoever owns this machine may speak as, by `--as`. Default none.
        shell_accounts: Option<Vec<At<Id>>>,
    }
}

raw! {
    /// What the service may take.
    pub(crate) struct Limits {
        /// Memory that sensors and rules may take together. Default "1 GiB".
        memory_max: Option<Bytes>,
        /// How far ahead of our clock a device may be. Default "2 min".
        future_tolerance: Option<Length>,
    }
}

/// How payloads are read: the format's name, and the format's own keys.
#[derive(Debug, Clone)]
pub(crate) struct Decode(pub(crate) AnyFormat);

impl Read for Decode {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            return reader.wrong(&value, path, &Self::expected());
        }
        let mut table = reader.table(value, path)?;
        let line = table.line();
        let kind = table.take::<At<Text>>("format", reader)?;
        let read = AnyFormat::read(&kind.value.0, ValueDeserializer::from(table.rest()));
        member(read, &kind, ("format", AnyFormat::KINDS), path, line, reader).map(Decode)
    }

    fn expected() -> String {
        "{ format = \"...\" } with the format's own keys".to_owned()
    }
}

impl JsonSchema for Decode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Decode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = AnyFormat::KINDS.iter().map(|(name, _)| *name).collect();
        let examples: Vec<&str> = AnyFormat::KINDS.iter().map(|(_, example)| *example).collect();
        schemars::json_schema!({
            "type": "object",
            "description": "How payloads are read: the format's name, and the format's own keys.",
            "properties": { "format": { "type": "string", "enum": names } },
            "required": ["format"],
            "examples": examples,
        })
    }
}

/// The length of an optional key, or its default.
pub(crate) fn length(
    written: Option<&Length>,
    default: forewarn_core::time::Span,
) -> forewarn_core::time::Span {
    written.map_or(default, |length| length.0)
}
