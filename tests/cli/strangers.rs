//! Who is turned away leaves a line, so does what `check` warns of, and a start that cannot listen leaves nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use crate::common::house::{Folder, wait_for};
use crate::common::packet::{packet, text};
use crate::{BINARY, Running, answer};

/// Connects as an MQTT 3.1.1 client, and gives CONNACK's return code.
fn connect(to: SocketAddr, user: &str, password: &str) -> u8 {
    let (user, password) = (text(user.as_bytes()), text(password.as_bytes()));
    let body = [&text(b"MQTT")[..], &[4, 0xc2, 0, 60], &text(b"client-1"), &user, &password].concat();
    let mut stream = TcpStream::connect(to).expect("the listener is on");
    stream.write_all(&packet(0x10, &body)).expect("it listens");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("a CONNACK");
    answer[3]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_leaves_one_line_and_never_itself() {
    let token = "example-token-of-thirty-two-letters";
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    folder.write("token", token);
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("readable");
    let with_tokens = "http = { bind = \"127.0.0.1:0\", tokens = { telemetry = { file = \"token\" } }";
    folder.write("forewarn.toml", &toml.replace("http = { bind = \"127.0.0.1:0\"", with_tokens));
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = Running::start(&folder).await;
    let mqtt = service.listening.mqtt.expect("the listener is on");
    assert_eq!(connect(mqtt, "gauge-1", &secret), 0);
    for _ in 0..5 {
        assert_ne!(connect(mqtt, "gauge-1", "hush-hush"), 0);
        assert_ne!(connect(mqtt, "mumble", "hush-hush"), 0);
    }
    // The first to install it wins; another test may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    for header in ["Bearer hush-hush", "Bearer hush-hush", "hush-hush"] {
        let url = format!("http://{}/api/v1/readings", service.listening.http);
        let answer = http.post(url).header("authorization", header).send().await.expect("it answers");
        assert_eq!(answer.status(), 401);
    }
    let said = wait_for("the lines", || {
        Some(service.said()).filter(|said| said.contains("HTTP request turned away"))
    })
    .await;
    for line in ["its password is not the device's", "no identity of devices.csv", "/api/v1/readings"] {
        assert_eq!(said.matches(line).count(), 1, "{line} in {said}");
    }
    assert!(said.lines().any(|line| line.contains("mqtt client turned away") && line.contains("gauge-1")));
    for secret in ["hush", "mumble", secret.as_str(), token] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_by_its_key_and_nothing_is_left_behind() {
    for (key, table) in [("listener.bind", "listener"), ("http.bind", "http")] {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("bound");
        let folder = Folder::new("http://127.0.0.1:9/hook", "");
        let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("readable");
        let from = format!("{table} = {{ bind = \"127.0.0.1:0\"");
        assert!(toml.contains(&from));
        folder.write("forewarn.toml", &toml.replace(&from, &format!("{table} = {{ bind = \"{address}\"")));
        let mut run = Command::new(BINARY);
        run.args(["run", "--config"]).arg(folder.config()).arg("--data").arg(folder.data());
        answer(run).check(4, &[key, &address.to_string(), "expected a free address of this machine"]);
        assert!(!folder.data().exists(), "{key}");
    }
}

#[test]
fn a_device_that_cannot_be_written_down_names_the_file() {
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    // A link to where nothing can be made: not even the superuser writes there.
    let file = folder.config().join("devices.csv");
    std::os::unix::fs::symlink(folder.path().join("nothing/devices.csv"), &file).expect("writable");
    let mut add = Command::new(BINARY);
    add.args(["devices", "add", "gauge-1", "--stations", "qj-1", "--config"]).arg(folder.config());
    let refused = answer(add).check(4, &[&file.display().to_string(), "no device was added"]);
    assert_eq!(refused.out, "", "no secret is printed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_that_check_warns_of_something() {
    const LINE: &str = "the configuration can be used; see `forewarn check` warnings=1";
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    let sound = Running::start(&folder).await;
    assert!(!sound.said().contains("forewarn check"), "{}", sound.said());
    drop(sound);
    let contacts = std::fs::read_to_string(folder.config().join("contacts.csv")).expect("readable");
    let columns = contacts.lines().next().expect("a header").split(',');
    let chief: Vec<&str> = columns
        .map(|column| match column {
            "id" | "name" | "roles" => "chief",
            "language" => "en",
            "webhook" => "http://127.0.0.1:9/chief",
            _ => "",
        })
        .collect();
    folder.write("contacts.csv", &format!("{}\n{}\n", contacts.trim_end(), chief.join(",")));
    let remarked = Running::start(&folder).await;
    assert!(remarked.said().contains(LINE), "{}", remarked.said());
}
