//! The abuse cases of the threat model that take the whole service, by their numbers.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use forewarn::app::listening::Listening;
use forewarn_core::authority::Role;
use forewarn_core::event::Input;
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::time::Span;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::child::Running;
use crate::common::house::{Device, Folder, level, level_at, wait_for};
use crate::common::packet::{packet, text};
use crate::mosquitto::Mosquitto;
use crate::publisher::{Message, Publisher};
use crate::recorder::{Mood, Recorder};
use crate::smtp::{LOGIN, Smtp};
use crate::tls_files::certificates;
use crate::valley::{Gauges, counted, records, revisions, valley};

/// Ids that nobody configured.
const STRANGERS: usize = 1_000_000;
/// So many in one message.
const STRANGERS_A_MESSAGE: usize = 1_000;
/// A known gauge's warning among them is there by then.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// Memory that strangers may cost, however many: what waits, and no more.
const STRANGERS_BYTES_MAX: u64 = 96 << 20;

/// What a forged line would say, were it taken for one.
const FORGED: &str = "FORGED all is well";

fn readings(folder: &Folder) -> Vec<Reading> {
    let inputs = records(&folder.data()).into_iter().flat_map(|record| record.inputs);
    inputs
        .filter_map(|input| match input {
            Input::Reading(reading) => Some(reading),
            _ => None,
        })
        .collect()
}

/// A broker hands over what it retained last week: it is history, and warns of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_06_retained_reading_of_a_week_ago() {
    let Some(broker) = Mosquitto::open() else { return };
    let recorder = Recorder::start(Mood::Accepts).await;
    let source = format!(
        "[sources.river]\nmqtt = {{ topic = \"river/#\", url = \"mqtt://127.0.0.1:{}\" }}\ndecode = {{ format = \"json\" }}\n",
        broker.port
    );
    let folder = Folder::new(&recorder.url, &source);
    let last_week = forewarn::clock::wall() - Span::from_hours(7 * 24);
    let mut options = MqttOptions::new("a-gauge", "127.0.0.1", broker.port);
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, 10);
    let publish = async |events: &mut rumqttc::EventLoop, retain: bool, payload: String| {
        client.publish("river/qj-1", QoS::AtLeastOnce, retain, payload).await.expect("the client runs");
        while !matches!(events.poll().await.expect("the broker runs"), Event::Incoming(Packet::PubAck(_))) {}
    };
    publish(&mut events, true, level_at("qj-1", 59.9, last_week)).await;

    let running = Running::start(&folder).await;
    wait_for("the retained reading", || (!readings(&folder).is_empty()).then_some(())).await;
    let first = readings(&folder)[0];
    assert!(first.marks.has(Marks::RETAINED), "{first:?}");
    // What is live is heard behind it, and warns.
    publish(&mut events, false, level("qj-1", 57.2)).await;
    recorder.wait_for_told(1).await;
    running.stop().await;
    let levels: Vec<_> = revisions(&records(&folder.data())).iter().map(|it| it.level).collect();
    assert_eq!(levels, [forewarn_core::level::Level::Yellow], "by the live reading alone");
}

/// Somebody sends again what a gauge once said, word for word.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_07_replayed_reading_counts_once() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let running = Running::start(&folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    let mut gauges = Gauges::new();
    let (red, harmless) = (gauges.dated("g-0", 59.2), gauges.dated("g-0", 50.0));
    publisher.deliver(harmless.clone()).await;
    publisher.deliver(red.clone()).await;
    recorder.wait_for_told(1).await;
    for _ in 0..50 {
        // By another connection, under other packet ids, old and new by turns.
        publisher.connect(running.mqtt()).await.expect("it serves");
        publisher.deliver(red.clone()).await;
        publisher.deliver(harmless.clone()).await;
    }
    running.stop().await;
    let records = records(&folder.data());
    assert!(counted(&records).into_values().all(|times| times == 1), "{:?}", counted(&records));
    assert_eq!(readings(&folder).len(), 102, "each was kept, marked as what it is");
    assert_eq!(revisions(&records).len(), 1, "nothing follows from it");
}

