//! The service's own settings: sources, mail, webhooks, stores, log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forewarn_core::event::BUNDLED_MAX;
use forewarn_core::ids::AreaIx;
use forewarn_core::plan::Plan;
use forewarn_core::time::Span;

use super::Build;
use super::people::Addresses;
use super::sources::{at, is_loopback};
use crate::channels::guard::{Refused, Rules, literal};
use crate::config::fault::{Fault, Place};
use crate::config::plan::chat::Chat;
use crate::config::plan::{
    Admits, Cap, Catalog, Devices, Digests, Email, Heartbeat, Http, Influx, Listener, Log, MailSecurity,
    Outline, Setup, Source, Store, Webhook,
};
use crate::config::raw::contacts::{Contacts, WebhookAddress};
use crate::config::raw::forewarn_toml::{Digest, Main, length};
use crate::config::raw::words::Word;

const MIB: u64 = 1 << 20;

/// Shortest webhook secret, bytes, as Standard Webhooks asks.
pub(super) const WEBHOOK_SECRET_MIN: usize = 24;

/// Messages that go singly before digests begin: with one red beyond them, three
/// in the first minute of a storm, which a person can take.
const DIGEST_AFTER: u32 = 2;

/// More than a person reads is no limit.
const DIGEST_AFTER_MAX: u32 = 60;

/// Warnings in one post at most: receivers commonly take no more than a megabyte.
const POSTED_MAX: usize = 1_000;

/// From one digest to the next: the default, the least, the most.
const DIGEST_EVERY: (Span, Span, Span) = (Span::from_mins(1), Span::from_secs(10), Span::from_mins(60));

/// Where the data stand unless configured, from the folder of forewarn.toml.
const DATA: &str = "../data";

/// Where the machine's name stands: as it is now, or as it was given.
const HOST_FILES: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];

/// All of the setup that is not the plan's.
pub(super) struct Service {
    sources: Vec<Source>,
    listener: Option<Listener>,
    http: Http,
    email: Option<Email>,
    webhook: Webhook,
    chat: Chat,
    heartbeat: Heartbeat,
    influx: Option<Influx>,
    store: Store,
    log: Log,
    url: Option<String>,
    admits: Admits,
    data: PathBuf,
    shell_accounts: Vec<String>,
    cap: Cap,
    outlines: Arc<BTreeMap<AreaIx, Outline>>,
}

impl Service {
    pub(super) fn setup(
        self,
        plan: Arc<Plan>,
        catalog: Catalog,
        devices: Devices,
        addresses: Addresses,
        messages: BTreeMap<String, BTreeMap<String, String>>,
    ) -> Setup {
        let Service {
            sources,
            listener,
            http,
            email,
            webhook,
            chat,
            heartbeat,
            influx,
            store,
            log,
            url,
            admits,
            data,
            shell_accounts,
            cap,
            outlines,
        } = self;
        Setup {
            plan,
            catalog: Arc::new(catalog),
            sources,
            listener,
            http,
            email,
            webhook,
            chat,
            heartbeat,
            influx,
            store,
            log,
            devices: Arc::new(devices),
            addresses: Arc::new(addresses),
            messages: Arc::new(messages),
            url,
            admits,
            data,
            host: host(),
            shell_accounts,
            cap,
            outlines,
        }
    }
}

/// The machine's name as Linux says it; in a container, the container's.
pub(super) fn host() -> String {
    let said = HOST_FILES.iter().find_map(|file| std::fs::read_to_string(file).ok());
    said.unwrap_or_default().trim().to_owned()
}

fn shell_accounts(main: &Main) -> Vec<String> {
    let written = main.orders.as_ref().and_then(|orders| orders.shell_accounts.as_ref());
    written.into_iter().flatten().map(|account| account.value.0.clone()).collect()
}

