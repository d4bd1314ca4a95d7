//! Secrets of devices: drawn, shown once, kept as a hash, compared in constant time.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::plan::Device;
use crate::config::secret::Secret;
use crate::config::targets::hex;

/// Random bytes in a generated secret: 256 bits, so that no rate limit or slow
/// hash is needed to make guessing hopeless.
const SECRET_BYTES: usize = 32;

/// Draws a secret: the text to give to the device, 64 hexadecimal digits, and
/// the SHA-256 of that text for `devices.csv`. The text is kept nowhere.
pub fn generate() -> Result<(Secret, [u8; 32]), getrandom::Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    let plain = hex(&bytes);
    let sha256 = hash(plain.as_bytes());
    Ok((Secret::new(plain), sha256))
}

/// What `devices.csv` keeps of a secret: the SHA-256 of its bytes as sent.
pub fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Whether the secret is this device's. An unknown device costs the same time
/// as a wrong secret, so that identities cannot be told apart by it.
pub fn verify(device: Option<&Device>, secret: &[u8]) -> Verified {
    let kept = device.map_or([0; 32], |device| device.secret_sha256);
    let same = bool::from(hash(secret).ct_eq(&kept));
    if same && device.is_some() { Verified::Yes } else { Verified::No }
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The secret is the device's.
    Yes,
    /// It is not, or there is no such device.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(secret_sha256: [u8; 32]) -> Device {
        Device { stations: Box::default(), secret_sha256 }
    }

    #[test]
    fn a_generated_secret_verifies_and_no_other_does() {
        let (plain, sha256) = generate().expect("the system gives randomness");
        let (other, _) = generate().expect("the system gives randomness");
        let device = device(sha256);
        assert_eq!(plain.expose().len(), 2 * SECRET_BYTES);
        assert_ne!(plain, other);
        for (known, secret, verified) in [
            (Some(&device), plain.expose(), Verified::Yes),
            (Some(&device), other.expose(), Verified::No),
            (Some(&device), "", Verified::No),
            (Some(&device), &plain.expose()[1..], Verified::No),
            (None, plain.expose(), Verified::No),
        ] {
            assert_eq!(verify(known, secret.as_bytes()), verified);
        }
    }

    #[test]
    fn the_hash_is_the_one_that_sha256sum_prints() {
        assert_eq!(hex(&hash(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
