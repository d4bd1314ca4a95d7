//! Outages of all that the service leans on: broker, `InfluxDB`, mail server and
//! webhook receiver, in turn and then together, while readings come and cross.
//! Nothing acknowledged is lost, every warning arrives in order, memory stays.

mod verdict;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use forewarn::config::plan::Influx;
use forewarn::log::Record;
use forewarn_core::reading::{Checked, Marks};
use tokio::time::{Instant, sleep, timeout};

use crate::carriers::{Carriers, Reported, WAYS};
use crate::child::Running;
use crate::common::house::{Folder, PATIENCE};
use crate::influx::InfluxServer;
use crate::mosquitto::Mosquitto;
use crate::publisher::Publisher;
use crate::recorder::{Mood, Recorder};
use crate::smtp::{LOGIN, Smtp};
use crate::tls_files::certificates;
use crate::valley::{records, stations, valley};

/// How long all of it lasts in `make test`; `make torture` takes ten minutes.
const SECONDS: u64 = 25;
/// Gauges that cross in and around one outage, on each way in.
const CROSSINGS: usize = 2;
/// What an outage may cost in memory: what waits is in the log, not in queues.
const GROWN_MAX: u64 = 48 << 20;
/// A target that works again has all it was due by then: the longest rest
/// between two attempts, and one attempt.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(45);
/// How often it is looked how it stands.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    Broker,
    Influx,
    Smtp,
    Webhook,
    All,
}

const OUTAGES: [Outage; 5] = [Outage::Broker, Outage::Influx, Outage::Smtp, Outage::Webhook, Outage::All];

impl Outage {
    fn takes(self, part: Outage) -> bool {
        self == part || self == Outage::All
    }
}

/// All that the service leans on.
struct Partners {
    broker: Mosquitto,
    influx: InfluxServer,
    bucket: Influx,
    smtp: Smtp,
    duty: Recorder,
    tls: tempfile::TempDir,
}

impl Partners {
    /// None where one of them is missing here.
    async fn start() -> Option<Partners> {
        let tls = tempfile::tempdir().expect("a temporary directory");
        certificates(tls.path());
        // Saved each second and when it ends, not at each message: its file grows meanwhile.
        let broker = Mosquitto::start(|_| {
            "allow_anonymous true\nmax_queued_messages 0\nautosave_on_changes false\n".into()
        })?;
        let smtp = Smtp::start(tls.path())?;
        let influx = InfluxServer::own()?;
        let bucket = influx.bucket();
        let duty = Recorder::start(Mood::Accepts).await;
        Some(Partners { broker, influx, bucket, smtp, duty, tls })
    }

    async fn stop(&mut self, outage: Outage) {
        if outage.takes(Outage::Broker) {
            self.broker.stop();
        }
        if outage.takes(Outage::Influx) {
            self.influx.stop();
        }
        if outage.takes(Outage::Smtp) {
            self.smtp.stop();
        }
        if outage.takes(Outage::Webhook) {
            self.duty.stop().await;
        }
    }

    async fn go(&mut self, outage: Outage) {
        if outage.takes(Outage::Broker) {
            self.broker.go();
        }
        if outage.takes(Outage::Influx) {
            self.influx.go();
        }
        if outage.takes(Outage::Smtp) {
            self.smtp.go().await;
        }
        if outage.takes(Outage::Webhook) {
            self.duty.go().await;
        }
    }

