//! Configuration as written: the words of each file, each with its line.
//! Nothing outside `config` sees these types; `build` makes of them what is
//! meant. Only recipes (`channels`) are the room's of that name to judge: it
//! reads them by the same words.

pub(crate) mod addresses;
pub(crate) mod areas;
pub(crate) mod cap;
pub(crate) mod channels;
pub(crate) mod chat;
pub(crate) mod contacts;
pub(crate) mod devices;
pub(crate) mod drill;
pub(crate) mod forewarn_toml;
pub(crate) mod limits;
pub(crate) mod member;
pub(crate) mod messages;
pub(crate) mod routes;
pub(crate) mod rules;
pub(crate) mod secret;
pub(crate) mod sensors;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Purpose;
use super::fault::{Fault, Faults, Place};

/// Largest table or map read, bytes: a configuration of a nation's gauges is a tenth of it.
const FILE_MAX: u64 = 256 * 1024 * 1024;
/// Largest TOML file read, bytes. People write these by hand, and what is in them is read as a whole.
const TOML_MAX: u64 = 8 * 1024 * 1024;

/// Everything as written. A file that could not be read at all is `None`;
/// what leans on it is then not judged, so that one fault makes no hundred.
pub(crate) struct Raw {
    pub(crate) main: Option<forewarn_toml::Main>,
    pub(crate) sensors: Option<sensors::Sensors>,
    pub(crate) devices: Vec<devices::Device>,
    pub(crate) limits: Option<limits::Limits>,
    pub(crate) areas: Option<areas::Areas>,
    pub(crate) rules: rules::Rules,
    pub(crate) routes: Option<routes::Routes>,
    pub(crate) contacts: Option<contacts::Contacts>,
    pub(crate) messages: messages::Messages,
    /// The site's own files of `channels/`, by file name.
    pub(crate) recipes: BTreeMap<String, String>,
    /// Which files hold what a drill has of its own.
    pub(crate) files: Files,
    /// What is live beside a drill, and whether it follows live gauges; none unless this is one.
    pub(crate) beside: Option<Beside>,
}

/// Live settings beside those of a drill.
pub(crate) struct Beside {
    pub(crate) live: drill::Live,
    pub(crate) mirror: bool,
}

/// The files that differ between the worlds, for faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files {
    /// Of what leads in and out: data, operator, sources, listener, http, email, webhook, chat, sms.
    pub(crate) ways: &'static str,
    pub(crate) routes: &'static str,
    pub(crate) contacts: &'static str,
}

impl Files {
    const LIVE: Files = Files { ways: forewarn_toml::FILE, routes: routes::FILE, contacts: contacts::FILE };
    const DRILL: Files = Files { ways: drill::FILE, routes: drill::ROUTES, contacts: drill::CONTACTS };
}

impl Raw {
    /// Reads every file below `dir`.
    pub(crate) fn read(dir: &Path, purpose: Purpose, faults: &mut Faults) -> Raw {
        let main = forewarn_toml::read(dir, faults);
        let raw = Raw {
            main: None,
            sensors: sensors::read(dir, faults),
            devices: vec![],
            limits: limits::read(dir, faults),
            areas: areas::read(dir, faults),
            rules: rules::read(dir, faults),
            routes: None,
            contacts: None,
            messages: messages::read(dir, faults),
            recipes: channels::read(dir, &crate::channels::chat::SERVICES, faults),
            files: Files::LIVE,
            beside: None,
        };
        match purpose {
            Purpose::Live | Purpose::Play => Raw {
                main,
                devices: devices::read(dir, devices::FILE, faults),
                routes: routes::read(dir, routes::FILE, faults),
                contacts: contacts::read(dir, contacts::FILE, faults),
                ..raw
            },
            Purpose::Drill => {
                let drill::Written { main, mirror, routes, contacts, devices, live } =
                    drill::read(dir, main, faults);
                let beside = Some(Beside { live, mirror });
                Raw { main, devices, routes, contacts, files: Files::DRILL, beside, ..raw }
            }
        }
    }
}

