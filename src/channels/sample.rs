//! A river in flood, for the tests of all channels.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use forewarn_core::ids::{AreaIx, HazardIx, Key, OutputId, Position, RuleIx, SensorIx, SourceIx, StationIx};
use forewarn_core::level::{Certainty, Level, Severity, Status, Urgency};
use forewarn_core::plan::{
    Area, LimitRow, Names, OutageTell, Plan, Raise, Rule, Sensor, Settings, Side, Station, Subject, Terms,
    ZoneOffset,
};
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::units::{Datum, Unit};
use forewarn_core::warning::{About, Cell, Evidence, Kind, Reason, Revision, TroubleCode, TroubleKey};

use super::door::{Target, World};
use super::render::{Beside, Chart};
use super::{Cause, Envelope, Now};
use crate::config::plan::chat::Chat;
use crate::config::plan::{
    Admits, Cap, Devices, Digests, Email, Heartbeat, Http, Log, MailSecurity, Setup, Store, Webhook,
};
use crate::config::secret::Secret;
use crate::ports::{History, Kept};

/// 2026-07-14 03:20 in Shanghai.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_783_970_400);

pub(super) fn unit(text: &str) -> Unit {
    Unit::parse(text).expect(text)
}

fn both(zh: &str, en: &str) -> Names {
    [("zh", zh), ("en", en)].into()
}

pub(crate) fn plan() -> Plan {
    let station = |id: &str, zh, en| {
        Some(Station {
            id: id.into(),
            names: both(zh, en),
            lat: 24.68,
            lon: 113.6,
            area: AreaIx(0),
            domains: Box::default(),
        })
    };
    let sensor = |id: &str, station| {
        Some(Sensor {
            id: format!("{id}/level").into(),
            station: StationIx(station),
            terms: Terms {
                quantity: "level".into(),
                unit: unit("m"),
                datum: Some(Datum("1985-national".into())),
                interval: Span::from_mins(5),
                lateness: Span::from_mins(30),
                max_age: Span::from_hours(2),
                span: None,
                suspect: None,
                outage_intervals: 3,
                conversions: vec![],
                flat: None,
            }
            .into(),
        })
    };
    Plan {
        settings: Settings {
            site: "韶关防汛 Shaoguan Flood Control".into(),
            zone: "Asia/Shanghai".into(),
            offsets: vec![ZoneOffset { from: Timestamp::MIN, east_secs: 8 * 3600 }],
            ..Settings::default()
        },
        stations: vec![station("qj-017", "曲江", "Qujiang"), station("wj-002", "武江", "Wujiang")],
        sensors: vec![sensor("qj-017", 0), sensor("wj-002", 1)],
        areas: vec![Some(Area {
            id: "beijiang".into(),
            names: both("北江中游", "Middle Beijiang"),
            parent: None,
        })],
        hazards: vec!["flood".into()],
        rules: vec![Some(rule("m", "river-level")), Some(rule("m/h", "river-rise"))],
        ..Plan::default()
    }
}

fn rule(of: &str, id: &str) -> Rule {
    let levels = [Some(57.0), Some(58.0), Some(58.5), Some(60.0)];
    let limits = vec![LimitRow { from: Timestamp::MIN, season: None, levels }];
    Rule {
        id: id.into(),
        kind: forewarn_core::rules::AnyRule::Threshold(forewarn_core::rules::Threshold {}),
        hazard: HazardIx(0),
        side: Side::Above,
        unit: unit(of),
        subjects: vec![Subject { sensor: SensorIx(0), limits: limits.into() }],
        raise: [Raise::default(); 4],
        deadband: 0.1,
        hold: Span::from_mins(60),
        outage: OutageTell::SameTargets,
        corroboration: 1,
    }
}

pub(super) fn evidence() -> Evidence {
    Evidence {
        rule: RuleIx(0),
        sensor: SensorIx(0),
        level: Level::Orange,
        measured: Some(59.1),
        limit: Some(58.5),
        since: NOW - Span::from_mins(40),
        observed: NOW - Span::from_mins(5),
        trend: Some(0.62),
        unknown: false,
        saturated: false,
        value: Some(59.1),
    }
}

/// An orange alert: flood, Qujiang, 59.10 m against 58.50 m, rising.
pub(crate) fn flood(status: Status) -> Revision {
    let id = OutputId { position: Position(41), ..OutputId::default() };
    Revision {
        id,
        warning: id,
        number: 1,
        kind: Kind::Alert,
        reason: Reason::Raised,
        about: About::Incident(Cell { hazard: HazardIx(0), area: AreaIx(0) }),
        status,
        level: Level::Orange,
        urgency: Urgency::Immediate,
        severity: Severity::Severe,
        certainty: Certainty::Observed,
        onset: NOW - Span::from_mins(40),
        sent: NOW,
        expires: NOW + Span::from_hours(6),
        stale: false,
        evidence: vec![evidence(), Evidence { sensor: SensorIx(1), trend: None, ..evidence() }],
        sensors: 2,
        detail: String::new(),
        due: vec![],
        peak: Level::Orange,
        seen: None,
        texts: None,
        muted: None,
        lost: 0,
    }
}

/// A later revision of the same warning.
pub(crate) fn later(kind: Kind, reason: Reason, level: Level) -> Revision {
    let id = OutputId { position: Position(97), ..OutputId::default() };
    Revision { id, number: 2, kind, reason, level, ..flood(Status::Actual) }
}

/// Red was told; the water has fallen since, to between the limits of orange and red.
pub(super) fn held() -> Revision {
    let fallen = Evidence { trend: Some(-0.3), ..evidence() };
    Revision {
        evidence: vec![fallen, Evidence { sensor: SensorIx(1), level: Level::Yellow, ..fallen }],
        sensors: 2,
        peak: Level::Red,
        ..later(Kind::Update, Reason::Renewed, Level::Red)
    }
}

