//! `forewarn devices`: who may connect to the listener.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::args::{DevicesAction, DevicesArgs, Places};
use super::beside::{command, command_on_config};
use super::show::count;
use super::{Exit, Surroundings};
use crate::config::Purpose;
use crate::config::edit::{self, NewDevice};
use crate::config::targets::hex;
use crate::ingest::credentials;

/// Adds or lists devices.
pub(super) fn devices(args: &DevicesArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    match &args.action {
        DevicesAction::Add { identity, stations, places } => add(identity, stations, places, around),
        DevicesAction::List { places } => list(places, around),
    }
}

/// Where the devices of the service that is meant stand.
fn file_of(places: &Places) -> &'static str {
    match places.purpose() {
        Purpose::Drill => edit::DRILL_DEVICES,
        Purpose::Live | Purpose::Play => edit::DEVICES,
    }
}

fn list(places: &Places, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let devices = match edit::devices(&places.config, file_of(places)) {
        Ok(devices) => devices,
        Err(faults) => {
            writeln!(around.err, "{faults}")?;
            return Ok(Exit::Fault);
        }
    };
    for (identity, stations) in &devices {
        writeln!(around.out, "{identity}\t{}", stations.join(" "))?;
    }
    if devices.is_empty() {
        let add = command_on_config(places, "devices add IDENTITY --stations ID,ID");
        writeln!(around.err, "no devices yet, add one with: {add}")?;
        return Ok(Exit::Remarks);
    }
    Ok(Exit::Done)
}

fn add(
    identity: &str,
    stations: &[String],
    places: &Places,
    around: &mut Surroundings<'_>,
) -> io::Result<Exit> {
    let (secret, sha256) = credentials::generate().map_err(io::Error::other)?;
    let digest = hex(&sha256);
    let device = NewDevice { identity, stations, secret_sha256: &digest };
    let row = match edit::row(&places.config, file_of(places), &device) {
        Ok(row) => row,
        Err(faults) => {
            writeln!(around.err, "{faults}")?;
            return Ok(Exit::Fault);
        }
    };
    let file = places.config.join(file_of(places));
    append(&file, &row).map_err(|error| {
        let what =
            format!("{}: {error}, expected a file that can be written; no device was added", file.display());
        io::Error::new(error.kind(), what)
    })?;
    writeln!(
        around.err,
        "{identity} may speak for {}: {}",
        count(stations.len(), "station"),
        stations.join(" ")
    )?;
    writeln!(around.err, "its secret, shown this once (user name {identity}, password):")?;
    writeln!(around.out, "{}", secret.expose())?;
    writeln!(around.err, "a running service knows it after `{}`", command(places, "reload"))?;
    Ok(Exit::Done)
}

/// Appends a row to a file, on a line of its own; it stands on disk when this returns.
fn append(path: &Path, row: &edit::Row) -> io::Result<()> {
    let created = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    // Two that are added at once must not stand in one line.
    file.lock()?;
    let mut text = String::new();
    if created {
        text.push_str(&row.header);
        text.push('\n');
    } else if !ends_with_newline(&mut file)? {
        text.push('\n');
    }
    text.push_str(&row.line);
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    match path.parent().filter(|_| created) {
        Some(dir) => File::open(if dir.as_os_str().is_empty() { Path::new(".") } else { dir })?.sync_all(),
        None => Ok(()),
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::Paint;

    fn check(dir: &Path, line: &str) -> (Exit, String, String) {
        use clap::Parser;
        let line = format!("forewarn devices {line} --config {}", dir.display());
        let command = crate::cli::Cli::try_parse_from(line.split(' ')).expect("understood").command;
        let crate::cli::Command::Devices(args) = command else { panic!("devices: {line}") };
        let (mut out, mut err) = (vec![], vec![]);
        let mut around = Surroundings {
            out: &mut out,
            err: &mut err,
            paint: Paint::Off,
            now: forewarn_core::time::Timestamp(0),
            env: &|_| None,
        };
        let exit = devices(&args, &mut around).expect("written");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (exit, text(out), text(err))
    }

    #[test]
    fn a_device_is_added_once_and_its_secret_stands_nowhere() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let sensors =
            "station,quantity,lat,lon,area,unit,interval\na,rain,1,1,x,mm,5 min\nb,rain,1,1,x,mm,5 min\n";
        fs::write(dir.path().join("sensors.csv"), sensors).expect("written");
        let (exit, secret, _) = check(dir.path(), "add gw-1 --stations a,b");
        assert_eq!((exit, secret.trim().len()), (Exit::Done, 64));
        let file = fs::read_to_string(dir.path().join("devices.csv")).expect("is there");
        assert!(!file.contains(secret.trim()));
        assert!(
            file.contains(&format!("gw-1,a;b,{}", hex(&credentials::hash(secret.trim().as_bytes())))),
            "{file}"
        );
        let (exit, out, err) = check(dir.path(), "add gw-1 --stations a");
        assert_eq!((exit, out.as_str()), (Exit::Fault, ""), "{err}");
        assert!(err.contains("stands on line 2 already"), "{err}");
        let (exit, _, err) = check(dir.path(), "add gw-2 --stations c");
        assert_eq!(exit, Exit::Fault, "{err}");
        assert_eq!(check(dir.path(), "list").1, "gw-1\ta b\n");
    }

    #[test]
    fn a_row_follows_the_columns_and_the_line_end_that_stand_there() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let sensors = "station,quantity,lat,lon,area,unit,interval\na,rain,1,1,x,mm,5 min\n";
        fs::write(dir.path().join("sensors.csv"), sensors).expect("written");
        fs::write(dir.path().join("devices.csv"), "stations;secret_sha256;identity").expect("written");
        let (exit, secret, err) = check(dir.path(), "add gw-1 --stations a");
        assert_eq!(exit, Exit::Done, "{err}");
        let file = fs::read_to_string(dir.path().join("devices.csv")).expect("is there");
        let digest = hex(&credentials::hash(secret.trim().as_bytes()));
        assert_eq!(file, format!("stations;secret_sha256;identity\na;{digest};gw-1\n"));
        assert_eq!(check(dir.path(), "list").1, "gw-1\ta\n");
    }
}
