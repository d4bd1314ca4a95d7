//! What the service's own log says of attempts that fail.

use std::io;
use std::sync::{Arc, Mutex};

use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::Kind;
use tracing_subscriber::fmt::MakeWriter;

use super::doubles::{Mood, address, until};
use super::revision;
use super::stage::Stage;
use crate::channels::Sent;

/// Lines that were logged.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// How many lines hold all of these.
    fn count(&self, parts: &[&str]) -> usize {
        self.text().lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

#[tokio::test]
async fn a_failed_attempt_is_heard_once_and_so_is_its_end() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut stage = Stage::new(2);
    let reason = format!("connection refused by {}", address(0));
    stage.channel.mood(0, Mood::Says(Sent::Retry { after: None, reason }));
    stage.channel.server("hooks.example.org:443");
    stage.start();
    stage.log.decide(&[revision(200, 1, 200, Kind::Alert, Level::Red, &[0, 1])]);
    for attempts in 1..5 {
        until("it is tried", || stage.channel.numbers(0).len() >= attempts).await;
        stage.idle().await;
        stage.clock.advance(Span::from_secs(30));
    }
    until("the last is tried", || stage.channel.numbers(0).len() >= 5).await;
    stage.idle().await;
    let told = ["WARN", "delivery attempt failed", "hooks.example.org:443", "connection refused by …", "c-0"];
    assert_eq!(lines.count(&told), 1, "{}", lines.text());
    // What is recorded for people says the same of every attempt.
    let notes: Vec<String> =
        stage.notes.as_ref().expect("started").try_iter().map(|note| note.outcome).collect();
    let words = "retry: hooks.example.org:443: connection refused by …";
    assert_eq!(notes.iter().filter(|note| *note == words).count(), 5, "{notes:?}");
    stage.clock.advance(Span::from_mins(5));
    until("it is told again", || lines.count(&told) == 2).await;
    stage.idle().await;
    stage.channel.mood(0, Mood::Takes);
    stage.clock.advance(Span::from_secs(30));
    let works = ["INFO", "deliveries go through again", "hooks.example.org:443", "failures=6"];
    until("it works again", || lines.count(&works) == 1).await;
    stage.idle().await;
    stage.log.decide(&[revision(300, 1, 300, Kind::Alert, Level::Red, &[0])]);
    stage.idle().await;
    assert_eq!(lines.count(&["deliveries go through again"]), 1, "{}", lines.text());
    assert!(!lines.text().contains(&address(0)), "{}", lines.text());
}

#[tokio::test]
async fn what_is_given_up_is_told_with_its_cause() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut stage = Stage::new(1);
    stage.channel.server("mail.example.org:587");
    let reason = "the mail server answered 550: mailbox unavailable".to_owned();
    stage.channel.mood(0, Mood::Says(Sent::Rejected { reason: reason.clone() }));
    stage.start();
    stage.log.decide(&[revision(200, 1, 200, Kind::Alert, Level::Red, &[0])]);
    stage.idle().await;
    let told = ["ERROR", "delivery given up", "Rejected", "mail.example.org:587", &reason];
    assert_eq!(lines.count(&told), 1, "{}", lines.text());
}