impl Build<'_> {
    pub(super) fn service(&mut self, main: &Main) -> Option<Service> {
        let mut sources = self.brokers(main);
        let listener = self.listener(main).map(|(listener, source)| {
            sources.push(source);
            listener
        });
        let http = self.http(main).map(|(http, source)| {
            sources.push(source);
            http
        });
        self.ports_once(main);
        self.turned_twice(&sources);
        let email = self.email(main);
        let webhook = self.webhook(main);
        let chat = self.chat(main, webhook.as_ref());
        let heartbeat = self.heartbeat(main, webhook.as_ref());
        let influx = self.influx(main);
        self.addressed(main, webhook.as_ref());
        Some(Service {
            sources,
            listener,
            http: http?,
            email,
            store: self.store(main),
            webhook: webhook?,
            chat,
            heartbeat: heartbeat?,
            influx,
            log: self.log(main),
            url: main.site.url.as_ref().map(|url| url.0.clone()),
            shell_accounts: shell_accounts(main),
            cap: self.cap(main),
            outlines: self.lie(),
            admits: self.admits(),
            data: self.data(main),
        })
    }

    fn email(&mut self, main: &Main) -> Option<Email> {
        let written = main.email.as_ref()?;
        let line = written.line;
        let email = &written.value;
        let security = email.security.as_ref().map_or(MailSecurity::StartTls, |security| security.value.0);
        let port = match security {
            MailSecurity::Tls => 465,
            MailSecurity::StartTls => 587,
            MailSecurity::PlaintextUnsafe => 25,
        };
        let port = self.within(email.port.as_ref(), "email.port", port, 1..=65_535) as u16;
        let connections_max =
            self.within(email.connections_max.as_ref(), "email.connections_max", 4, 1..=64) as usize;
        let mailbox = email.from.value.0.parse::<lettre::message::Mailbox>();
        if mailbox.is_err() || email.from.value.0.contains('"') {
            self.fault(&self.at(email.from.line), "email.from is no sender", "\"Name <address>\"");
        }
        let password = email.password.as_ref().and_then(|reference| self.secret(reference));
        let login = match (&email.user, &email.password) {
            (Some(user), Some(_)) => password.map(|password| (user.value.0.clone(), password)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                self.fault(&self.at(line), "email has one of user and password", "both, or neither");
                None
            }
        };
        if security == MailSecurity::PlaintextUnsafe && !is_loopback(&email.host.0) {
            let line = email.security.as_ref().map_or(line, |security| security.line);
            self.warn(
                &self.at(line),
                "mail and its password travel unprotected",
                "use \"starttls\" or \"tls\"",
            );
        }
        let ca = email.ca.as_ref().and_then(|path| self.file(path));
        Some(Email {
            host: email.host.0.clone(),
            port,
            security,
            ca,
            login,
            from: email.from.value.0.clone(),
            connections_max,
            digest: self.digests(email.digest.as_ref(), "email.digest", BUNDLED_MAX),
        })
    }

    /// How many messages a target takes, by what is written below `key` or by default.
    fn digests(&mut self, written: Option<&Digest>, key: &str, members_max: usize) -> Digests {
        let after = written.and_then(|digest| digest.after.as_ref());
        let every = written.and_then(|digest| digest.every.as_ref());
        let digests = Digests {
            after: self.within(after, &format!("{key}.after"), DIGEST_AFTER, 1..=DIGEST_AFTER_MAX),
            every: length(every.map(|at| &at.value), DIGEST_EVERY.0),
            members_max,
        };
        if !(DIGEST_EVERY.1..=DIGEST_EVERY.2).contains(&digests.every) {
            let line = every.map_or(0, |at| at.line);
            self.fault(&self.at(line), format!("{key}.every is {}", digests.every), "10 s to 1 h");
        }
        digests
    }

    fn webhook(&mut self, main: &Main) -> Option<Webhook> {
        let written = main.webhook.as_ref().map(|at| &at.value);
        let secret = match written.and_then(|webhook| webhook.secret.as_ref()) {
            Some(reference) => {
                let secret = self.secret(reference)?;
                if secret.expose().len() < WEBHOOK_SECRET_MIN {
                    self.fault(
                        &self.at(reference.line),
                        "webhook.secret is short enough to be guessed",
                        format!("{WEBHOOK_SECRET_MIN} characters at least"),
                    );
                }
                Some(secret)
            }
            None => None,
        };
        let allow = written.and_then(|webhook| webhook.allow.as_ref());
        let connections_max = written.and_then(|webhook| webhook.connections_max.as_ref());
        let timeout = written.and_then(|webhook| webhook.timeout.as_ref());
        Some(Webhook {
            secret,
            allow: allow.into_iter().flatten().map(|network| network.value.0).collect(),
            plaintext: written.and_then(|webhook| webhook.plaintext).unwrap_or(false),
            ca: written.and_then(|webhook| webhook.ca.as_ref()).and_then(|path| self.file(path)),
            timeout: self.waited(timeout, "webhook.timeout", Span::from_secs(10)),
            connections_max: self.within(connections_max, "webhook.connections_max", 4, 1..=64) as usize,
            digest: written
                .and_then(|webhook| webhook.digest.as_ref())
                .map(|digest| self.digests(Some(digest), "webhook.digest", POSTED_MAX)),
        })
    }

    fn influx(&mut self, main: &Main) -> Option<Influx> {
        let written = &main.influx.as_ref()?.value;
        let token = self.secret(&written.token)?;
        let (url, org, bucket) = (written.url.0.clone(), written.org.0.clone(), written.bucket.0.clone());
        Some(Influx { url, org, bucket, token })
    }

    fn store(&mut self, main: &Main) -> Store {
        // What people see in an emergency depends on no second server, so some days are always here.
        let default = if main.influx.is_some() { Span::from_hours(72) } else { Span::from_hours(400 * 24) };
        let keep = main.store.as_ref().and_then(|store| store.keep.as_ref());
        if let Some(keep) = keep.filter(|keep| keep.value.0 < Span::from_hours(24)) {
            self.fault(
                &at(keep.line),
                format!("store.keep is {}", keep.value.0),
                "1 d at least: charts show the last day",
            );
        }
        Store { keep: length(keep.map(|at| &at.value), default) }
    }

    /// The data directory: as the command says, or else the configuration.
    pub(super) fn data(&self, main: &Main) -> PathBuf {
        self.request.data.map_or_else(|| self.written_data(main), PathBuf::from)
    }

    /// As the configuration says.
    pub(super) fn written_data(&self, main: &Main) -> PathBuf {
        self.request.dir.join(main.data.as_ref().map_or(Path::new(DATA), |data| &data.value.0))
    }

    pub(super) fn log(&mut self, main: &Main) -> Log {
        let written = main.log.as_ref();
        let segment = written.and_then(|log| log.segment.as_ref());
        let segment_bytes = segment.map_or(64 * MIB, |at| at.value.0);
        if !(MIB..=4096 * MIB).contains(&segment_bytes) {
            let line = segment.map_or(0, |at| at.line);
            self.fault(&at(line), format!("log.segment is {segment_bytes} B"), "1 MiB to 4 GiB");
        }
        let gap = written.and_then(|log| log.gap.as_ref());
        if let Some(gap) = gap.filter(|gap| gap.value.0 > Span::from_secs(1)) {
            self.fault(
                &at(gap.line),
                format!("log.gap is {}", gap.value.0),
                "1 s at most: readings wait for it",
            );
        }
        let reserve = written.and_then(|log| log.reserve_segments.as_ref());
        Log {
            segment_bytes,
            keep: length(written.and_then(|log| log.keep.as_ref()), Span::from_hours(30 * 24)),
            gap: length(gap.map(|at| &at.value), Span(400)),
            reserve_segments: self.within(reserve, "log.reserve_segments", 2, 1..=64),
        }
    }

    /// Every address must have a way to it.
    fn addressed(&mut self, main: &Main, webhook: Option<&Webhook>) {
        let signed = main.webhook.as_ref().is_some_and(|webhook| webhook.value.secret.is_some());
        for contact in self.raw.contacts.iter().flat_map(|Contacts { rows, .. }| rows) {
            for (channel, address) in &contact.addresses {
                let file = self.raw.files.ways;
                let fault = |what, expected: &str| {
                    Some(Fault::new(contact.place.clone(), what, format!("{expected} in {file}")))
                };
                let found = match *channel {
                    "email" if main.email.is_none() => {
                        fault("has a mail address, but no mail server is configured", "[email]")
                    }
                    "webhook" if !signed => {
                        fault("has a webhook, but there is no secret to sign with", "[webhook] secret")
                    }
                    "webhook" => {
                        webhook.and_then(|it| unreachable(it, ("a webhook", address), &contact.place, file))
                    }
                    channel => self.unknown_way(main, contact, channel, address),
                };
                found.into_iter().for_each(|fault| self.faults.push(fault));
            }
        }
    }
}