/// A device gone mad, or bad, makes up sensors by the million.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_14_sensors_that_nobody_configured() {
    let messages = STRANGERS / STRANGERS_A_MESSAGE;
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, mut gauge) = valley(&recorder.url, 2);
    let first = fs::read_to_string(folder.config().join("devices.csv")).expect("it is there");
    let mut mad = Publisher::new("mad", &folder.add_device("mad", "g-1"));
    let second = fs::read_to_string(folder.config().join("devices.csv")).expect("it is there");
    folder.write("devices.csv", &(first + second.lines().nth(1).expect("its row") + "\n"));
    let running = Running::start(&folder).await;
    gauge.connect(running.mqtt()).await.expect("it has started");
    mad.connect(running.mqtt()).await.expect("it has started");
    let series = async || running.ask("GET /metrics", "", "").await.1.lines().count();
    let mut gauges = Gauges::new();
    gauge.deliver(gauges.dated("g-0", 50.0)).await;
    let made_up = |message: usize| {
        let mut payload = String::from("[");
        for number in 0..STRANGERS_A_MESSAGE {
            let comma = if number == 0 { "" } else { "," };
            write!(payload, r#"{comma}{{"station":"x-{message}-{number}","level":59.9}}"#)
                .expect("a String takes all");
        }
        Message { station: "g-1".into(), payload: payload + "]", value: f64::NAN }
    };
    mad.deliver(made_up(messages)).await;
    let (before, resident) = (series().await, running.resident());

    let mut told = None;
    for message in 0..messages {
        mad.send(made_up(message)).await.expect("it serves");
        while mad.waiting() > 8 {
            mad.hear().await.expect("it serves");
        }
        if message == messages / 2 {
            let began = Instant::now();
            gauge.deliver(gauges.dated("g-0", 59.2)).await;
            recorder.wait_for_told(1).await;
            told = Some(began.elapsed());
        }
    }
    mad.acknowledged().await;
    let told = told.expect("it was half-way");
    assert!(told < TOLD_WITHIN, "a known gauge's warning took {told:?}");
    let (after, grown) = (series().await, running.resident().saturating_sub(resident));
    assert!(after <= before + 20, "{before} series became {after}: one for each stranger");
    assert!(grown < STRANGERS_BYTES_MAX, "{} MiB more for strangers", grown >> 20);
    running.stop().await;
    let records = records(&folder.data());
    let refused: usize = records.iter().map(|record| record.refused.len()).sum();
    assert_eq!(refused, messages + 1, "each message is kept once, with what was wrong with it");
    assert_eq!(revisions(&records).len(), 1);
}

/// A receiver that says it is gone is given up for that delivery, and told of;
/// the contact's other address has it, and the next one is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_25_receiver_that_says_410_is_not_silently_dropped() {
    let tls = tempfile::tempdir().expect("a temporary directory");
    certificates(tls.path());
    let Some(smtp) = Smtp::start(tls.path()) else { return };
    let (duty, operator) = (Recorder::start(Mood::Gone).await, Recorder::start(Mood::Accepts).await);
    let email = format!(
        r#"email = {{ host = "localhost", port = {}, ca = "{}", user = "{}", password = {{ file = "mail-password" }}, from = "Test river <warn@example.org>" }}"#,
        smtp.port().await,
        tls.path().join("ca.pem").display(),
        LOGIN.0
    );
    let folder = Folder::new(&duty.url, &email);
    folder.write("mail-password", LOGIN.1);
    let contacts = format!(
        "id,name,roles,area,language,email,webhook,min_level,hours\n\
         it,值班,it,,zh,,{},,\n\
         duty,防汛办,duty,town,zh,duty@example.org,{},,\n",
        operator.url, duty.url
    );
    folder.write("contacts.csv", &contacts);
    let mut publisher = Publisher::new("gauge-1", &folder.add_device("gauge-1", "qj-1"));
    let running = Running::start(&folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    let mut gauges = Gauges::new();
    publisher.deliver(gauges.dated("qj-1", 57.2)).await;
    operator
        .wait_for("the operator is told", |seen| {
            seen.iter().any(|attempt| attempt.revision["trouble"]["code"] == "dead-letter")
        })
        .await;
    wait_for("the mail", || (!smtp.mails().is_empty()).then_some(())).await;
    assert_eq!(duty.seen().len(), 1, "gone for good: asked once, {:?}", duty.seen());

    duty.turns(Mood::Accepts);
    publisher.deliver(gauges.dated("qj-1", 59.2)).await;
    duty.wait_for_told(1).await;
    assert_eq!(duty.told(), [("update".to_owned(), "red".to_owned(), 2)], "it was tried again");
    running.stop().await;
}

/// Says CONNECT with these words, and waits for the end.
async fn knock(address: std::net::SocketAddr, client: &str, user: &str, password: &str) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let mut body = text(b"MQTT");
    body.extend([4, 0b1100_0010, 0, 60]);
    [client, user, password].into_iter().for_each(|part| body.extend(text(part.as_bytes())));
    stream.write_all(&packet(0x10, &body)).await.expect("it listens");
    let mut rest = vec![];
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut rest).await;
}