    /// A valley of so many gauges with a mail address and a webhook each, that
    /// takes in from the broker and from its own listener.
    async fn house(&self, operator: &Recorder, gauges: usize) -> (Folder, Publisher) {
        let (folder, publisher) = valley(&self.duty.url, gauges);
        let mut contacts = format!(
            "id,name,roles,area,language,email,webhook,min_level,hours\nit,值班,it,,zh,,{},,\n",
            operator.url
        );
        for station in stations(gauges) {
            let (mail, hook) = (format!("{station}@example.org"), &self.duty.url);
            writeln!(contacts, "duty-{station},值班,duty,at-{station},en,{mail},{hook},,")
                .expect("a String takes all");
        }
        folder.write("contacts.csv", &contacts);
        for (name, secret) in [("mail-password", LOGIN.1), ("influx-token", self.bucket.token.expose())] {
            use std::os::unix::fs::PermissionsExt as _;
            folder.write(name, secret);
            let path = folder.config().join(name);
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its owner");
        }
        let toml = fs::read_to_string(folder.config().join("forewarn.toml")).expect("it is there");
        let more = format!(
            r#"
email = {{ host = "localhost", port = {}, ca = "{}", user = "{}", password = {{ file = "mail-password" }}, from = "Valley <warn@example.org>" }}
influx = {{ url = "{}", org = "{}", bucket = "{}", token = {{ file = "{}" }} }}
[sources.river]
mqtt = {{ topic = "river/#", url = "mqtt://127.0.0.1:{}" }}
decode = {{ format = "json" }}
"#,
            self.smtp.port().await,
            self.tls.path().join("ca.pem").display(),
            LOGIN.0,
            self.bucket.url,
            self.bucket.org,
            self.bucket.bucket,
            folder.config().join("influx-token").display(),
            self.broker.port
        );
        folder.write("forewarn.toml", &(toml + &more));
        (folder, publisher)
    }
}

/// What `/metrics` says of one series, by how its line begins; 0 where there is none.
async fn metric(running: &Running, series: &str) -> f64 {
    let (_, metrics) = running.ask("GET /metrics", "", "").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0.0)
}

const INFLUX_POSITION: &str = r#"forewarn_store_position{store="influxdb"}"#;
const FROM_BROKER: &str = r#"forewarn_mqtt_messages_total{source="river",qos="1"}"#;
const UP: &str = r#"forewarn_mqtt_up{source="river"}"#;
const LOG_POSITION: &str = "forewarn_log_position";
const OUTSTANDING: &str = "forewarn_courier_outstanding";

/// What waits for a part that was away.
struct Backlog {
    readings_to_broker: usize,
    readings_to_influx: f64,
    deliveries: f64,
    /// The broker's publisher had sent so many, the log had so many.
    sent: usize,
    position: f64,
}

impl Backlog {
    async fn of(running: &Running, carriers: &Carriers) -> Backlog {
        let position = metric(running, LOG_POSITION).await;
        Backlog {
            readings_to_broker: carriers.waiting(),
            readings_to_influx: position - metric(running, INFLUX_POSITION).await,
            deliveries: metric(running, OUTSTANDING).await,
            sent: carriers.sent(),
            position,
        }
    }

    /// Whether nothing of it waits any more for what was away.
    async fn is_over(&self, outage: Outage, running: &Running, carriers: &Carriers) -> bool {
        let broker = !outage.takes(Outage::Broker)
            || (carriers.acked() >= self.sent && metric(running, FROM_BROKER).await >= self.sent as f64);
        let influx = !outage.takes(Outage::Influx) || metric(running, INFLUX_POSITION).await >= self.position;
        let people = !(outage.takes(Outage::Smtp) || outage.takes(Outage::Webhook))
            || metric(running, OUTSTANDING).await < 0.5;
        broker && influx && people
    }

    fn told(&self, outage: Outage) -> String {
        let mut parts = vec![];
        if outage.takes(Outage::Broker) {
            parts.push(format!("{} readings at the broker's gauges", self.readings_to_broker));
        }
        if outage.takes(Outage::Influx) {
            parts.push(format!("{} readings for InfluxDB", self.readings_to_influx));
        }
        if outage.takes(Outage::Smtp) || outage.takes(Outage::Webhook) {
            parts.push(format!("{} deliveries", self.deliveries));
        }
        parts.join(", ")
    }

    fn count(&self, outage: Outage) -> f64 {
        match outage {
            Outage::Broker => self.readings_to_broker as f64,
            Outage::Influx => self.readings_to_influx,
            Outage::Smtp | Outage::Webhook => self.deliveries,
            Outage::All => self.readings_to_broker as f64 + self.readings_to_influx + self.deliveries,
        }
    }
}

/// What the memory grows to meanwhile.
#[derive(Default)]
struct Memory {
    before: u64,
    most: u64,
}