/// A webhook that the guard would refuse whatever its name resolves to can
/// never be delivered to.
pub(super) fn unreachable(
    webhook: &Webhook,
    (thing, address): (&str, &str),
    place: &Place,
    file: &str,
) -> Option<Fault> {
    let url = reqwest::Url::parse(address).ok()?;
    let refused = Rules::of(webhook).check_url(&url).err()?;
    let (what, expected) = match refused {
        Refused::Plaintext => (
            format!("has {thing} without TLS"),
            "https://, or webhook.plaintext = true for networks of webhook.allow",
        ),
        Refused::NotPublic(kind) => (
            format!("has {thing} at {kind} address, to which nothing is sent"),
            "a public address, or one in a network of webhook.allow",
        ),
        Refused::NotAllowed | Refused::NothingAllowed => (
            format!("has {thing} without TLS outside webhook.allow, to which nothing is sent"),
            "https://, or an address in a network of webhook.allow",
        ),
        Refused::Scheme | Refused::Login | Refused::NoHost => {
            (format!("has {thing} to which nothing is sent ({refused})"), WebhookAddress::EXPECTED)
        }
    };
    Some(Fault::new(place.clone(), what, expected).hint(opening(webhook, &url, file)))
}

/// The lines of `[webhook]` that would let an address pass.
pub(super) fn opening(webhook: &Webhook, url: &reqwest::Url, file: &str) -> String {
    let plaintext = webhook.plaintext || url.scheme() == "http";
    let mut lines = vec![];
    if plaintext && !webhook.plaintext {
        lines.push("plaintext = true".to_owned());
    }
    let open = Webhook { plaintext, ..webhook.clone() };
    let mut whose = "";
    if Rules::of(&open).check_url(url).is_err() {
        let own = literal(url.host_str().unwrap_or_default());
        let mut networks: Vec<String> =
            webhook.allow.iter().map(|(network, bits)| format!("\"{network}/{bits}\"")).collect();
        networks.extend(own.iter().map(|ip| format!("\"{ip}/{}\"", if ip.is_ipv4() { 32 } else { 128 })));
        if own.is_empty() {
            networks.push("\"10.1.0.0/16\"".to_owned());
            whose = ", with the receiver's network in place of 10.1.0.0/16";
        }
        lines.push(format!("allow = [{}]", networks.join(", ")));
    }
    format!("write {} below [webhook] in {file}{whose}", lines.join(" and "))
}
