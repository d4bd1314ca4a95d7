//! One line, and how it is bound to the one before.

use forewarn_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::deed::Deed;
use crate::config::targets::hex;

/// Where the hash of a line begins; what stands before it is what is hashed.
const SEAL: &str = ",\"hash\":\"";

/// The hash of a line, in hexadecimal.
pub(super) type Link = String;

/// How far a trail goes: note it down elsewhere, and nobody can shorten the trail unseen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// Lines since the trail began.
    pub lines: u64,
    /// The hash of the last one; of the trail's name where there is none.
    pub hash: Link,
    /// The position of the log up to which it has followed.
    pub log: u64,
}

impl Head {
    /// Of a trail that has no line yet.
    pub(super) fn first(log: &str) -> Head {
        Head { lines: 0, hash: hex(&Sha256::digest(log.as_bytes())), log: 0 }
    }
}

/// One line as it stands in the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 1.
    pub n: u64,
    /// Civil time, RFC 3339, UTC.
    pub at: String,
    /// The log's position; absent where it does not stand in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<u64>,
    /// What was done, as a word for machines.
    pub what: String,
    /// Who did it; empty where the service did by itself.
    pub by: String,
    /// What it was done to.
    pub about: String,
    /// What came of it, or more to say.
    pub says: String,
    /// SHA-256 of the whole of it as the log has it; empty where it does not stand there.
    pub sum: String,
}

impl Line {
    pub(super) fn of(deed: &Deed, n: u64) -> Line {
        Line {
            n,
            at: rfc3339(deed.at),
            log: deed.position,
            what: deed.what.into(),
            by: deed.by.clone(),
            about: deed.about.clone(),
            says: deed.says.clone(),
            sum: deed.sum.map(|sum| hex(&sum)).unwrap_or_default(),
        }
    }

    /// Whether it tells of this deed. Names are left out: the hash has them, and
    /// whoever compares may know fewer.
    pub(super) fn is_of(&self, deed: &Deed) -> bool {
        let told = Line::of(deed, self.n);
        (self.log, &self.what, &self.by, &self.sum) == (told.log, &told.what, &told.by, &told.sum)
    }

    /// Its text, bound to the line before, and its hash.
    pub(super) fn seal(&self, before: &str) -> (String, Link) {
        let mut text = serde_json::to_string(self).expect("a line has no key that is no text");
        text.pop();
        let hash = link(before, &text);
        text.push_str(SEAL);
        text.push_str(&hash);
        text.push_str("\"}\n");
        (text, hash)
    }

    /// Reads a line and its hash; says in words why it is none.
    pub(super) fn read(text: &str) -> Result<Sealed, String> {
        let (body, rest) = text.rsplit_once(SEAL).ok_or("it has no hash")?;
        let hash = rest.strip_suffix("\"}").ok_or("its hash does not end it")?;
        let line = serde_json::from_str(&format!("{body}}}")).map_err(|error| error.to_string())?;
        Ok(Sealed { line, body: body.to_owned(), hash: hash.to_owned() })
    }
}

/// A line as it was read.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) line: Line,
    pub(super) hash: Link,
    body: String,
}

impl Sealed {
    /// Whether it follows that one, and is as it was written.
    pub(super) fn follows(&self, before: &str) -> bool {
        link(before, &self.body) == self.hash
    }
}

fn link(before: &str, body: &str) -> Link {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update("\n");
    hash.update(body);
    hex(&hash.finalize())
}

/// RFC 3339 in UTC, to the millisecond.
fn rfc3339(civil: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(civil.0).unwrap_or_default();
    format!("{at:.3}")
}
