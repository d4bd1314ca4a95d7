//! A site of very many gauges, as files.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use forewarn::config::targets::hex;
use forewarn::ingest::credentials::hash;

use crate::child::Place;
use crate::common::ports::free_port;
use crate::site::{WEBHOOK_SECRET, device, private, secret};

/// Token of the bench: visibly no secret.
pub(crate) const TOKEN: &str = "visibly-a-token-of-the-bench-0123456789abcdef";
/// The variable in which the service finds it.
pub(crate) const TOKEN_VARIABLE: &str = "FOREWARN_BENCH_TOKEN";

/// What is configured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) sensors: u32,
    pub(crate) areas: u32,
    /// They share the gauges between them.
    pub(crate) devices: u32,
}

/// The folder of a site, on the disk that the build is on.
pub(crate) struct Crowd {
    dir: tempfile::TempDir,
    http: u16,
    mqtt: u16,
}

impl Crowd {
    /// Writes a configuration under one threshold rule; warnings go to `webhook`.
    pub(crate) fn new(size: Size, webhook: &str) -> Crowd {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a real disk");
        let site = Crowd { dir, http: free_port(), mqtt: free_port() };
        std::fs::create_dir_all(site.config().join("rules")).expect("a new directory");
        let secret = site.config().join("secret");
        site.write("secret", WEBHOOK_SECRET);
        private(&secret);
        let main = format!(
            r#"
site = {{ name = "Scale", zone = "Asia/Shanghai" }}
operator = {{ contact = "it" }}
limits = {{ memory_max = "4 GiB" }}
listener = {{ bind = "{}", decode = {{ format = "json" }} }}
http = {{ bind = "127.0.0.1:{}", tokens = {{ bench = {{ env = "{TOKEN_VARIABLE}" }} }} }}
webhook = {{ secret = {{ file = "{}" }}, allow = ["127.0.0.0/8"], plaintext = true }}
"#,
            site.mqtt(),
            site.http,
            secret.display()
        );
        site.write("forewarn.toml", &main);
        site.write("areas.geojson", &areas(size));
        site.write("devices.csv", &devices(size));
        let (sensors, limits) = gauges(size);
        site.write("sensors.csv", &sensors);
        site.write("limits.csv", &limits);
        let rule = r#"
rule = { kind = "threshold", hazard = "flood", quantity = "level", limits = "limits.csv" }
clear = { below = "0.10 m", hold = "60 min" }
"#;
        site.write("rules/river.toml", rule);
        let route = r#"route = [{ hazard = "flood", level = "red", to = "{area}/duty", via = ["webhook"] }]"#;
        site.write("routes.toml", route);
        let contacts = format!(
            "id,name,roles,area,language,email,webhook,min_level,hours\n\
             it,it,it,,en,,{webhook},red,\nduty,duty,duty,,en,,{webhook},,\n"
        );
        site.write("contacts.csv", &contacts);
        site
    }

    /// Tells of every area by mail instead, through a server on this port of the loopback.
    pub(crate) fn tell_by_mail(&self, port: u16, people: &[String]) {
        let main = std::fs::read_to_string(self.config().join("forewarn.toml")).expect("just written");
        let email = format!(
            "email = {{ host = \"127.0.0.1\", port = {port}, security = \"plaintext-unsafe\", \
             from = \"Scale <scale@warn.example>\" }}\n"
        );
        self.write("forewarn.toml", &(main + &email));
        let route = r#"route = [{ hazard = "flood", level = "red", to = "{area}/duty", via = ["email"] }]"#;
        self.write("routes.toml", route);
        let mut contacts = "id,name,roles,area,language,email,webhook,min_level,hours\n\
                            it,it,it,,en,it@people.example,,red,\n"
            .to_owned();
        for (nth, address) in people.iter().enumerate() {
            writeln!(contacts, "p-{nth},Person {nth},duty,,en,{address},,,")
                .expect("a String takes everything");
        }
        self.write("contacts.csv", &contacts);
    }

    /// Where the service finds it, and is found.
    pub(crate) fn place(&self) -> Place {
        Place { config: self.config(), data: self.dir.path().join("data"), http: self.http }
    }

    /// Where its listener takes MQTT.
    pub(crate) fn mqtt(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.mqtt).into()
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.config().join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
/// The name of the n-th station.
pub(crate) fn station(n: u32) -> String {
    format!("g-{n:07}")
}

/// What the names of areas begin with.
pub(crate) const AREA: &str = "area-";

/// The name of the n-th area.
pub(crate) fn area(n: u32) -> String {
    format!("{AREA}{n:05}")
}

fn gauges(size: Size) -> (String, String) {
    let mut sensors =
        "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max\n".to_owned();
    let mut limits = "sensor,season,valid_from,blue,yellow,orange,red,unit,datum\n".to_owned();
    for n in 0..size.sensors {
        let (station, area) =
            (station(n), area((u64::from(n) * u64::from(size.areas) / u64::from(size.sensors)) as u32));
        writeln!(sensors, "{station},level,水位站{n},Gauge {n},28.9,118.8,{area},m,local,10 min,,0,20")
            .expect("a String takes everything");
        writeln!(limits, "{station}/level,,,6,7,8,9,m,local").expect("a String takes everything");
    }
    (sensors, limits)
}

fn devices(size: Size) -> String {
    let mut text = "identity,stations,secret_sha256\n".to_owned();
    for n in 0..size.devices {
        let (identity, each) = (device(n), size.sensors / size.devices);
        let stations: Vec<String> = (n * each..(n + 1) * each).map(station).collect();
        let sha256 = hex(&hash(secret(&identity).as_bytes()));
        writeln!(text, "{identity},{},{sha256}", stations.join(";")).expect("a String takes everything");
    }
    text
}

fn areas(size: Size) -> String {
    let feature = |n: u32| {
        let id = area(n);
        let properties = format!(r#"{{"id":"{id}","name_zh":"区{n}","name_en":"Area {n}"}}"#);
        format!(r#"{{"type":"Feature","properties":{properties},"geometry":null}}"#)
    };
    let features: Vec<String> = (0..size.areas).map(feature).collect();
    format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","))
}
