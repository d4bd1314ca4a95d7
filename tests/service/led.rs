//! The whole service on a clock that is led, with a real mail server: hours pass
//! in seconds, and what takes real time takes none of the world's.

use std::time::Instant;

use forewarn::app::service::{Options, Service, Timekeeping};
use forewarn::clock::Led;
use forewarn::config::Purpose;
use forewarn_core::event::{Decision, Input};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::Outcome;
use reqwest::Client;

use crate::common::house::{Device, Folder, Receiver, level_at, wait_for};
use crate::smtp::{LOGIN, Smtp};
use crate::tls_files::certificates;
use crate::valley::records;

/// When the world begins: 2026-07-01T00:00:00Z.
const START: Timestamp = Timestamp::from_secs(1_782_864_000);

/// Duty has five minutes by mail, then the mayor is asked.
fn folder(receiver: &Receiver, tls: &std::path::Path, port: u16) -> Folder {
    let folder = Folder::new(
        &receiver.url,
        &format!(
            r#"email = {{ host = "localhost", port = {port}, ca = "{}", user = "{}", password = {{ file = "mail-password" }}, from = "Test river <warn@example.org>" }}"#,
            tls.join("ca.pem").display(),
            LOGIN.0
        ),
    );
    folder.write("mail-password", LOGIN.1);
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("just written");
    folder.write("forewarn.toml", &toml.replace("zone = ", "url = \"https://warn.example.org\", zone = "));
    folder.write(
        "routes.toml",
        "[[route]]\nhazard = \"flood\"\nlevel = \"blue..red\"\nto = \"{area}/duty\"\nvia = [\"email\"]\n\
         ack = { within = \"5 min\", then = [\"{area}/mayor\"] }\n",
    );
    folder.write(
        "contacts.csv",
        &format!(
            "id,name,roles,area,language,email,webhook,min_level,hours\n\
             it,值班,it,,zh,,{url},,\n\
             duty,防汛办,duty,town,en,duty@example.org,,,\n\
             mayor,Mayor,mayor,town,en,mayor@example.org,,,\n",
            url = receiver.url
        ),
    );
    folder
}

/// The world's clock, and the service that goes by it.
struct World {
    led: Led,
    service: Service,
}

impl World {
    /// Moves on to `at`, stopping wherever something falls due, and there until all of it is done.
    async fn pass(&self, at: Timestamp) {
        loop {
            let due = [self.service.pulse().borrow().wake_at, self.service.courier().borrow().wake_at];
            let next = due.into_iter().flatten().min().filter(|due| *due < at);
            self.led.advance(next.unwrap_or(at));
            self.service.nudge();
            self.settle().await;
            if next.is_none() {
                return;
            }
        }
    }

    /// Waits until nothing is left to do at this instant.
    async fn settle(&self) {
        let now = self.led.now();
        wait_for("this instant to be done", || {
            let pulse = *self.service.pulse().borrow();
            let courier = self.service.courier();
            let quiet = pulse.wake_at.is_none_or(|due| due > now);
            (quiet && courier.borrow().is_settled(pulse.position, now)).then_some(())
        })
        .await;
    }
}

/// Ten minutes of the world with a red in its first; whom it was mailed to, and
/// what became of each delivery, by how long after the beginning.
async fn play(acknowledge: bool) -> Option<(Vec<String>, Vec<(Span, Outcome)>, usize)> {
    let tls = tempfile::tempdir().expect("a temporary directory");
    certificates(tls.path());
    let smtp = Smtp::start(tls.path())?;
    let receiver = Receiver::start().await;
    let folder = folder(&receiver, tls.path(), smtp.port().await);
    let secret = folder.add_device("gauge-1", "qj-1");
    let led = Led::new(START);
    let options = Options {
        config: folder.config(),
        data: Some(folder.data()),
        purpose: Purpose::Play,
        time: Timekeeping::Led(led.clone()),
    };
    let service = Service::start(options).await.unwrap_or_else(|error| panic!("{error:#}"));
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let world = World { led, service };
    let began = Instant::now();
    for minute in 1..=10 {
        let at = START + Span::from_mins(minute);
        world.pass(at).await;
        device.publish("river/qj-1", level_at("qj-1", 59.2 + minute as f64 / 1000.0, at)).await;
        device.acknowledged().await;
        world.settle().await;
        // Duty reads the mail and presses its button, which takes real time and none of the world's.
        if minute == 1 && acknowledge {
            let mail = wait_for("the mail", || smtp.mails().into_iter().next()).await;
            let text = mail["text"].as_str().expect("a body in plain letters");
            let (_, path) = text.split_once("https://warn.example.org").expect("a link");
            let path = path.split_whitespace().next().expect("its path");
            let page = format!("http://{}{path}", world.service.http_addr());
            let form = Client::new().post(page).header("content-type", "application/x-www-form-urlencoded");
            let answer = form.body("number=1").send().await.expect("an answer");
            assert!(answer.status().is_success() || answer.status().is_redirection(), "{}", answer.status());
            world.settle().await;
        }
    }
    assert!(began.elapsed().as_secs() < 9 * 60, "it is led, and waits for nothing real but what it leads to");
    world.service.stop().await;
    let records = records(&folder.data());
    let mut outcomes = vec![];
    for record in &records {
        let happened = record.inputs.iter().filter_map(|input| match input {
            Input::Outcome(it) => Some(it.outcome),
            _ => None,
        });
        outcomes.extend(happened.map(|outcome| (record.at - START, outcome)));
    }
    let decisions = records.iter().flat_map(|record| &record.decisions);
    let asked =
        decisions.filter(|(_, it)| matches!(it, Decision::Asked { due, .. } if !due.is_empty())).count();
    let to = |mail: &serde_json::Value| mail["to"][0].as_str().unwrap_or_default().to_owned();
    Some((smtp.mails().iter().map(to).collect(), outcomes, asked))
}

/// Five minutes pass in a blink, and the mail server takes longer than that.
#[tokio::test(flavor = "multi_thread")]
async fn led_escalation() {
    let Some((mailed, outcomes, asked)) = play(true).await else { return };
    assert_eq!(mailed, ["duty@example.org"], "who acknowledged in time is not gone past");
    assert_eq!(asked, 0);
    assert_eq!(outcomes, [(Span::from_mins(1), Outcome::Accepted)], "taken at the instant it was due");
    // Without that the five minutes are the world's, to the second.
    let (mailed, outcomes, asked) = play(false).await.expect("the server was there before");
    assert_eq!(mailed, ["duty@example.org", "mayor@example.org"]);
    assert!(asked > 0);
    assert_eq!(outcomes.iter().map(|(after, _)| *after).max(), Some(Span::from_mins(6)));
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Accepted), "{outcomes:?}");
}
