//! A drill beside a live service, with real receivers at both ends: what is of
//! one world reaches nobody of the other.

use std::collections::BTreeMap;

use forewarn::app::service::{Options, Service, Timekeeping};
use forewarn::app::simulate::{self, Shape, Simulation};
use forewarn::config::Purpose;
use forewarn::config::secret::Secret;
use forewarn::state::StateReader;
use forewarn_core::time::Span;
use serde_json::Value;

use crate::common::house::{Device, Folder, Receiver, WEBHOOK_SECRET, level, wait_for};
use crate::smtp::{LOGIN, Smtp};
use crate::tls_files::certificates;

/// Drills before the one warning that is real.
const DRILLS: usize = 50;

/// A gauge with its live contacts, and a drill with others.
struct Site {
    folder: Folder,
    live: Receiver,
    drill: Receiver,
    gauge: String,
    player: String,
}

/// Settings of a drill; `more` stands at their end.
fn drill_toml(more: &str) -> String {
    format!(
        "data = \"../drill-data\"\n\
         listener = {{ bind = \"127.0.0.1:0\" }}\n\
         http = {{ bind = \"127.0.0.1:0\" }}\n\
         webhook = {{ secret = {{ file = \"drill-secret\" }}, allow = [\"127.0.0.0/8\"], plaintext = true }}\n{more}"
    )
}

impl Site {
    /// Both by webhook alone.
    async fn new() -> Site {
        let (live, drill) = (Receiver::start().await, Receiver::start().await);
        let folder = Folder::new(&live.url, "");
        let gauge = folder.add_device("gauge-1", "qj-1");
        std::fs::create_dir(folder.config().join("drill")).expect("writable");
        let (secret, sha256) = forewarn::ingest::credentials::generate().expect("random numbers");
        let hash = forewarn::config::targets::hex(&sha256);
        let devices = format!("identity,stations,secret_sha256\nplayer,qj-1,{hash}\n");
        folder.write("drill/devices.csv", &devices);
        private(&folder, "drill-secret", WEBHOOK_SECRET);
        folder.write("drill/drill.toml", &drill_toml(""));
        folder.write(
            "drill/routes.toml",
            r#"route = [{ hazard = "flood", level = "blue..red", to = "{area}/duty", via = ["webhook"] }]"#,
        );
        let contacts = format!(
            "id,name,roles,area,language,email,webhook\n\
             it,值班演练,it,,zh,,{url}\n\
             player,防汛办演练,duty,town,zh,,{url}\n",
            url = drill.url
        );
        folder.write("drill/contacts.csv", &contacts);
        Site { folder, live, drill, gauge, player: secret.expose().to_owned() }
    }

    async fn try_start(&self, data: &str) -> anyhow::Result<Service> {
        Service::start(Options {
            config: self.folder.config(),
            data: Some(self.folder.path().join(data)),
            purpose: Purpose::Drill,
            time: Timekeeping::System,
        })
        .await
    }

