//! Changes that the command line makes to the configuration's files.

use std::path::Path;

use super::fault::{Fault, Faults, Place, quote};
use super::raw::words::{Id, Word};
use super::raw::{devices as raw, drill, sensors, sheet};

/// The file of devices.
pub const DEVICES: &str = raw::FILE;
/// The file of a drill's devices.
pub const DRILL_DEVICES: &str = drill::DEVICES;

/// A device to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewDevice<'a> {
    /// Its user name.
    pub identity: &'a str,
    /// The stations it may speak for.
    pub stations: &'a [String],
    /// SHA-256 of its secret, hexadecimal.
    pub secret_sha256: &'a str,
}

/// A row to be appended, and the header for a file that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The header.
    pub header: String,
    /// The row, without a line end.
    pub line: String,
}

/// Every device of a configuration, with the stations it may speak for.
pub fn devices(dir: &Path, file: &str) -> Result<Vec<(String, Vec<String>)>, Faults> {
    let mut faults = Faults::default();
    let devices = raw::read(dir, file, &mut faults);
    if !faults.is_empty() {
        return Err(faults.in_order());
    }
    Ok(devices.into_iter().map(|device| (device.identity, device.stations)).collect())
}

/// The row of a new device, in the columns that the file has; refused where
/// the device is there already, or a station is not.
pub fn row(dir: &Path, file: &str, device: &NewDevice<'_>) -> Result<Row, Faults> {
    let mut faults = Faults::default();
    let place = Place::new(file, 0);
    let known = raw::read(dir, file, &mut faults);
    if let Some(first) = known.iter().find(|known| known.identity == device.identity) {
        let what = format!("identity {} stands on line {} already", quote(device.identity), first.place.line);
        let fault = Fault::new(place.clone(), what, "each identity once");
        faults.push(fault.hint("for a new secret take its row out first"));
    }
    if Id::parse(device.identity).is_none() {
        faults.push(Fault::new(
            place.clone(),
            format!("identity is {}", quote(device.identity)),
            Id::EXPECTED,
        ));
    }
    if let Some(sensors) = sensors::read(dir, &mut faults) {
        for station in device.stations.iter().filter(|station| !sensors.stations.contains(station)) {
            let what = format!("station {} is not in {}", quote(station), sensors::FILE);
            let fault = Fault::new(place.clone(), what, "a station");
            faults.push_nearest(fault, station, sensors.stations.iter());
        }
    }
    let header = sheet::header(dir, file, raw::COLUMNS, &mut faults);
    if !faults.is_empty() {
        return Err(faults.in_order());
    }
    let (delimiter, columns) = header;
    let between = if delimiter == ';' { "|" } else { ";" };
    let cell = |column: &str| match column {
        "identity" => device.identity.to_owned(),
        "stations" => device.stations.join(between),
        "secret_sha256" => device.secret_sha256.to_owned(),
        _ => String::new(),
    };
    let join = |cells: Vec<String>| cells.join(&delimiter.to_string());
    Ok(Row { line: join(columns.iter().map(|column| cell(column)).collect()), header: join(columns) })
}
