//! The control socket: changing commands reach a running service through a
//! Unix socket in its data directory, mode 0600. One JSON object a line each way.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::orders::Order;
use super::orders::denial::sentence;
use crate::channels::words::denial;

/// A longer request is refused: no command needs more.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// A command that has no answer by then is reported as such; it may still take effect.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Longest wait for what becomes of a test of notification.
pub const WAIT_MAX: Duration = Duration::from_mins(5);

/// What those who connect may hold on to.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Commands under way at once. One more is turned away in words: each may
    /// wait for minutes, and whoever wants to stop the service must not stand in line.
    connections: usize,
    /// Whoever connects has so long to send a request, and again to take its answer.
    exchange: Duration,
}

const LIMITS: Limits = Limits { connections: 32, exchange: Duration::from_secs(10) };

/// What a person at this machine may ask of the running service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Read the configuration again.
    Reload {
        /// Orphan an active incident whose area has gone, rather than refuse.
        orphan: bool,
    },
    /// Send a test of notification, in Exercise status.
    NotifyTest {
        /// The contacts, by id; neither contact nor target means the operator.
        contacts: Vec<String>,
        /// Single targets, by opaque id.
        #[serde(default)]
        targets: Vec<String>,
        /// Words to go with it.
        note: String,
        /// How long to wait for what becomes of it, milliseconds; 0 does not wait.
        #[serde(default)]
        wait_ms: u64,
    },
    /// End an incident by hand.
    AllClear {
        /// `hazard@area`.
        cell: String,
        /// Why, for the record.
        reason: String,
        /// The account to speak as; the machine's own if none.
        #[serde(default)]
        account: Option<String>,
    },
    /// Say that a warning was issued in error.
    Cancel {
        /// `hazard@area`.
        cell: String,
        /// Why, for the record.
        reason: String,
        /// The account to speak as; the machine's own if none.
        #[serde(default)]
        account: Option<String>,
    },
    /// Order something: a warning by hand, a mute, a correction, a note.
    Order {
        /// What.
        order: Order,
        /// The account to speak as; the machine's own if none.
        #[serde(default)]
        account: Option<String>,
        /// Whether the answer is one line of JSON.
        #[serde(default)]
        json: bool,
    },
    /// Acknowledge a warning for a contact who was told of it.
    Acknowledge {
        /// The warning's id, whole.
        warning: String,
        /// The contact's id.
        contact: String,
    },
    /// Send a dead delivery's warning again, in a new round.
    Resend {
        /// The delivery's key.
        key: String,
    },
    /// Let a restored directory act again.
    Resume {
        /// Only say what would go.
        dry_run: bool,
    },
    /// Give up the way back to the release before.
    ConfirmUpgrade,
    /// Stop in good order.
    Stop,
}

impl Request {
    /// What in a person's words says that this is no drill, if anything does.
    fn denies(&self) -> Option<&'static str> {
        match self {
            Request::NotifyTest { note: words, .. }
            | Request::AllClear { reason: words, .. }
            | Request::Cancel { reason: words, .. } => denial(words),
            // Of an order the desk sees to it, whichever way it comes.
            Request::Order { .. }
            | Request::Reload { .. }
            | Request::Acknowledge { .. }
            | Request::Resend { .. }
            | Request::Resume { .. }
            | Request::ConfirmUpgrade
            | Request::Stop => None,
        }
    }

    /// How long it may take of itself, before its answer counts as late.
    pub fn waits(&self) -> Duration {
        match self {
            Request::NotifyTest { wait_ms, .. } => Duration::from_millis(*wait_ms).min(WAIT_MAX),
            Request::Reload { .. }
            | Request::AllClear { .. }
            | Request::Cancel { .. }
            | Request::Order { .. }
            | Request::Acknowledge { .. }
            | Request::Resend { .. }
            | Request::Resume { .. }
            | Request::ConfirmUpgrade
            | Request::Stop => Duration::ZERO,
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Whether it was done.
    pub done: bool,
    /// What to tell the person, line by line.
    pub lines: Vec<String>,
}

impl Response {
    /// It was done.
    pub fn done(line: impl Into<String>) -> Self {
        Response { done: true, lines: vec![line.into()] }
    }

    /// It was not.
    pub fn refused(line: impl Into<String>) -> Self {
        Response { done: false, lines: vec![line.into()] }
    }
}

/// Who carries requests out.
pub trait Operator: Send + Sync + fmt::Debug {
    /// Carries one out.
    fn handle(&self, request: Request) -> Pin<Box<dyn Future<Output = Response> + Send + '_>>;
}

/// Where the socket of a data directory stands.
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// A command as a person at this machine can paste it, for a data directory.
pub(super) fn command_on(data: &Path, words: &str) -> String {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    format!("forewarn {words} --data {}", shell_word(&data))
}

/// A path as a shell reads it back.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Serves the socket until `shutdown`.
pub fn serve(data: &Path, operator: Arc<dyn Operator>, shutdown: CancellationToken) -> io::Result<()> {
    serve_within(LIMITS, data, operator, shutdown)
}

fn serve_within(
    limits: Limits,
    data: &Path,
    operator: Arc<dyn Operator>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let path = socket_path(data);
    // The directory's lock is ours, so a socket that stands there is a dead service's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let places = Arc::new(Semaphore::new(limits.connections));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => match places.clone().try_acquire_owned() {
                        Ok(place) => {
                            let operator = operator.clone();
                            tokio::spawn(async move {
                                if let Err(error) = converse(stream, operator.as_ref(), limits.exchange).await {
                                    warn!(%error, "control connection broke");
                                }
                                drop(place);
                            });
                        }
                        Err(_) => turn_away(&stream, limits.connections),
                    },
                    Err(error) => {
                        warn!(%error, "control socket refused a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        // Best effort: the next start removes it as well.
        let _ = std::fs::remove_file(&path);
    });
    Ok(())
}