impl Memory {
    fn look(&mut self, running: &Running) {
        self.most = self.most.max(running.resident());
    }

    /// Lets time pass: that an outage lasts is what is tested.
    async fn lasts(&mut self, span: Duration, running: &Running) {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.look(running);
            sleep(LOOK_EVERY).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outages_in_turn_and_together_lose_nothing() {
    let Some(mut partners) = Partners::start().await else { return };
    let seconds = std::env::var("FOREWARN_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    // One part of each outage without, and a half after it.
    let all = Duration::from_secs(seconds.unwrap_or(SECONDS));
    let share = all / OUTAGES.len() as u32 / 3;
    // Some cross before all outages: with the first mails and charts memory is what it will be.
    let gauges = (1 + OUTAGES.len()) * CROSSINGS * WAYS;
    let operator = Recorder::start(Mood::Accepts).await;
    let (folder, publisher) = partners.house(&operator, gauges).await;
    let running = Running::start(&folder).await;
    // What comes to a broker before the first subscription goes to nobody.
    while metric(&running, UP).await < 0.5 {
        sleep(LOOK_EVERY).await;
    }
    let mut carriers =
        Carriers::start(publisher, [running.mqtt(), ([127, 0, 0, 1], partners.broker.port).into()], gauges);
    let (mut memory, begun) = (Memory::default(), Instant::now());
    for _ in 0..CROSSINGS {
        carriers.rise();
        memory.lasts(share / 2, &running).await;
    }
    while metric(&running, OUTSTANDING).await > 0.5 {
        memory.lasts(LOOK_EVERY, &running).await;
    }
    memory.before = memory.most;

    for outage in OUTAGES {
        carriers.rise();
        memory.lasts(share / 2, &running).await;
        partners.stop(outage).await;
        carriers.rise();
        memory.lasts(share * 3 / 2, &running).await;
        let backlog = Backlog::of(&running, &carriers).await;
        partners.go(outage).await;
        let began = Instant::now();
        while !backlog.is_over(outage, &running, &carriers).await {
            assert!(began.elapsed() < CAUGHT_UP_WITHIN, "{outage:?}: {} still wait", backlog.told(outage));
            memory.look(&running);
            sleep(LOOK_EVERY).await;
        }
        let took = began.elapsed();
        say(&format!(
            "{outage:?} away for {:.1?}: {}, caught up in {took:.1?} ({:.0}/s), {} MiB",
            share * 3 / 2,
            backlog.told(outage),
            backlog.count(outage) / took.as_secs_f64(),
            memory.most >> 20
        ));
    }
    carriers.rise();
    memory.lasts(share.max(all.saturating_sub(begun.elapsed())), &running).await;
    let reported = carriers.finish().await;
    settled(&running, &folder, &reported).await;
    let grown = memory.most.saturating_sub(memory.before);
    say(&format!(
        "{} readings acknowledged; memory {} MiB before, {} MiB more at most",
        reported.len(),
        memory.before >> 20,
        grown >> 20
    ));
    running.stop().await;

    assert!(grown < GROWN_MAX, "{} MiB more", grown >> 20);
    let records = records(&folder.data());
    verdict::judge_readings(&folder, &partners, &records, &reported);
    verdict::judge_warnings(&folder, &partners, &records, gauges);
}

#[expect(clippy::print_stderr, reason = "the figures are what the long form is run for")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// Waits until the log has all that was reported, and its followers all that is in it.
async fn settled(running: &Running, folder: &Folder, reported: &BTreeSet<Reported>) {
    let over = async {
        // Where something is lost for good, the verdict below says what.
        let is_new = |checked: &&Checked| !checked.reading.marks.has(Marks::DUPLICATE);
        let seen = |records: &[Record]| {
            records.iter().map(|record| record.flagged.iter().filter(is_new).count()).sum::<usize>()
        };
        while seen(&records(&folder.data())) < reported.len() {
            sleep(10 * LOOK_EVERY).await;
        }
        loop {
            let end = metric(running, LOG_POSITION).await;
            if metric(running, INFLUX_POSITION).await >= end && metric(running, OUTSTANDING).await < 0.5 {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, over).await.ok();
}
