//! Identifiers as types. Names live in the plan and at the edges; inside, a
//! thing is a dense index that the log assigned to its name once and for all.

use std::fmt;

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

macro_rules! index {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u32);

        impl $name {
            /// As a position in a dense table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

index! {
    /// A place with sensors.
    StationIx,
    /// One quantity at one station.
    SensorIx,
    /// One configured rule.
    RuleIx,
    /// One area that warnings are about.
    AreaIx,
    /// One hazard, such as `flood`.
    HazardIx,
    /// One address of one contact on one channel.
    TargetIx,
    /// Something whose failure silences all that depend on it: a gateway, a power supply.
    DomainIx,
    /// One way readings come in: a broker, the listener, HTTP.
    SourceIx,
}

impl TargetIx {
    /// Where the canary's heartbeats go: the one target that is no contact's,
    /// that no plan names and no log assigns.
    pub const HEARTBEAT: TargetIx = TargetIx(u32::MAX);
}

/// What the log assigns a dense index to, before first use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum IndexKind {
    /// A [`StationIx`].
    #[n(0)]
    Station,
    /// A [`SensorIx`], named `station/quantity`.
    #[n(1)]
    Sensor,
    /// A [`RuleIx`].
    #[n(2)]
    Rule,
    /// An [`AreaIx`].
    #[n(3)]
    Area,
    /// A [`HazardIx`].
    #[n(4)]
    Hazard,
    /// A [`TargetIx`], by its opaque target id.
    #[n(5)]
    Target,
    /// A [`DomainIx`].
    #[n(6)]
    Domain,
    /// A [`SourceIx`].
    #[n(7)]
    Source,
}

/// 128 random bits drawn when a log is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct LogId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 16],
);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// 64 random bits in every `Started`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct RunId(#[n(0)] pub u64);

/// The number of an event in its log, from 1, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Position(#[n(0)] pub u64);

impl Position {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

/// Names one output of the engine for good: in no other log, run or clone
/// does another output bear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
pub struct OutputId {
    /// The log it stands in.
    #[n(0)]
    pub log: LogId,
    /// The run that decided it.
    #[n(1)]
    pub run: RunId,
    /// The event it followed from.
    #[n(2)]
    pub position: Position,
    /// Its number among that event's outputs.
    #[n(3)]
    pub ordinal: u32,
}

impl OutputId {
    /// 128 bits of SHA-256 over the four parts: short enough for a header,
    /// the same for ever.
    pub fn digest(&self) -> Key {
        let mut hash = Sha256::new();
        self.feed(&mut hash);
        Key::from_hash(hash)
    }

    fn feed(&self, hash: &mut Sha256) {
        hash.update(self.log.0);
        hash.update(self.run.0.to_be_bytes());
        hash.update(self.position.0.to_be_bytes());
        hash.update(self.ordinal.to_be_bytes());
    }
}

/// A digest that names a delivery or a warning outside: `webhook-id`,
/// `Message-ID`. Thirty-two hexadecimal digits when printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Key(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 16],
);

impl Key {
    /// The delivery key: hash(id of the output that made the revision,
    /// target's opaque id, round). A retry keeps it; a deliberate repeat
    /// raises `round` and so changes it.
    pub fn of_delivery(revision: &OutputId, target_id: &str, round: u32) -> Key {
        let mut hash = Sha256::new();
        revision.feed(&mut hash);
        hash.update(target_id.as_bytes());
        hash.update(round.to_be_bytes());
        Key::from_hash(hash)
    }

    /// The key of a digest: hash over the delivery keys in it, in their order.
    /// Other members, another key.
    pub fn of_digest(members: &[Key]) -> Key {
        let mut hash = Sha256::new();
        hash.update(b"digest");
        members.iter().for_each(|member| hash.update(member.0));
        Key::from_hash(hash)
    }

    /// Reads thirty-two hexadecimal digits.
    pub fn parse(text: &str) -> Option<Key> {
        let mut bytes = [0; 16];
        // Asked of each character: a number may bear a sign, a digest may not.
        if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Key(bytes))
    }

    fn from_hash(hash: Sha256) -> Key {
        let digest = hash.finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Key(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_changes_the_key_and_a_retry_does_not() {
        let output = OutputId { position: Position(7), ..OutputId::default() };
        let first = Key::of_delivery(&output, "t-1", 0);
        assert_eq!(first, Key::of_delivery(&output, "t-1", 0));
        assert_ne!(first, Key::of_delivery(&output, "t-1", 1));
        assert_ne!(first, Key::of_delivery(&output, "t-2", 0));
        assert_eq!(Key::parse(&first.to_string()), Some(first));
    }

    #[test]
    fn other_members_make_another_digest() {
        let [a, b, c] = [1, 2, 3].map(|byte| Key([byte; 16]));
        assert_eq!(Key::of_digest(&[a, b]), Key::of_digest(&[a, b]));
        for other in [vec![a], vec![b, a], vec![a, b, c], vec![]] {
            assert_ne!(Key::of_digest(&[a, b]), Key::of_digest(&other), "{other:?}");
        }
    }

    #[test]
    fn a_key_is_thirty_two_hexadecimal_digits_and_nothing_else() {
        assert_eq!(Key::parse(&"0f".repeat(16)), Some(Key([15; 16])));
        for text in ["+f".repeat(16), "0f".repeat(15), "0f".repeat(17), "0g".repeat(16), "é".repeat(16)] {
            assert_eq!(Key::parse(&text), None, "{text}");
        }
    }
}