/// Names that something may refer to; those whose own line is at fault too,
/// so that one fault is told once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: BTreeSet<String>,
    /// Whether a name could not be read, so that any may be the one.
    torn: bool,
}

impl Names {
    /// Adds one; false where it is there already.
    pub(crate) fn insert(&mut self, name: String) -> bool {
        self.known.insert(name)
    }

    /// Notes that a name could not be read.
    pub(crate) fn tear(&mut self) {
        self.torn = true;
    }

    /// Whether something may refer to this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.torn || self.known.contains(name)
    }

    /// Those that could be read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }
}

/// A whole text file: UTF-8, without a byte order mark. `Ok(None)` when there is none.
fn text(dir: &Path, file: &str) -> Result<Option<String>, Fault> {
    let place = || Place::new(file, 0);
    let path = dir.join(file);
    let found = match fs::metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Fault::new(place(), format!("cannot be read ({error})"), "a readable file"));
        }
    };
    if !found.is_file() {
        return Err(Fault::new(place(), "is not a file", "a file"));
    }
    let most = if path.extension().is_some_and(|it| it == "toml") { TOML_MAX } else { FILE_MAX };
    if found.len() > most {
        let what = format!("has {} MiB", found.len() >> 20);
        return Err(Fault::new(place(), what, format!("at most {} MiB", most >> 20)));
    }
    let bytes = fs::read(&path)
        .map_err(|error| Fault::new(place(), format!("cannot be read ({error})"), "a readable file"))?;
    utf8(file, bytes).map(Some)
}

/// Text of a file's bytes, or what else they seem to be.
fn utf8(file: &str, bytes: Vec<u8>) -> Result<String, Fault> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let fault = Fault::new(Place::new(file, 1), "is UTF-16", "UTF-8");
        return Err(fault.hint("in Excel save as \"CSV UTF-8 (comma delimited)\""));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        }),
        Err(error) => {
            let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + lines_in(sound);
            let fault = Fault::new(Place::new(file, line), "is not UTF-8", "UTF-8");
            let what = "saved as GBK? in Excel save as \"CSV UTF-8 (comma delimited)\", or run iconv -f GBK -t UTF-8";
            Err(fault.hint(what))
        }
    }
}

/// Line ends in some bytes.
fn lines_in(bytes: &[u8]) -> u32 {
    bytes.split(|&byte| byte == b'\n').count() as u32 - 1
}

/// The text of a file that must be there.
fn required(dir: &Path, file: &str, faults: &mut Faults) -> Option<String> {
    match text(dir, file) {
        Ok(Some(text)) => Some(text),
        Ok(None) => {
            faults.push(Fault::new(Place::new(file, 0), "is missing", "a file of that name"));
            None
        }
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

/// The text of a file that may be absent.
fn optional(dir: &Path, file: &str, faults: &mut Faults) -> Result<Option<String>, ()> {
    text(dir, file).map_err(|fault| faults.push(fault))
}

/// The files in a folder with one of these endings, in order of their names.
fn folder(dir: &Path, folder: &str, ending: &str, faults: &mut Faults) -> Vec<Arc<str>> {
    let entries = match fs::read_dir(dir.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return vec![],
        Err(error) => {
            let what = format!("cannot be read ({error})");
            faults.push(Fault::new(Place::new(folder, 0), what, "a readable folder"));
            return vec![];
        }
    };
    let mut files = vec![];
    for entry in entries.flatten() {
        let name = entry.file_name();
        match name.to_str() {
            // Editors leave hidden and backup files beside the real ones.
            Some(name) if name.starts_with('.') || name.ends_with('~') => {}
            Some(name) if name.ends_with(ending) => files.push(Arc::from(format!("{folder}/{name}"))),
            Some(_) => {}
            None => {
                let what = format!("holds a file whose name is not UTF-8: {}", name.to_string_lossy());
                faults.push(Fault::new(Place::new(folder, 0), what, "a UTF-8 name"));
            }
        }
    }
    files.sort();
    files
}
