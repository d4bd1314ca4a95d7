//! Links that open one delivery's page without a login: who holds one got it
//! in a message. It names the delivery and bears our own mark, so that nobody
//! can make one up, and it opens nothing but that page.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use forewarn_core::ids::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The file of the key in the data directory.
const FILE: &str = "link.key";

/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// Bytes of the mark: nobody guesses 128 bits.
const MARK_BYTES: usize = 16;

/// Bytes of a delivery's key.
const NAME_BYTES: usize = 16;

/// The path that links lead to, before the token.
pub const PATH: &str = "/a/";

/// What links are made and known by.
#[derive(Clone)]
pub struct Links {
    key: [u8; KEY_BYTES],
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Links(…)")
    }
}

impl Links {
    /// With the key of a data directory, drawn at its first start. It is a
    /// secret, so that no backup has it: what was restored opens no older link.
    pub fn open(data: &Path) -> io::Result<Links> {
        let path = data.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                let key = bytes.try_into().map_err(|_| {
                    let what = format!("expected {KEY_BYTES} bytes; without the file, a new key is drawn");
                    io::Error::new(io::ErrorKind::InvalidData, what)
                })?;
                Ok(Links { key })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = [0; KEY_BYTES];
                getrandom::fill(&mut key)?;
                let new = path.with_extension("new");
                let mut file =
                    File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
                file.write_all(&key)?;
                file.sync_all()?;
                fs::rename(&new, &path)?;
                File::open(data)?.sync_all()?;
                Ok(Links { key })
            }
            Err(error) => Err(error),
        }
    }

    /// The link to a delivery's page below the site's public address.
    pub fn link(&self, site: &str, delivery: Key) -> String {
        format!("{}{PATH}{}", site.trim_end_matches('/'), self.token(delivery))
    }

    fn token(&self, delivery: Key) -> String {
        let mut token = delivery.0.to_vec();
        token.extend(&self.mac(&delivery.0).finalize().into_bytes()[..MARK_BYTES]);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The delivery that a token opens; `None` for one that we never made.
    pub fn delivery(&self, token: &str) -> Option<Key> {
        let token = URL_SAFE_NO_PAD.decode(token).ok().filter(|it| it.len() == NAME_BYTES + MARK_BYTES)?;
        let (name, mark) = token.split_at(NAME_BYTES);
        // Compared in constant time.
        self.mac(name).verify_truncated_left(mark).ok()?;
        Some(Key(name.try_into().ok()?))
    }

    fn mac(&self, name: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(b"forewarn delivery page ");
        mac.update(name);
        mac
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_made_opens_and_it_opens_one_delivery() {
        let data = tempfile::tempdir().unwrap();
        let links = Links::open(data.path()).unwrap();
        let link = links.link("https://warn.example.org/", Key([7; 16]));
        let token = link.strip_prefix("https://warn.example.org/a/").unwrap();
        assert_eq!(links.delivery(token), Some(Key([7; 16])));
        assert_eq!(Links::open(data.path()).unwrap().delivery(token), Some(Key([7; 16])), "after a restart");
        for at in 0..token.len() {
            let mut forged = token.to_owned().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(links.delivery(std::str::from_utf8(&forged).unwrap()), None, "{at}");
        }
        for wrong in ["", "A", &token[1..], &format!("{token}A"), "../../etc/passwd"] {
            assert_eq!(links.delivery(wrong), None, "{wrong}");
        }
        let other = tempfile::tempdir().unwrap();
        assert_eq!(Links::open(other.path()).unwrap().delivery(token), None, "another service's");
        fs::write(data.path().join(FILE), b"short").unwrap();
        assert!(Links::open(data.path()).unwrap_err().to_string().contains("expected 32 bytes"));
    }
}
