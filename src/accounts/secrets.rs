//! What we draw: shown once, kept as a hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Result;
use crate::config::secret::Secret;
use crate::config::targets::hex;

/// Random bytes in a secret: 256 bits, so that no slow hash is needed to make
/// guessing hopeless, and a look-up by its hash tells nothing by its time.
const SECRET_BYTES: usize = 32;

/// Random bytes in an id: it is no secret, and two are never alike.
const ID_BYTES: usize = 8;

/// Draws a secret: its text after `mark`, and what is kept of it.
pub(super) fn draw(mark: &str) -> Result<(Secret, [u8; 32])> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    let text = format!("{mark}{}", URL_SAFE_NO_PAD.encode(bytes));
    let kept = hash(&text);
    Ok((Secret::new(text), kept))
}

/// What is kept of a secret.
pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// An opaque id; what it is of stands before it.
pub(super) fn id(of: &str) -> Result<String> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{of}-{}", hex(&bytes)))
}
