//! `devices.csv` as written: who may connect to the listener, and speak for
//! which stations.

use std::collections::BTreeMap;
use std::path::Path;

use super::sheet::{Column, Sheet, must};
use super::words::{Id, Word};
use crate::config::fault::{Fault, Faults, Place, quote};

/// The file's name.
pub(crate) const FILE: &str = "devices.csv";

/// Its columns.
pub(crate) const COLUMNS: &[Column] = &[
    must("identity", "user name of the device or gateway"),
    must("stations", "the stations it may speak for, with ; between them"),
    must("secret_sha256", "SHA-256 of its secret, as `forewarn devices add` writes it"),
];

/// One device or gateway.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) place: Place,
    pub(crate) identity: String,
    pub(crate) stations: Vec<String>,
    pub(crate) secret_sha256: [u8; 32],
}

/// Reads it, if it is there.
pub(crate) fn read(dir: &Path, file: &str, faults: &mut Faults) -> Vec<Device> {
    let Ok(Some(sheet)) = Sheet::optional(dir, file, COLUMNS, faults) else { return vec![] };
    let mut devices: Vec<Device> = vec![];
    let mut lines = BTreeMap::new();
    for mut row in sheet.rows() {
        row.shape(faults);
        let identity = row.must::<Id>("identity", faults);
        let stations: Vec<Id> = row.several("stations", faults);
        let secret = row.must::<Digest>("secret_sha256", faults);
        if stations.is_empty() && row.sound() {
            row.fault(Fault::new(row.place.clone(), "stations is empty", "one station at least"), faults);
        }
        let (true, Some(identity), Some(secret)) = (row.sound(), identity, secret) else { continue };
        if let Some(first) = lines.insert(identity.0.clone(), row.place.line) {
            let what = format!("identity {} stands on line {} already", quote(&identity.0), first);
            faults.push(Fault::new(row.place.clone(), what, "each identity once"));
            continue;
        }
        devices.push(Device {
            place: row.place.clone(),
            identity: identity.0,
            stations: stations.into_iter().map(|id| id.0).collect(),
            secret_sha256: secret.0,
        });
    }
    devices
}

/// A SHA-256. Never shown: someone may have written the secret itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

/// SHA-256 of nothing: what `sha256sum` says of an empty secret.
const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Word for Digest {
    const EXPECTED: &'static str =
        "SHA-256 of a secret, 64 hexadecimal digits, as \"forewarn devices add\" writes it";

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() || text.eq_ignore_ascii_case(OF_NOTHING) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Digest(bytes))
    }

    fn shown(_: &str) -> String {
        "no such digest".to_owned()
    }
}
