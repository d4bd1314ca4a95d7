//! A site of 5,000 gauges in a directory of its own, and the whole service on it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use forewarn::app::service::{Options, Service, Timekeeping};
use forewarn::config::Purpose;
use forewarn::config::targets::hex;
use forewarn::ingest::credentials::hash;

use crate::common::ports::free_port;

/// Gauges in all; ten of them belong to each device.
pub(crate) const STATIONS: u32 = 5_000;
/// Gauges of a device.
pub(crate) const A_DEVICE: u32 = 10;
/// The last gauges, each in an area of its own: where the alarms are.
pub(crate) const ALARMED: u32 = 600;
/// The device that speaks for all of those.
pub(crate) const EDGE: &str = "edge";

/// Webhook secret of the bench: visibly no secret.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_dGhpcy1pcy1hbi1leGFtcGxlLXNlY3JldC0wMTIz";

/// Which way readings come in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Through the built-in listener.
    Listener,
    /// From a broker on this loopback port.
    Broker(u16),
}

/// The folder of a site.
pub(crate) struct Site {
    dir: tempfile::TempDir,
    /// Where the service serves HTTP.
    pub(crate) http: u16,
    /// Where its listener takes MQTT, if that is the way.
    pub(crate) mqtt: u16,
}

impl Site {
    /// Writes its configuration; warnings go to `webhook`.
    pub(crate) fn new(way: Way, webhook: &str) -> Site {
        // On the disk that the build is on: the system's own temporary directory may well be memory.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a real disk");
        let site = Site { dir, http: free_port(), mqtt: free_port() };
        std::fs::create_dir_all(site.config().join("rules")).expect("a new directory");
        site.write("secret", WEBHOOK_SECRET);
        private(&site.config().join("secret"));
        site.write("forewarn.toml", &site.main(way));
        site.write("areas.geojson", &areas());
        site.write("devices.csv", &devices());
        let (sensors, limits) = gauges();
        site.write("sensors.csv", &sensors);
        site.write("limits.csv", &limits);
        let rule = r#"
rule = { kind = "threshold", hazard = "flood", quantity = "level", limits = "limits.csv" }
clear = { below = "0.10 m", hold = "60 min" }
"#;
        site.write("rules/river.toml", rule);
        let route =
            r#"route = [{ hazard = "flood", level = "blue..red", to = "{area}/duty", via = ["webhook"] }]"#;
        site.write("routes.toml", route);
        site.write(
            "contacts.csv",
            &format!(
                "id,name,roles,area,language,email,webhook,min_level,hours\n\
                 it,it,it,,en,,{webhook},red,\nduty,duty,duty,basin,en,,{webhook},,\n"
            ),
        );
        site
    }

    fn main(&self, way: Way) -> String {
        let way = match way {
            Way::Listener => {
                let bind = format!("127.0.0.1:{}", self.mqtt);
                format!(r#"listener = {{ bind = "{bind}", rate_max = 0, decode = {{ format = "json" }} }}"#)
            }
            Way::Broker(port) => format!(
                "[sources.river]\nmqtt = {{ url = \"mqtt://127.0.0.1:{port}\", topic = \"river/#\" }}\n\
                 decode = {{ format = \"json\" }}"
            ),
        };
        format!(
            r#"
site = {{ name = "Bench river", zone = "Asia/Shanghai" }}
operator = {{ contact = "it" }}
http = {{ bind = "127.0.0.1:{}" }}
webhook = {{ secret = {{ file = "{}" }}, allow = ["127.0.0.0/8"], plaintext = true }}
{way}
"#,
            self.http,
            self.config().join("secret").display()
        )
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.config().join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Starts the service on it.
    pub(crate) async fn start(&self) -> Service {
        let options = Options {
            config: self.config(),
            data: Some(self.data()),
            purpose: Purpose::Live,
            time: Timekeeping::System,
        };
        Service::start(options).await.unwrap_or_else(|error| panic!("{error:#}"))
    }
}

/// Makes a file readable by its owner alone, as a secret must be.
pub(crate) fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a file of ours");
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing into a String cannot fail");
}

/// The name of the n-th station.
pub(crate) fn station(n: u32) -> String {
    format!("qj-{n:05}")
}

/// The area that the n-th station stands in.
pub(crate) fn area(n: u32) -> String {
    match n.checked_sub(STATIONS - ALARMED) {
        None => "basin".into(),
        Some(at) => format!("reach-{at:03}"),
    }
}

/// The secret of a device.
pub(crate) fn secret(device: &str) -> String {
    format!("secret of {device}")
}

/// The name of the n-th device.
pub(crate) fn device(n: u32) -> String {
    format!("device-{n:03}")
}

/// `sensors.csv` and `limits.csv`.
fn gauges() -> (String, String) {
    let mut sensors =
        "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max\n".to_owned();
    let mut limits = "sensor,season,valid_from,blue,yellow,orange,red,unit,datum\n".to_owned();
    for n in 0..STATIONS {
        let (station, area) = (station(n), area(n));
        let gauge =
            format_args!("{station},level,{station},{station},28.9,118.8,{area},m,local,1 min,2 min,0,20\n");
        put(&mut sensors, gauge);
        put(&mut limits, format_args!("{station}/level,,,6,7,8,9,m,local\n"));
    }
    (sensors, limits)
}

fn devices() -> String {
    let mut text = "identity,stations,secret_sha256\n".to_owned();
    let mut row = |identity: &str, stations: std::ops::Range<u32>| {
        let sha256 = hex(&hash(secret(identity).as_bytes()));
        let stations: Vec<String> = stations.map(station).collect();
        put(&mut text, format_args!("{identity},{},{sha256}\n", stations.join(";")));
    };
    for n in 0..STATIONS / A_DEVICE {
        row(&device(n), n * A_DEVICE..(n + 1) * A_DEVICE);
    }
    row(EDGE, STATIONS - ALARMED..STATIONS);
    text
}

fn areas() -> String {
    let mut features = vec![feature("basin", "")];
    features.extend((0..ALARMED).map(|at| feature(&format!("reach-{at:03}"), r#","parent":"basin""#)));
    format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","))
}

fn feature(id: &str, parent: &str) -> String {
    let properties = format!(r#"{{"id":"{id}","name_zh":"{id}","name_en":"{id}"{parent}}}"#);
    format!(r#"{{"type":"Feature","properties":{properties},"geometry":null}}"#)
}
