//! What MQTT forbids and the codec lets through.

use super::frame::Fields;
use super::limits::{CLIENT_ID_BYTES_MAX, TOPIC_BYTES_MAX};
use super::refusal::{Fault, Reason};
use super::wire::Version;

/// Refuses a packet by its first byte: what a publisher may not send, reserved
/// bits, and qualities of service that are not taken. Before its body is read.
pub(super) fn first_byte(first: u8) -> Result<(), Fault> {
    let flags = first & 0x0f;
    let expect_flags = |expected: u8| {
        if flags == expected {
            return Ok(());
        }
        Err(Fault::new(Reason::ReservedFlags, format!("flags {flags:04b}, expected {expected:04b}")))
    };
    match first >> 4 {
        1 => Err(Fault::new(Reason::SecondConnect, "second CONNECT, expected one a connection")),
        3 => match (flags >> 1) & 0b11 {
            0 if flags & 0b1000 != 0 => {
                Err(Fault::new(Reason::DuplicateQosZero, "QoS 0 with DUP, expected DUP with QoS 1 only"))
            }
            0 | 1 => Ok(()),
            2 => Err(Fault::new(Reason::QosTwo, "message of QoS 2, expected QoS 0 or 1")),
            _ => Err(Fault::new(Reason::Malformed, "message of QoS 3, expected QoS 0 or 1")),
        },
        8 | 10 => expect_flags(0b0010),
        12 | 14 => expect_flags(0),
        other => Err(Fault::new(
            Reason::UnexpectedPacket,
            format!(
                "packet of type {other}, expected PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ or DISCONNECT"
            ),
        )),
    }
}

/// Refuses what can be seen in a body before it is decoded. A body that ends
/// too early is left to the codec.
pub(super) fn body(version: Version, first: u8, body: &[u8]) -> Result<(), Fault> {
    let mut fields = Fields(body);
    match first >> 4 {
        3 => {
            let quality = (first >> 1) & 0b11;
            match fields.counted() {
                Some([]) if version == Version::V4 => {
                    Err(Fault::new(Reason::TopicEmpty, "topic is empty, expected a topic"))
                }
                Some(_) if quality > 0 => not_zero(fields.short()),
                Some(_) | None => Ok(()),
            }
        }
        8 => {
            not_zero(fields.short())?;
            match version {
                Version::V4 => subscribe_options(fields),
                Version::V5 => Ok(()),
            }
        }
        10 => not_zero(fields.short()),
        12 => empty(body),
        14 if version == Version::V4 => empty(body),
        _ => Ok(()),
    }
}

fn not_zero(packet: Option<u16>) -> Result<(), Fault> {
    if packet == Some(0) {
        return Err(Fault::new(Reason::PacketIdZero, "packet id 0, expected 1 to 65535"));
    }
    Ok(())
}

fn empty(body: &[u8]) -> Result<(), Fault> {
    if body.is_empty() {
        return Ok(());
    }
    Err(Fault::new(Reason::TrailingBytes, format!("{} bytes of content, expected none", body.len())))
}

fn subscribe_options(mut fields: Fields<'_>) -> Result<(), Fault> {
    while fields.counted().is_some() {
        if fields.byte().is_some_and(|options| options & 0b1111_1100 != 0) {
            return Err(Fault::new(Reason::ReservedFlags, "reserved bits of a subscription are set"));
        }
    }
    Ok(())
}

/// Refuses a CONNECT whose flags contradict each other or whose content ends
/// before its bytes do. One that ends too early is left to the codec.
pub(super) fn connect(version: Version, body: &[u8]) -> Result<(), Fault> {
    const USER: u8 = 0b1000_0000;
    const PASSWORD: u8 = 0b0100_0000;
    const WILL_OPTIONS: u8 = 0b0011_1000;
    const WILL: u8 = 0b0000_0100;

    let Some(&flags) = body.get(7) else { return Ok(()) };
    if flags & 1 != 0 {
        return Err(Fault::new(Reason::ReservedFlags, "reserved flag of CONNECT is set"));
    }
    if flags & WILL == 0 && flags & WILL_OPTIONS != 0 {
        return Err(Fault::new(Reason::ConnectFlags, "will QoS or retain without a will"));
    }
    if version == Version::V4 && flags & PASSWORD != 0 && flags & USER == 0 {
        return Err(Fault::new(Reason::ConnectFlags, "password without user name"));
    }
    let mut fields = Fields(body.get(10..).unwrap_or_default());
    let mut walk = || {
        let with_properties = version == Version::V5;
        if with_properties {
            fields.properties()?;
        }
        fields.counted()?;
        if flags & WILL != 0 {
            if with_properties {
                fields.properties()?;
            }
            fields.counted()?;
            fields.counted()?;
        }
        for _ in 0..(flags & (USER | PASSWORD)).count_ones() {
            fields.counted()?;
        }
        Some(fields.0.len())
    };
    match walk() {
        None | Some(0) => Ok(()),
        Some(more) => {
            Err(Fault::new(Reason::TrailingBytes, format!("{more} bytes behind the content of CONNECT")))
        }
    }
}