/// Says why, as far as that goes without waiting for whoever it is.
fn turn_away(stream: &UnixStream, max: usize) {
    warn!(max, "control connection turned away");
    let why = format!("{max} commands are under way, as many as may be; try again");
    if let Ok(answer) = line_of(&Response::refused(why)) {
        // One who has gone needs no answer.
        let _ = stream.try_write(&answer);
    }
}

async fn converse(stream: UnixStream, operator: &dyn Operator, within: Duration) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(tokio::io::AsyncReadExt::take(read, REQUEST_BYTES_MAX));
    in_time(within, "no whole request", read.read_line(&mut line)).await?;
    if line.is_empty() {
        // Somebody only looked whether the service is there.
        return Ok(());
    }
    let response = match serde_json::from_str::<Request>(&line) {
        Ok(request) if let Some(phrase) = request.denies() => Response::refused(sentence(phrase)),
        Ok(request) => {
            info!(?request, "control request");
            let answer_within = ANSWER_WITHIN + request.waits();
            let answered = tokio::time::timeout(answer_within, operator.handle(request)).await;
            answered.unwrap_or_else(|_| {
                let secs = answer_within.as_secs();
                Response::refused(format!("no answer within {secs} s; see the log"))
            })
        }
        Err(error) => Response::refused(format!("control socket: {error}, expected a request object")),
    };
    in_time(within, "the answer was not taken", write.write_all(&line_of(&response)?)).await
}

async fn in_time<T>(
    within: Duration,
    or_else: &str,
    exchange: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::time::timeout(within, exchange).await.unwrap_or_else(|_| {
        let what = format!("{or_else} within {} s", within.as_secs_f64());
        Err(io::Error::new(io::ErrorKind::TimedOut, what))
    })
}

fn line_of(response: &Response) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    Ok(line)
}

/// Asks the service that runs on a data directory.
pub async fn ask(data: &Path, request: &Request) -> io::Result<Response> {
    let path = socket_path(data);
    let mut stream = UnixStream::connect(&path).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "{}: {error}, expected a running service; is it started on this data directory?",
                path.display()
            ),
        )
    })?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    match stream.write_all(&line).await {
        // Turned away before it asked: the reason is there to be read.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    if answer.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the service closed the socket without an answer",
        ));
    }
    Ok(serde_json::from_str(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Echo;

    impl Operator for Echo {
        fn handle(&self, request: Request) -> Pin<Box<dyn Future<Output = Response> + Send + '_>> {
            Box::pin(async move { Response::done(format!("{request:?}")) })
        }
    }

    #[tokio::test]
    async fn a_request_gets_its_answer_and_nonsense_a_reason() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().expect("a temporary directory");
        let shutdown = CancellationToken::new();
        serve(dir.path(), Arc::new(Echo), shutdown.clone()).expect("a free path");
        let mode = std::fs::metadata(socket_path(dir.path())).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let response = ask(dir.path(), &Request::Stop).await.expect("served");
        assert_eq!(response, Response::done("Stop"));

        let mut stream = UnixStream::connect(socket_path(dir.path())).await.expect("served");
        stream.write_all(b"{\"do\":\"explode\"}\n").await.expect("writable");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await.expect("answered");
        assert!(answer.contains("unknown variant"), "{answer}");
        shutdown.cancel();
    }

    #[test]
    fn a_request_from_before_targets_is_still_understood() {
        let line = r#"{"do":"notify-test","contacts":["it"],"note":""}"#;
        let request: Request = serde_json::from_str(line).expect("understood");
        let expected = Request::NotifyTest {
            contacts: vec!["it".into()],
            targets: vec![],
            note: String::new(),
            wait_ms: 0,
        };
        assert_eq!(request, expected);
    }

    #[tokio::test]
    async fn whoever_connects_and_says_nothing_is_let_go_and_gives_up_the_place() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let shutdown = CancellationToken::new();
        let limits = Limits { connections: 1, exchange: Duration::from_millis(300) };
        serve_within(limits, dir.path(), Arc::new(Echo), shutdown.clone()).expect("a free path");
        let mut silent = UnixStream::connect(socket_path(dir.path())).await.expect("served");
        silent.write_all(b"{\"do\"").await.expect("writable");
        let turned_away = ask(dir.path(), &Request::Stop).await.expect("an answer");
        assert!(!turned_away.done && turned_away.lines[0].contains("try again"), "{turned_away:?}");

        let let_go = async {
            let mut answer = String::new();
            assert_eq!(BufReader::new(silent).read_line(&mut answer).await.expect("closed"), 0, "{answer}");
            // The place is free once the service has seen the connection to its end.
            while ask(dir.path(), &Request::Stop).await.expect("an answer") != Response::done("Stop") {}
        };
        tokio::time::timeout(ANSWER_WITHIN, let_go).await.expect("let go in time");
        shutdown.cancel();
    }

    #[tokio::test]
    async fn nobody_home_is_said_in_words() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = ask(dir.path(), &Request::Stop).await.expect_err("no service runs there");
        assert!(error.to_string().contains("expected a running service"), "{error}");
    }
}
