//! `ports.json`: where a running service listens, for whoever starts it on
//! free ports (`127.0.0.1:0`) and for `forewarn health`. It stands in the data
//! directory from when the service is ready until it has stopped; one that a
//! crash left behind names a process that is gone.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::{Deserialize, Serialize};

use crate::config::plan::Setup;

/// The file's name in the data directory.
pub const FILE: &str = "ports.json";

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Its process.
    pub pid: u32,
    /// HTTP.
    pub http: SocketAddr,
    /// MQTT over plain TCP, if it is on.
    pub mqtt: Option<SocketAddr>,
    /// MQTT over TLS, if it is on.
    pub mqtt_tls: Option<SocketAddr>,
}

impl Listening {
    /// What a data directory's file says; `None` when no service runs there.
    pub fn read(data: &Path) -> io::Result<Option<Listening>> {
        match fs::read(path(data)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts the file in place, whole: whoever waits for it never reads half.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let new = data.join(format!("{FILE}.new"));
        let mut file = fs::File::create(&new)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        fs::rename(&new, path(data))
    }

    /// Takes it away again.
    pub fn remove(data: &Path) -> io::Result<()> {
        match fs::remove_file(path(data)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Says whether everything the setup names can be listened on, before a first
/// start leaves a data directory behind that it could do nothing with.
pub(super) fn try_ports(setup: &Setup) -> anyhow::Result<()> {
    let mqtt =
        setup.listener.iter().flat_map(|it| [("listener.bind", it.bind), ("listener.bind_tls", it.bind_tls)]);
    // Held until all are tried: two keys may name the same port.
    let mut held = Vec::new();
    for (key, bind) in mqtt.chain([("http.bind", Some(setup.http.bind))]) {
        let Some(bind) = bind else { continue };
        match TcpListener::bind(bind) {
            Ok(listener) => held.push(listener),
            Err(error) => bail!("{key} {bind}: {error}, expected a free address of this machine"),
        }
    }
    Ok(())
}

fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_until_it_is_removed() {
        let data = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(Listening::read(data.path()).expect("no file is no fault"), None);
        let http = "127.0.0.1:8080".parse().expect("an address");
        let listening = Listening { pid: 7, http, mqtt: Some(http), mqtt_tls: None };
        listening.write(data.path()).expect("written");
        assert_eq!(Listening::read(data.path()).expect("readable"), Some(listening));
        Listening::remove(data.path()).expect("removed");
        Listening::remove(data.path()).expect("removing it twice is no fault");
        assert_eq!(Listening::read(data.path()).expect("no file is no fault"), None);
    }
}