    async fn start(&self, data: &str) -> Service {
        self.try_start(data).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// A flood of two readings, the second of them red, by this device.
    fn flood(to: &Service, device: (&str, &str)) -> Simulation {
        let address = to.mqtt_addr().expect("the listener is on");
        Simulation {
            sensor: ("qj-1".into(), "level".into()),
            shape: Shape::Ramp,
            low: 55.2,
            peak: 59.1,
            lasts: Span(1_000),
            every: Span(1_000),
            to: (address.ip().to_string(), address.port()),
            login: Some((device.0.to_owned(), Secret::new(device.1.to_owned()))),
        }
    }

    async fn play(&self, to: &Service) {
        let flood = Site::flood(to, ("player", &self.player));
        assert_eq!(simulate::play(&flood, &mut Vec::new()).await.expect("played"), 2);
    }
}

/// Writes a file that only its owner reads.
fn private(folder: &Folder, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;

    folder.write(name, text);
    let path = folder.config().join(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its owner");
}

/// How often each address got a mail.
fn by_address(mails: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for mail in mails {
        assert_eq!(mail["to"].as_array().map(Vec::len), Some(1), "one receiver a mail");
        *counts.entry(mail["to"][0].as_str().expect("an address").to_owned()).or_default() += 1;
    }
    counts
}

/// Why each message lies in quarantine, oldest first.
fn quarantined(data: &std::path::Path) -> Vec<String> {
    let reader = StateReader::open_read_only(&data.join("state.db")).expect("a projection");
    let rows = reader.quarantine(100).expect("readable");
    rows.into_iter().rev().map(|row| row.reason).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_drills_and_then_one_live_warning_reach_exactly_their_own() {
    let tls = tempfile::tempdir().expect("a temporary directory");
    certificates(tls.path());
    let Some(smtp) = Smtp::start(tls.path()) else { return };
    let site = Site::new().await;
    let (folder, port) = (&site.folder, smtp.port().await);
    let email = |password: &str, from: &str| {
        format!(
            "email = {{ host = \"localhost\", port = {port}, ca = \"{}\", user = \"{}\", \
             password = {{ file = \"{password}\" }}, from = \"{from}\" }}\n",
            tls.path().join("ca.pem").display(),
            LOGIN.0
        )
    };
    private(folder, "mail-password", LOGIN.1);
    private(folder, "drill-mail-password", LOGIN.1);
    let live = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("readable");
    folder.write("forewarn.toml", &(live + &email("mail-password", "River <warn@example.org>")));
    folder.write("drill/drill.toml", &drill_toml(&email("drill-mail-password", "DRILL <drill@example.org>")));
    let routes = r#"route = [{ hazard = "flood", level = "blue..red", to = "{area}/duty", via = ["webhook", "email"] }]"#;
    folder.write("drill/routes.toml", routes);
    folder.write(
        "contacts.csv",
        &format!(
            "id,name,roles,area,language,email,webhook\nit,值班,it,,zh,it@example.org,\n\
             duty,防汛办,duty,town,zh,duty@example.org,{url}\n\
             adviser,Adviser,duty,town,en,adviser@example.org,\n\
             mayor,镇长,mayor,town,zh,mayor@example.org,\n",
            url = site.live.url
        ),
    );
    folder.write(
        "drill/contacts.csv",
        &format!(
            "id,name,roles,area,language,email,webhook,takes_part\n\
             it,值班演练,it,,zh,it-drill@example.org,,\n\
             player,防汛办演练,duty,town,zh,player@example.org,{url},\n\
             guest,Guest,duty,town,en,guest@example.org,,\n",
            url = site.drill.url
        ),
    );

    let service = folder.start().await;
    for drill in 1..=DRILLS {
        let data = format!("drill-{drill}");
        let running = site.start(&data).await;
        site.play(&running).await;
        wait_for("a drill's mails", || (smtp.mails().len() >= 2 * drill).then_some(())).await;
        site.drill.wait_for("a drill's webhook", |got| got.len() >= drill).await;
        running.stop().await;
    }
    let expected: BTreeMap<String, usize> =
        [("player@example.org".to_owned(), DRILLS), ("guest@example.org".to_owned(), DRILLS)].into();
    let drilled = smtp.mails();
    assert_eq!(by_address(&drilled), expected);
    assert_eq!((site.live.got().len(), site.drill.got().len()), (0, DRILLS), "{:#?}", site.live.got());
    for mail in &drilled {
        let subject = mail["subject"].as_str().expect("a subject");
        assert!(subject.contains("[演练]") || subject.contains("[EXERCISE]"), "{subject}");
        assert_eq!(mail["from"], "drill@example.org");
        assert_eq!(mail["headers"]["x-forewarn-status"], "X-Forewarn-Status: Exercise");
    }
    for post in site.drill.got() {
        assert_eq!(
            (&post.body["status"], &post.body["revisions"][0]["text"]["mark"]),
            (&"Exercise".into(), &"演练".into())
        );
    }

    let mut device =
        Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &site.gauge);
    device.publish("river/qj-1", level("qj-1", 55.2)).await;
    device.publish("river/qj-1", level("qj-1", 59.1)).await;
    device.acknowledged().await;
    site.live.wait_for("the live webhook", |got| !got.is_empty()).await;
    wait_for("the live mails", || (smtp.mails().len() >= drilled.len() + 2).then_some(())).await;
    assert_eq!(service.stop().await.undelivered, 0);

    let real = smtp.mails().split_off(drilled.len());
    let expected: BTreeMap<String, usize> =
        [("duty@example.org".to_owned(), 1), ("adviser@example.org".to_owned(), 1)].into();
    assert_eq!(by_address(&real), expected);
    assert_eq!((site.live.got().len(), site.drill.got().len()), (1, DRILLS));
    assert_eq!(site.live.got()[0].body["status"], "Actual");
    for mail in &real {
        let whole = mail.to_string();
        assert!(!whole.contains("演练") && !whole.to_uppercase().contains("EXERCISE"), "{whole}");
        assert_eq!(mail["from"], "warn@example.org");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_world_takes_the_others_readings() {
    let site = Site::new().await;
    let (live, drill) = (site.folder.start().await, site.start("drill-data").await);
    let simulated = |metres: f64| level("qj-1", metres).replace('}', ",\"simulated\":true}");

    let mut gauge = Device::connect(live.mqtt_addr().expect("on"), "gauge-1", &site.gauge);
    gauge.publish("river/qj-1", simulated(59.1)).await;
    gauge.publish("drill/qj-1", level("qj-1", 59.2)).await;
    gauge.acknowledged().await;
    let mut player = Device::connect(drill.mqtt_addr().expect("on"), "player", &site.player);
    player.publish("river/qj-1", level("qj-1", 59.3)).await;
    player.acknowledged().await;

    let data = site.folder.data();
    wait_for("the live quarantine", || (quarantined(&data).len() >= 2).then_some(())).await;
    assert_eq!(
        quarantined(&data),
        [
            "reading of \"qj-1\"/\"level\" is simulated, and the service is live",
            "came below drill/, where only drills are, and the service is live"
        ]
    );
    let data = site.folder.path().join("drill-data");
    wait_for("the drill's quarantine", || (!quarantined(&data).is_empty()).then_some(())).await;
    let why = "reading of \"qj-1\"/\"level\" is no drill's, expected one marked as simulated or below drill/ (or mirror = true)";
    assert_eq!(quarantined(&data), [why]);

    // Each world's own is taken all the same, and a drill may follow live gauges where it says so.
    player.publish("drill/qj-1", level("qj-1", 58.1)).await;
    site.drill.wait_for("a drill by its topic", |got| got.len() == 1).await;
    site.folder.write("drill/drill.toml", &drill_toml("mirror = true\n"));
    drill.desk().reload(forewarn::app::desk::Orphan::Refuse).await.expect("reloaded");
    player.publish("river/qj-1", level("qj-1", 59.4)).await;
    let got = site.drill.wait_for("a drill by a live gauge", |got| got.len() == 2).await;
    assert!(got.iter().all(|post| post.body["status"] == "Exercise"), "{got:#?}");
    gauge.publish("river/qj-1", level("qj-1", 59.5)).await;
    let got = site.live.wait_for("the live alert", |got| !got.is_empty()).await;
    assert_eq!((got.len(), &got[0].body["status"]), (1, &"Actual".into()));
    live.stop().await;
    drill.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_publishes_nothing_to_a_live_listener() {
    let site = Site::new().await;
    let service = site.folder.start().await;
    let before = service.pulse().borrow().position;
    let flood = Site::flood(&service, ("gauge-1", &site.gauge));
    let mut said = Vec::new();
    let refused = simulate::play(&flood, &mut said).await.expect_err("a live listener").to_string();
    assert!(refused.contains("is the listener of a live service: nothing was published"), "{refused}");
    assert!(said.is_empty());
    service.stop().await;
    let records = forewarn::log::Records::open_read_only(&site.folder.data(), before.next()).expect("a log");
    let inputs = records.flat_map(|record| record.expect("sound").inputs);
    let came = inputs.filter(|input| matches!(input, forewarn_core::event::Input::Reading(_)));
    assert_eq!((came.count(), site.live.got().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_starts_on_nothing_that_is_live() {
    let site = Site::new().await;
    site.folder.start().await.stop().await;
    let on_live = site.try_start("data").await.expect_err("live data");
    assert!(format!("{on_live:#}").contains("data of the drill"), "{on_live:#}");
    site.folder.write("forewarn.toml", &{
        let text = std::fs::read_to_string(site.folder.config().join("forewarn.toml")).expect("readable");
        format!("data = \"../elsewhere\"\n{text}")
    });
    let stamped = site.try_start("data").await.expect_err("a live directory");
    assert!(format!("{stamped:#}").contains("stamped live, expected drill"), "{stamped:#}");
    site.start("drill-data").await.stop().await;
    let live = Options {
        config: site.folder.config(),
        data: Some(site.folder.path().join("drill-data")),
        purpose: Purpose::Live,
        time: Timekeeping::System,
    };
    let stamped = Service::start(live).await.expect_err("a drill's directory");
    assert!(format!("{stamped:#}").contains("stamped drill, expected live"), "{stamped:#}");
    std::fs::remove_dir_all(site.folder.config().join("drill")).expect("removed");
    let without = site.try_start("fresh").await.expect_err("no drill folder");
    assert!(format!("{without:#}").contains("drill: is missing, expected a folder"), "{without:#}");
    assert!(format!("{without:#}").contains("docs/drills.md"), "{without:#}");
}

/// Copies what one projection says of a status into another, as released and not yet sent.
fn smuggle(status: &str, from: &std::path::Path, into: &std::path::Path) {
    let database = rusqlite::Connection::open(into.join("state.db")).expect("a projection");
    let attach = format!("ATTACH '{}' AS other", from.join("state.db").display());
    database.execute_batch(&attach).expect("attached");
    let copy = format!(
        "INSERT INTO main.warnings SELECT * FROM other.warnings WHERE status = '{status}';
         INSERT INTO main.revisions SELECT * FROM other.revisions WHERE status = '{status}';
         INSERT INTO main.deliveries SELECT * FROM other.deliveries WHERE status = '{status}';
         UPDATE main.deliveries SET state = 'queued', released = 1 WHERE status = '{status}';"
    );
    database.execute_batch(&copy).expect("copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_smuggled_into_the_other_world_is_told_and_not_sent() {
    let site = Site::new().await;
    let (live, drill) = (site.folder.start().await, site.start("drill-data").await);
    site.play(&drill).await;
    site.drill.wait_for("the drill", |got| got.len() == 1).await;
    let mut gauge = Device::connect(live.mqtt_addr().expect("on"), "gauge-1", &site.gauge);
    gauge.publish("river/qj-1", level("qj-1", 59.1)).await;
    site.live.wait_for("the live alert", |got| got.len() == 1).await;
    drop(gauge);
    live.stop().await;
    drill.stop().await;
    let (here, there) = (site.folder.data(), site.folder.path().join("drill-data"));
    smuggle("Exercise", &there, &here);

    let live = site.folder.start().await;
    let got = site.live.wait_for("what the operator is told", |got| got.len() == 2).await;
    let trouble = &got[1].body["revisions"][0]["trouble"];
    assert_eq!(
        (&got[1].body["status"], &trouble["code"]),
        (&"Actual".into(), &"other-world".into()),
        "{got:#?}"
    );
    let detail = "属于另一环境、未发送的投递：1";
    assert!(got[1].body.to_string().contains(detail), "{}", got[1].body);
    live.stop().await;
    // What was live goes the other way no further.
    smuggle("Actual", &here, &there);
    let drill = site.start("drill-data").await;
    let got = site.drill.wait_for("what the drill's operator is told", |got| got.len() == 2).await;
    assert_eq!(got[1].body["status"], "Exercise");
    assert_eq!(got[1].body["revisions"][0]["trouble"]["code"], "other-world");
    drill.stop().await;
    assert_eq!((site.live.got().len(), site.drill.got().len()), (2, 2));
}