/// The water has been below every limit for a whole hold.
pub(crate) fn all_clear() -> Revision {
    let low = Evidence {
        level: Level::Normal,
        measured: Some(56.2),
        limit: Some(57.0),
        trend: Some(-0.3),
        value: Some(56.2),
        ..evidence()
    };
    Revision {
        evidence: vec![low, Evidence { sensor: SensorIx(1), trend: None, ..low }],
        ..later(Kind::AllClear, Reason::Eased, Level::Normal)
    }
}

/// The gauge is lost while the water rises.
pub(crate) fn blind() -> Revision {
    let lost = Evidence { unknown: true, ..evidence() };
    Revision {
        stale: true,
        evidence: vec![lost],
        sensors: 1,
        certainty: Certainty::Likely,
        ..later(Kind::Update, Reason::Blind, Level::Orange)
    }
}

pub(crate) fn trouble(code: TroubleCode, subject: &str, detail: &str) -> Revision {
    let key = TroubleKey { code, subject: subject.into() };
    Revision {
        about: About::Trouble(key),
        reason: Reason::TroubleRaised,
        level: Level::Yellow,
        peak: Level::Yellow,
        evidence: vec![],
        sensors: 0,
        detail: detail.into(),
        ..flood(Status::Actual)
    }
}

/// It was raised an hour ago, and is over.
pub(super) fn trouble_over(code: TroubleCode, subject: &str) -> Revision {
    Revision {
        kind: Kind::AllClear,
        reason: Reason::TroubleEnded,
        level: Level::Normal,
        ..trouble(code, subject, "no reading from qj-017/level for 15 min")
    }
}

pub(crate) fn notify_test() -> Revision {
    Revision {
        detail: "monthly".into(),
        about: About::NotifyTest,
        reason: Reason::NotifyTest,
        ..trouble(TroubleCode::Held, "", "")
    }
}

pub(crate) fn setup() -> Setup {
    Setup {
        plan: Arc::new(plan()),
        catalog: Arc::default(),
        sources: vec![],
        listener: None,
        http: Http {
            bind: "127.0.0.1:0".parse().expect("an address"),
            tokens: vec![],
            operator_token: None,
            body_max: 1 << 20,
            source: SourceIx(0),
        },
        email: Some(Email {
            host: "localhost".into(),
            port: 25,
            security: MailSecurity::PlaintextUnsafe,
            ca: None,
            login: None,
            from: "Forewarn <forewarn@warn.example>".into(),
            connections_max: 2,
            digest: Digests { after: 2, every: Span::from_mins(1), members_max: 10_000 },
        }),
        webhook: Webhook {
            secret: Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
            allow: vec![("127.0.0.0".parse().expect("an address"), 8)],
            plaintext: true,
            ca: None,
            timeout: Span::from_secs(15),
            connections_max: 4,
            digest: None,
        },
        chat: Chat::default(),
        heartbeat: Heartbeat { every: Span::from_mins(1), outside: None },
        influx: None,
        store: Store { keep: Span::from_hours(72) },
        log: Log { segment_bytes: 1 << 20, keep: Span::from_hours(1), gap: Span::ZERO, reserve_segments: 1 },
        devices: Arc::new(Devices::default()),
        addresses: Arc::default(),
        messages: Arc::new(BTreeMap::new()),
        url: Some("https://warn.example/".into()),
        admits: Admits::All,
        data: "/srv/forewarn-sample/data".into(),
        host: "fw-2".into(),
        shell_accounts: vec![],
        cap: Cap::default(),
        outlines: Arc::default(),
    }
}

pub(super) fn envelope<W: World>(revision: Revision, setup: Setup, address: &str) -> Envelope<W> {
    let target = Target::new("t-1".into(), address.into(), "Li Wei".into(), "email".into(), "en".into());
    let key = Key::of_delivery(&revision.id, "t-1", 0);
    Envelope {
        key,
        target,
        cause: Cause::Routed,
        link: Some("https://warn.example/a/sample-link".into()),
        revisions: vec![Arc::new(revision)],
        members: vec![],
        setup: Arc::new(setup),
    }
}

pub(super) fn beside<'a>(key: &'a str, chart: Chart<'a>) -> Beside<'a> {
    Beside { key, cause: Cause::Routed, link: None, chart }
}

pub(super) fn now() -> Now {
    Now::new(|| Moment { at: NOW, offset: Span::ZERO, trusted: true })
}

pub(super) fn rising() -> Vec<Kept> {
    let points = (0..144).filter(|n| !(60..80).contains(n));
    points
        .map(|n| {
            let observed = NOW - Span::from_mins(5 * (144 - n));
            let value = 57.2 + 1.95 / (1.0 + (-(n as f64 - 100.0) / 12.0).exp());
            kept(observed, value)
        })
        .collect()
}

pub(super) fn kept(observed: Timestamp, value: f64) -> Kept {
    let reading = Reading {
        sensor: SensorIx(0),
        source: SourceIx(0),
        observed,
        value,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    Kept { checked: Checked { reading, flag: Flag::Good }, received: observed, position: Position(1) }
}

/// What a store gives back, or that it does not answer.
#[derive(Debug)]
pub(super) struct Past(pub(super) Option<Vec<Kept>>);

impl History for Past {
    fn recent(
        &self,
        _: SensorIx,
        _: Timestamp,
        _: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<Kept>>> + Send + '_>> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

/// A server's TLS for one name, and the authority to trust for it.
pub(super) fn tls(name: &str) -> (tokio_rustls::TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.into()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a configuration");
    (tokio_rustls::TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}
