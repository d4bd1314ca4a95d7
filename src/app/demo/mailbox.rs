//! A mailbox folder behind a small SMTP server on this machine: mails take the
//! whole real way, and end as files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A longer mail is refused.
const MAIL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Mails that wait to be told of. Full: the sender is asked to come again (452).
const MAILS_MAX: usize = 4096;

/// A mail that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mail {
    /// To whom.
    pub(super) to: String,
    /// Its subject, in plain letters.
    pub(super) subject: String,
    /// Where it was written.
    pub(super) file: PathBuf,
}

/// The mailbox.
#[derive(Debug)]
pub(super) struct Mailbox {
    address: SocketAddr,
    mails: mpsc::Receiver<Mail>,
}

impl Mailbox {
    /// Listens on a free loopback port and writes into `folder`.
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Mailbox> {
        std::fs::create_dir_all(folder).with_context(|| format!("mailbox folder {}", folder.display()))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port for the mailbox")?;
        let address = listener.local_addr()?;
        let (arrived, mails) = mpsc::channel(MAILS_MAX);
        let desk = Arc::new(Desk { folder: folder.to_owned(), count: AtomicUsize::new(0), arrived });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desk = desk.clone();
                tokio::spawn(async move {
                    // A client that hangs up in the middle has sent nothing.
                    let _ = desk.serve(stream).await;
                });
            }
        });
        Ok(Mailbox { address, mails })
    }

    /// Its port.
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What arrived since the last call, in order of recipient and subject:
    /// mails that leave together arrive in any order.
    pub(super) fn drain(&mut self) -> Vec<Mail> {
        let mut mails = Vec::new();
        while let Ok(mail) = self.mails.try_recv() {
            mails.push(mail);
        }
        mails.sort_by(|a, b| (&a.to, &a.subject).cmp(&(&b.to, &b.subject)));
        mails
    }
}

#[derive(Debug)]
struct Desk {
    folder: PathBuf,
    count: AtomicUsize,
    arrived: mpsc::Sender<Mail>,
}

impl Desk {
    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read);
        let mut to = String::new();
        write.write_all(b"220 demo mailbox\r\n").await?;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" | "HELO" => "250 demo mailbox",
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    address.clone_into(&mut to);
                    "250 ok"
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await?;
                    let mail = read_mail(&mut lines).await?;
                    if self.keep(&mail, &to).await? { "250 kept" } else { "452 mailbox full, come again" }
                }
                "QUIT" => {
                    write.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => "250 ok",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }

    /// Keeps it; `false` where too many wait to be told of.
    async fn keep(&self, mail: &[u8], to: &str) -> anyhow::Result<bool> {
        let Ok(place) = self.arrived.try_reserve() else { return Ok(false) };
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let file = self.folder.join(format!("{number:04}.eml"));
        tokio::fs::write(&file, mail).await?;
        let subject = subject(&String::from_utf8_lossy(mail));
        place.send(Mail { to: to.to_owned(), subject, file });
        Ok(true)
    }
}

async fn read_mail(lines: &mut (impl AsyncBufReadExt + Unpin)) -> anyhow::Result<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        anyhow::ensure!(lines.read_until(b'\n', &mut line).await? > 0, "hung up in the middle of a mail");
        if line == b".\r\n" {
            return Ok(mail);
        }
        // A leading dot was doubled by the sender (RFC 5321, 4.5.2).
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        anyhow::ensure!(mail.len() <= MAIL_BYTES_MAX, "mail beyond {MAIL_BYTES_MAX} bytes");
    }
}

/// The subject, unfolded and with its encoded words read (RFC 2047, base64).
fn subject(mail: &str) -> String {
    let head = mail.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
    let line = head.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default();
    let mut plain = String::new();
    let mut last_was_encoded = false;
    for word in line.split(' ') {
        let decoded = word
            .strip_prefix("=?utf-8?b?")
            .and_then(|word| word.strip_suffix("?="))
            .and_then(|word| STANDARD.decode(word).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        // White space between two encoded words is only folding.
        let folds = last_was_encoded && decoded.is_some();
        if !plain.is_empty() && !folds {
            plain.push(' ');
        }
        last_was_encoded = decoded.is_some();
        plain.push_str(decoded.as_deref().unwrap_or(word));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_as_people_see_them() {
        for (head, expected) in [
            ("Subject: plain words\r\n\r\nbody", "plain words"),
            ("To: a\r\nSubject: =?utf-8?b?5rSq5rC0?= 59.10 m\r\n\r\n", "洪水 59.10 m"),
            ("Subject: =?utf-8?b?5rSq?=\r\n =?utf-8?b?5rC0?=\r\n\r\n", "洪水"),
        ] {
            assert_eq!(subject(head), expected);
        }
    }
}