/// Refuses a topic that MQTT forbids; the connection is closed over it.
pub(super) fn topic(topic: &str) -> Result<(), Fault> {
    if topic.len() > TOPIC_BYTES_MAX {
        let detail = format!("topic of {} bytes, expected at most {TOPIC_BYTES_MAX}", topic.len());
        return Err(Fault::new(Reason::TopicTooLong, detail));
    }
    match topic.chars().find(|&c| c == '+' || c == '#' || forbidden(c)) {
        Some(c) => {
            let detail =
                format!("topic with U+{:04X}, expected no wildcard, control or non-character", c as u32);
            Err(Fault::new(Reason::TopicCharacters, detail))
        }
        None => Ok(()),
    }
}

/// Names what is unusual about a lawful topic: white space, an empty level or
/// `..`. Such a message is kept as not understood, so that somebody sees it.
pub(super) fn unusual(topic: &str) -> Option<&'static str> {
    if topic.contains(char::is_whitespace) {
        return Some("topic holds white space, expected none");
    }
    if topic.contains("//") {
        return Some("topic holds an empty level, expected a name between slashes");
    }
    topic.split('/').any(|level| level == "..").then_some("topic holds a level \"..\", expected a name")
}

/// Refuses a topic filter that MQTT forbids.
pub(super) fn filter(filter: &str) -> Result<(), Fault> {
    let wrong = |what: &str| Err(Fault::new(Reason::FilterInvalid, format!("topic filter {what}")));
    if filter.is_empty() {
        return wrong("is empty, expected at least one character");
    }
    if filter.chars().any(forbidden) {
        return wrong("holds control or non-characters");
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let last = levels.peek().is_none();
        let alone = level.len() == 1;
        if level.contains('+') && !alone {
            return wrong("holds + beside other characters, expected it alone in its level");
        }
        if level.contains('#') && !(alone && last) {
            return wrong("holds # before its end, expected it alone in the last level");
        }
    }
    Ok(())
}

/// Refuses a client id that could be mistaken for a pattern or a path.
pub(super) fn client_id(id: &str) -> Result<(), Fault> {
    if id.len() > CLIENT_ID_BYTES_MAX {
        let detail = format!("client id of {} bytes, expected at most {CLIENT_ID_BYTES_MAX}", id.len());
        return Err(Fault::new(Reason::ClientId, detail));
    }
    match id.chars().find(|&c| matches!(c, '+' | '#' | '/') || forbidden(c)) {
        Some(c) => {
            let detail = format!("client id with U+{:04X}, expected no + # / or control character", c as u32);
            Err(Fault::new(Reason::ClientId, detail))
        }
        None => Ok(()),
    }
}

/// Control characters and Unicode's non-characters, NUL and U+FFFF among them.
fn forbidden(c: char) -> bool {
    let code = c as u32;
    c.is_control() || code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_topics_follow_the_rules_of_mqtt() {
        for (text, as_filter, as_topic, usual) in [
            ("a", true, true, true),
            ("/a", true, true, true),
            ("a/b-1/c.d", true, true, true),
            ("江/水位", true, true, true),
            ("#", true, false, true),
            ("+/a/+", true, false, true),
            ("a/#", true, false, true),
            ("a#", false, false, true),
            ("#/a", false, false, true),
            ("a/b+", false, false, true),
            ("a\0", false, false, true),
            ("a\u{ffff}", false, false, true),
            ("a/../b", true, true, false),
            ("a//b", true, true, false),
            ("a b", true, true, false),
            ("a..b", true, true, true),
        ] {
            assert_eq!(filter(text).is_ok(), as_filter, "{text:?} as a filter");
            assert_eq!(topic(text).is_ok(), as_topic, "{text:?} as a topic");
            assert_eq!(unusual(text).is_none(), usual, "{text:?}");
        }
    }
}
