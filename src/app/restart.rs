//! What a reload cannot change while the service runs.

use crate::config::plan::{Listener, Setup};

/// The keys whose change waits for the next start: those that differ between
/// what the service started with and what it is to have now.
pub(super) fn needed(started: &Setup, new: &Setup) -> Vec<&'static str> {
    let mut keys = listener(started.listener.as_ref(), new.listener.as_ref());
    let mut note = |differs: bool, key| {
        if differs {
            keys.push(key);
        }
    };
    note(started.data != new.data, "data");
    note(started.http.bind != new.http.bind, "http.bind");
    note(started.http.body_max != new.http.body_max, "http.body_max");
    note(started.influx != new.influx, "influx");
    note(started.store.keep != new.store.keep, "store.keep");
    note(started.log != new.log, "log");
    keys
}

/// The keys of the listener. Its source is none of them: it has an index of its
/// own, whatever else is configured.
fn listener(started: Option<&Listener>, new: Option<&Listener>) -> Vec<&'static str> {
    let (started, new) = match (started, new) {
        (None, None) => return vec![],
        (None, Some(_)) => return vec!["listener, which is now on,"],
        // Perhaps nobody wrote that: it is on by itself only where no broker is configured.
        (Some(_), None) => {
            return vec!["listener, which is now off (by on = false, or as a broker is configured),"];
        }
        (Some(started), Some(new)) => (started, new),
    };
    let differs = [
        (started.bind != new.bind, "listener.bind"),
        (started.bind_tls != new.bind_tls, "listener.bind_tls"),
        (started.tls != new.tls, "listener.tls"),
        (started.connections_max != new.connections_max, "listener.connections_max"),
        (started.packet_max != new.packet_max, "listener.packet_max"),
        (started.rate_max != new.rate_max, "listener.rate_max"),
        (started.handshake_max != new.handshake_max, "listener.handshake_max"),
    ];
    differs.into_iter().filter_map(|(differs, key)| differs.then_some(key)).collect()
}

/// The keys in a sentence; `None` where there are none.
pub(super) fn sentence(keys: &[&str]) -> Option<String> {
    match keys {
        [] => None,
        [one] => Some(format!("{one} takes effect at the next start")),
        [first @ .., last] => Some(format!("{} and {last} take effect at the next start", first.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use forewarn_core::time::Timestamp;

    use super::*;
    use crate::config::names::FreshIndices;
    use crate::config::targets::TargetIds;
    use crate::config::{Purpose, Request, load};

    /// The example with its settings changed.
    fn setup(change: impl Fn(String) -> String) -> Setup {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("rules")).expect("writable");
        for file in ["sensors.csv", "limits.csv", "areas.geojson", "routes.toml", "contacts.csv"] {
            std::fs::copy(example.join(file), dir.path().join(file)).expect("copied");
        }
        for rule in std::fs::read_dir(example.join("rules")).expect("a folder").flatten() {
            std::fs::copy(rule.path(), dir.path().join("rules").join(rule.file_name())).expect("copied");
        }
        let settings = std::fs::read_to_string(example.join("forewarn.toml")).expect("readable");
        std::fs::write(dir.path().join("forewarn.toml"), change(settings)).expect("written");
        let at = Timestamp::from_secs(1_782_864_000);
        let request = Request {
            dir: dir.path(),
            data: Some(Path::new("/data")),
            purpose: Purpose::Live,
            at,
            env: &|_| None,
        };
        let loaded = load(&request, &mut FreshIndices::default(), &mut TargetIds::counted());
        loaded.unwrap_or_else(|faults| panic!("{faults}")).setup
    }

    #[test]
    fn what_a_reload_cannot_change_is_named_by_its_keys_and_nothing_else_is() {
        let started = setup(|settings| settings);
        let check = |from: &str, to: &str, expected: Option<&str>| {
            let new = setup(|settings| {
                assert!(settings.contains(from), "{from}");
                settings.replacen(from, to, 1)
            });
            assert_eq!(sentence(&needed(&started, &new)).as_deref(), expected, "{from} -> {to}");
        };
        let broker = "[sources.aaa]\nmqtt = { url = \"mqtt://127.0.0.1\", topic = \"a\" }\ndecode = { format = \"json\" }\n";
        check("[http]", "[http]", None);
        check("[email]", "[webhook]\nplaintext = true\n[email]", None);
        check("{ format = \"json\" }", "{ format = \"senml\" }", None);
        // Another source takes the listener's place in a fresh table of names.
        check("[http]", &format!("{broker}[http]"), None);
        check(":1883\"", ":1884\"", Some("listener.bind takes effect at the next start"));
        check(
            "[http]\nbind = \"127.0.0.1:8080\"",
            "[store]\nkeep = \"30 d\"\n[log]\nkeep = \"9 d\"\n[http]\nbind = \"127.0.0.1:8081\"",
            Some("http.bind, store.keep and log take effect at the next start"),
        );
        let moved = Setup { data: "/elsewhere".into(), ..setup(|settings| settings) };
        assert_eq!(needed(&started, &moved), ["data"]);
        let off = "listener, which is now off (by on = false, or as a broker is configured), takes effect at the next start";
        check("[listener]", &format!("{broker}[listener]\non = false"), Some(off));
    }
}
