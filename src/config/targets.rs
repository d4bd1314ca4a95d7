//! Target ids: random and opaque, one for each contact and channel, for good.
//! The log, plan and outbox hold nothing else of a person. They stand in a
//! file of their own beside the log, which can be erased.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The file's name in the data directory.
pub const FILE: &str = "targets.toml";

/// The opaque target id of every contact and channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetIds {
    /// By contact, then channel.
    ids: BTreeMap<String, BTreeMap<String, String>>,
    draw: Draw,
}

/// Where a new id comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Draw {
    #[default]
    Random,
    Counted,
}

impl TargetIds {
    /// Those of a data directory; none when it has no such file yet.
    pub fn open(data: &Path) -> io::Result<TargetIds> {
        let text = match fs::read_to_string(data.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let ids = toml::from_str(&text).map_err(|error| {
            // The parser's own text would show lines of the file.
            io::Error::new(io::ErrorKind::InvalidData, format!("{FILE}: {}", error.message()))
        })?;
        Ok(TargetIds { ids, draw: Draw::Random })
    }

    /// Ids that are the same at every run, for what never sends: `check`, tests, led demos.
    pub fn counted() -> TargetIds {
        TargetIds { ids: BTreeMap::new(), draw: Draw::Counted }
    }

    /// The id of a contact on a channel, drawn if it has none yet.
    pub fn id(&mut self, contact: &str, channel: &str) -> String {
        let count = self.ids.values().map(BTreeMap::len).sum::<usize>();
        let draw = self.draw;
        let channels = self.ids.entry(contact.to_owned()).or_default();
        channels.entry(channel.to_owned()).or_insert_with(|| draw.next(count)).clone()
    }

    /// Forgets a contact: from then on nothing leads from its ids to it.
    pub fn erase(&mut self, contact: &str) {
        self.ids.remove(contact);
    }

    /// Writes them, readable by the service alone; they stand on disk, their
    /// directory entry included, when this returns.
    pub fn save(&self, data: &Path) -> io::Result<()> {
        let new = data.join(format!("{FILE}.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(self.to_toml().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, data.join(FILE))?;
        File::open(data)?.sync_all()
    }

    fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Which target id stands for which contact and channel. Written by forewarn;\n\
             # erasing a contact here makes its deliveries in the log nobody's.\n",
        );
        for (contact, channels) in &self.ids {
            // Names are of letters, digits, - _ . : and stand quoted; an id has no quotation mark.
            let _ = writeln!(text, "\n[\"{contact}\"]");
            for (channel, id) in channels {
                let _ = writeln!(text, "\"{channel}\" = \"{id}\"");
            }
        }
        text
    }
}

impl Draw {
    fn next(self, count: usize) -> String {
        match self {
            Draw::Counted => format!("t-{}", count + 1),
            Draw::Random => {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).expect("a running system gives random numbers");
                hex(&bytes)
            }
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_and_stay_for_good() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut ids = TargetIds::open(data.path()).expect("no file is no fault");
        let email = ids.id("it-duty", "email");
        assert_ne!(email, ids.id("it-duty", "webhook"));
        assert_eq!(email.len(), 32);
        ids.save(data.path()).expect("saved");
        let mut again = TargetIds::open(data.path()).expect("reads back");
        assert_eq!(again, ids);
        assert_eq!(again.id("it-duty", "email"), email);
        again.erase("it-duty");
        assert_ne!(again.id("it-duty", "email"), email);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_them() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().expect("a temporary directory");
        TargetIds::default().save(data.path()).expect("saved");
        let mode = fs::metadata(data.path().join(FILE)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
