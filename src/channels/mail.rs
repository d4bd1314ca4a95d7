//! From a rendered message to a mail: headers, parts, the inline chart.

use std::time::{Duration, SystemTime};

use forewarn_core::ids::{Key, OutputId};
use forewarn_core::time::Timestamp;
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};

use super::render::Rendered;
use super::show;

/// Content id of the chart within its mail.
pub const CHART_ID: &str = "chart@forewarn";

/// What a mail needs besides its text.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The delivery key: the same at every retry, and so is `Message-ID`.
    pub key: Key,
    /// What it is about.
    pub thread: Thread,
    /// The word of the status.
    pub status: &'static str,
    /// Sender, `Name <address>`.
    pub from: &'a str,
    /// The receiver's address.
    pub to: &'a str,
    /// The receiver's name.
    pub name: &'a str,
    /// Civil time now.
    pub now: Timestamp,
}

/// What a mail is about, and so which others it stands with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thread {
    /// This revision of a warning, among the mails about that.
    Warning(OutputId, u32),
    /// So many warnings: it stands by itself.
    Digest(usize),
}

/// Why a mail could not be made: without the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The receiver's address is none.
    #[error("the receiver's address is not a mail address, expected name@host")]
    Receiver,
    /// The sender's address is none.
    #[error("the sender's address is not a mail address, expected \"Name <name@host>\"")]
    Sender,
    /// The parts do not fit together.
    #[error("the mail could not be put together")]
    Parts,
}

/// Reads a receiver's address: nothing that could end a line or a command.
pub fn receiver(address: &str) -> Result<Address, MailError> {
    let plain = !address.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"'));
    if plain { address.parse().map_err(|_| MailError::Receiver) } else { Err(MailError::Receiver) }
}

/// Puts a mail together.
pub fn compose(head: &Head<'_>, rendered: Rendered, chart: Option<Vec<u8>>) -> Result<Message, MailError> {
    let name = Some(literal(&show::clean(head.name))).filter(|name| !name.is_empty());
    let to = Mailbox::new(name, receiver(head.to)?);
    let from: Mailbox = head.from.parse().map_err(|_| MailError::Sender)?;
    let host = from.email.domain().to_owned();
    let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(head.now.as_secs().max(0) as u64);
    let mut builder = Message::builder()
        .from(from)
        .to(to)
        .subject(literal(&rendered.subject))
        .date(sent)
        .message_id(Some(format!("<{}@{host}>", head.key)))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        .raw_header(header("X-Forewarn-Status", head.status));
    builder = match head.thread {
        Thread::Warning(warning, number) => {
            // The first revision's mails bear keys of their own, one a target: what
            // threads them all is an id made from the warning.
            let thread = format!("<{}.warning@{host}>", warning.digest());
            let threaded = builder
                .references(thread.clone())
                .raw_header(header("X-Forewarn-Warning", &warning.digest().to_string()));
            if number > 1 { threaded.in_reply_to(thread) } else { threaded }
        }
        Thread::Digest(count) => builder.raw_header(header("X-Forewarn-Digest", &count.to_string())),
    };
    let words = MultiPart::alternative()
        .singlepart(SinglePart::plain(rendered.text))
        .singlepart(SinglePart::html(rendered.html));
    let parts = match chart {
        None => words,
        Some(png) => {
            let image = ContentType::parse("image/png").map_err(|_| MailError::Parts)?;
            let inline = Attachment::new_inline(CHART_ID.to_owned()).body(png, image);
            MultiPart::related().multipart(words).singlepart(inline)
        }
    };
    builder.multipart(parts).map_err(|_| MailError::Parts)
}

/// Text of a header as it will be read. A name may itself look like a word that
/// is packed as mail packs them (`=?utf-8?B?...?=`, RFC 2047), and whoever reads
/// the mail would unpack it: line ends and turned writing that nobody cleaned.
fn literal(text: &str) -> String {
    text.replace("=?", "= ?")
}

/// Names are ours and ASCII; values are words and digits of our own.
fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