/// Words with a line of their own in them, and orders to a terminal.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_44_line_in_a_field_of_the_log() {
    let line = format!(r#"{{"level":"INFO","fields":{{"message":"{FORGED}"}}}}"#);
    let evil = [
        format!("a\n{line}\n"),
        format!("a\r{FORGED}\r\n"),
        format!("\u{1b}[2J\u{1b}[31m{FORGED}\u{7}\u{9b}1m"),
    ];
    for format in ["json", "text"] {
        let recorder = Recorder::start(Mood::Accepts).await;
        let (folder, mut publisher) = valley(&recorder.url, 1);
        let mut running = Running::spawn_as(&folder, "trace", format, &[]);
        let listening = wait_for("it has started", || Listening::read(&folder.data()).ok().flatten()).await;
        let mqtt = listening.mqtt.expect("the listener is on");
        publisher.connect(mqtt).await.expect("it has started");
        for words in &evil {
            knock(mqtt, words, "gateway-1", "wrong").await;
            knock(mqtt, "c", words, words).await;
            let escaped = serde_json::to_string(words).expect("JSON");
            for payload in [
                words.clone(),
                format!(r#"{{"station":{escaped},"level":59.9}}"#),
                format!(r#"{{"station":"g-0","level":50,"time":{escaped}}}"#),
            ] {
                publisher.deliver(Message { station: "g-0".into(), payload, value: f64::NAN }).await;
            }
            // A topic with a line in it ends the connection.
            let unknown = Message { station: words.clone(), payload: words.clone(), value: f64::NAN };
            publisher.send(unknown).await.expect("it listens");
            publisher.hear_out().await;
            publisher.forget();
            publisher.connect(mqtt).await.expect("it serves");
            let mut http = TcpStream::connect(listening.http).await.expect("it listens");
            let request = format!(
                "POST /api/v1/readings?{0} HTTP/1.0\r\nAuthorization: Bearer {0}\r\nX-{0}: {0}\r\nContent-Length: 2\r\n\r\n{{}}",
                words.replace(' ', "%20")
            );
            http.write_all(request.as_bytes()).await.expect("it listens");
            let _ = http.read_to_end(&mut vec![]).await;
        }
        let kept = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(["quarantine", "--data"])
            .arg(folder.data())
            .output();
        let kept = String::from_utf8(kept.expect("it runs").stdout).expect("UTF-8");
        assert!(kept.lines().count() > 6, "the strangers are kept: {kept}");
        running.strike();
        let (_, said) = running.ended().await;
        for (nth, line) in said.lines().chain(kept.lines()).enumerate() {
            let bare = line.chars().find(|sign| sign.is_control());
            assert_eq!(bare, None, "{format}: {line:?}");
            assert!(!line.starts_with(FORGED), "{format}: {line:?}");
            let read: Option<serde_json::Value> = serde_json::from_str(line).ok();
            let message = read.as_ref().map(|line| line["fields"]["message"].clone());
            assert_ne!(message, Some(FORGED.into()), "{format}: {line:?}");
            assert!(format == "text" || nth >= said.lines().count() || read.is_some(), "{format}: {line:?}");
        }
        assert!(said.contains("turned away"), "it is told who knocked: {said}");
    }
}

/// A gauge says the very same for longer than it may: those who look see that
/// it is suspect and since when, and nobody is shown it as normal.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_20_stuck_sensor_is_shown_as_suspect() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let folder = Folder::new(&recorder.url, "");
    folder.write(
        "sensors.csv",
        "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,flat_suspect\n\
         qj-1,level,曲江站,Qujiang gauge,28.9,118.8,town,m,1985-national,1 min,1 min,10 min\n",
    );
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    let began = forewarn::clock::wall() - Span::from_mins(20);
    let now = forewarn::clock::wall();
    let everywhere = forewarn::accounts::Reach::Everywhere;
    let token = service.accounts().add_token("test", Role::Viewer, &everywhere, Span::from_hours(1), now);
    let token = token.expect("it can be made").0.expose().to_owned();
    let base = format!("http://{}", service.http_addr());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let page = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{base}{path}")).bearer_auth(&token);
        request.send().await.expect("an answer").text().await.expect("a body")
    };
    let shown = async || {
        let text = page("/api/v1/sensors/qj-1/level").await;
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    for minute in 0..20 {
        let value = if minute < 5 { 50.0 + f64::from(minute) / 100.0 } else { 50.5 };
        let at = began + Span::from_mins(i64::from(minute));
        device.publish("river/qj-1", level_at("qj-1", value, at)).await;
        device.acknowledged().await;
        if minute == 14 {
            let sensor = shown().await;
            assert_eq!((&sensor["level"], &sensor["flag"]), (&"normal".into(), &1.into()), "{sensor}");
            assert!(sensor["flat_since"].is_null(), "{sensor}");
        }
    }
    let sensor = shown().await;
    assert_eq!((&sensor["level"], &sensor["flag"]), (&serde_json::Value::Null, &3.into()), "{sensor}");
    assert_eq!(sensor["rules"][0]["why"], "suspect", "{sensor}");
    let since = sensor["flat_since"].as_str().expect("since when");
    let board = page("/sensors/qj-1/level").await;
    for words in ["读数不变，自", "可疑"] {
        assert!(board.contains(words), "no {words}: {board}");
    }
    let flat = |readings: &[forewarn_core::reading::Checked]| -> Vec<u8> {
        readings.iter().map(|checked| checked.flag.number()).collect()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_forewarn"));
    command.args(["sensors", "qj-1/level", "--config"]).arg(folder.config()).arg("--data").arg(folder.data());
    let told = command.output().expect("the binary was built");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("flat       the same value since"), "{told}");
    assert!(told.contains(&since[11..16]), "{since}: {told}");
    service.stop().await;
    let kept: Vec<_> = records(&folder.data()).into_iter().flat_map(|record| record.flagged).collect();
    assert_eq!(flat(&kept), [&[1; 15][..], &[3; 5]].concat(), "and kept as such");
    assert!(revisions(&records(&folder.data())).is_empty(), "nobody is woken for it");
}
