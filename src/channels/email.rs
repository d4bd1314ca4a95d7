//! Email: one attempt by SMTP, over TLS or STARTTLS unless that was switched
//! off by name.

use std::error::Error as _;
use std::marker::PhantomData;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Evidence, Revision};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::cause::{self, Cause};
use super::chart::{self, Chart};
use super::digest::{self, Told};
use super::door::{Target, World};
use super::kept::PerSetup;
use super::mail::{self, Head, Thread};
use super::render::{self, Beside, Rendered};
use super::words::{Messages, Words};
use super::{CONNECTIONS_MAX, Channel, Envelope, Now, Sent, admitted, naming};
use crate::config::plan::{self, Digests, MailSecurity, Setup};
use crate::ports::{Current, History};

/// Longest wait for one answer of the mail server.
const COMMAND_MAX: Duration = Duration::from_secs(10);
/// Longest whole attempt, chart and connection included; the courier counts on it.
const ATTEMPT_MAX: Duration = Duration::from_secs(15);
/// Longest wait for a chart's readings.
const CHART_MAX: Duration = Duration::from_secs(2);
/// Idle connections kept; how many are open at once is the courier's to cap.
const IDLE_MAX: u32 = 4;
/// How long an idle connection is kept: less than servers commonly do.
const IDLE_FOR: Duration = Duration::from_secs(30);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Mail to people.
#[derive(Debug)]
pub struct Email<W: World> {
    setup: Current,
    history: Arc<dyn History>,
    now: Now,
    kept: PerSetup<Ready>,
    world: PhantomData<W>,
}

/// What holds as long as a setup does.
#[derive(Debug)]
struct Ready {
    messages: Messages,
    /// Absent where no mail server is configured.
    transport: Option<Result<Transport, String>>,
}

impl Ready {
    fn of(setup: &Setup) -> Ready {
        let transport = setup.email.as_ref().map(connect);
        Ready { messages: Messages::read(&setup.messages), transport }
    }
}

impl<W: World> Email<W> {
    /// Mail as the setup in force has it.
    pub fn new(setup: Current, history: Arc<dyn History>, now: Now) -> Email<W> {
        Email { setup, history, now, kept: PerSetup::new(Ready::of), world: PhantomData }
    }

    async fn attempt(&self, envelope: &Envelope<W>) -> Sent {
        if let Err(refusal) = admitted(envelope) {
            return refusal;
        }
        let until = tokio::time::Instant::now() + ATTEMPT_MAX;
        let ready = self.kept.of(&envelope.setup);
        let transport = match &ready.transport {
            Some(Ok(transport)) => transport.clone(),
            None => return Sent::Rejected { reason: "no mail server is configured".into() },
            Some(Err(reason)) => {
                // A file that cannot be read now may be read the next time.
                self.kept.forget(&ready);
                return retry(reason);
            }
        };
        let words = ready.messages.language(&envelope.target.language);
        let message = match self.compose(envelope, words).await {
            Ok(message) => message,
            Err(error) => return Sent::Rejected { reason: error.to_string() },
        };
        match tokio::time::timeout_at(until, transport.send(message)).await {
            Ok(Ok(_)) => Sent::Accepted,
            Ok(Err(error)) => outcome(&error),
            Err(_) => {
                // The connection went back to its pool in the middle of a
                // command; nobody may speak through it again.
                self.kept.forget(&ready);
                retry("the mail server took too long")
            }
        }
    }

    async fn compose(
        &self,
        envelope: &Envelope<W>,
        words: &Words,
    ) -> Result<lettre::Message, mail::MailError> {
        // Before any work: what is no address gets no chart.
        mail::receiver(&envelope.target.address)?;
        let (setup, now) = (&envelope.setup, self.now.moment().civil());
        let revisions: Vec<&Revision> = envelope.revisions.iter().map(AsRef::as_ref).collect();
        let first = revisions.first().copied().ok_or(mail::MailError::Parts)?;
        let (rendered, drawn, thread) = if envelope.members.is_empty() {
            let (rendered, drawn) = self.single(envelope, first, words, now).await;
            (rendered, drawn, Thread::Warning(first.warning, first.number))
        } else {
            let told = Told {
                key: envelope.key,
                revisions: &revisions,
                members: &envelope.members,
                link: envelope.link.as_deref(),
                cause: envelope.cause,
            };
            (digest::render(&told, setup, words), None, Thread::Digest(revisions.len()))
        };
        let head = Head {
            key: envelope.key,
            thread,
            status: first.status.word(),
            from: setup.email.as_ref().map_or("", |email| &email.from),
            to: &envelope.target.address,
            name: &envelope.target.name,
            now,
        };
        mail::compose(&head, rendered, drawn)
    }

    /// A mail about one revision, with its chart if that can be had.
    async fn single(
        &self,
        envelope: &Envelope<W>,
        revision: &Revision,
        words: &Words,
        now: Timestamp,
    ) -> (Rendered, Option<Vec<u8>>) {
        let setup = &envelope.setup;
        let (drawn, chart) = match revision.evidence.first() {
            None => (None, render::Chart::None),
            Some(worst) => match self.chart(worst, setup, words, now.max(revision.sent)).await {
                None => (None, render::Chart::LeftOut),
                Some(png) => (Some(png), render::Chart::Inline(mail::CHART_ID, "")),
            },
        };
        let alt = revision.evidence.first().map_or_else(String::new, |worst| alt(worst, setup, words));
        let chart = match chart {
            render::Chart::Inline(id, _) => render::Chart::Inline(id, &alt),
            render::Chart::None | render::Chart::LeftOut => chart,
        };
        let key = envelope.key.to_string();
        let (cause, link) = (envelope.cause, envelope.link.as_deref());
        (render::render(revision, setup, words, Beside { key: &key, cause, link, chart }), drawn)
    }

    /// The chart of the worst sensor, if its readings are there in time.
    async fn chart(&self, worst: &Evidence, setup: &Setup, words: &Words, to: Timestamp) -> Option<Vec<u8>> {
        let from = to - Span::from_hours(chart::HOURS);
        let readings = self.history.recent(worst.sensor, from, to + Span(1));
        let readings = tokio::time::timeout(CHART_MAX, readings).await.ok()??;
        let chart = Chart::of(worst, &setup.plan, words.language(), to, &readings)?;
        // Some 10 ms of drawing: not on the threads that carry everybody's connections.
        let drawn = tokio::task::spawn_blocking(move || chart.draw()).await.ok()?;
        drawn.inspect_err(|error| tracing::warn!(%error, "a chart could not be drawn")).ok()
    }
}

impl<W: World> Channel<W> for Email<W> {
    fn name(&self) -> &'static str {
        "email"
    }

    fn server(&self, _: &Target<W>) -> String {
        let setup = self.setup.borrow();
        setup.email.as_ref().map_or_else(String::new, |email| format!("{}:{}", email.host, email.port))
    }

    fn connections_max(&self, setup: &Setup) -> usize {
        setup.email.as_ref().map_or(CONNECTIONS_MAX, |email| email.connections_max)
    }

    fn digests(&self, setup: &Setup) -> Option<Digests> {
        setup.email.as_ref().map(|email| email.digest)
    }

    fn send<'a>(&'a self, envelope: &'a Envelope<W>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        Box::pin(self.attempt(envelope))
    }
}

fn alt(worst: &Evidence, setup: &Setup, words: &Words) -> String {
    let plan = &setup.plan;
    let sensor = plan.sensor(worst.sensor);
    let sensor = sensor.map(|sensor| naming::sensor_name(sensor, plan, words.language())).unwrap_or_default();
    words.fill("text.chart_alt", &[("sensor", &sensor), ("hours", &chart::HOURS.to_string())])
}

fn connect(email: &plan::Email) -> Result<Transport, String> {
    let tls = match email.security {
        MailSecurity::Tls => Tls::Wrapper(parameters(email)?),
        // Required: a server, or somebody between, that strips STARTTLS gets nothing.
        MailSecurity::StartTls => Tls::Required(parameters(email)?),
        MailSecurity::PlaintextUnsafe => Tls::None,
    };
    let mut builder = Transport::builder_dangerous(&email.host)
        .port(email.port)
        .tls(tls)
        .timeout(Some(COMMAND_MAX))
        .pool_config(PoolConfig::new().max_size(IDLE_MAX).idle_timeout(IDLE_FOR));
    if let Some((user, password)) = &email.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
    }
    Ok(builder.build())
}

fn parameters(email: &plan::Email) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(email.host.clone());
    if let Some(path) = &email.ca {
        parameters = parameters.add_root_certificate(authority(path)?);
    }
    parameters.build_rustls().map_err(|_| "the TLS settings of the mail server cannot be used".to_owned())
}

fn authority(path: &Path) -> Result<Certificate, String> {
    let pem = std::fs::read(path)
        .map_err(|error| format!("{}: cannot be read ({})", path.display(), error.kind()))?;
    Certificate::from_pem(&pem).map_err(|_| format!("{}: no certificate in it, expected PEM", path.display()))
}

/// Codes by which a server says that it will not let *us* in (RFC 4954). That
/// is no word about the receiver, whose delivery must not die of it.
const LOGIN_CODES: [&str; 4] = ["530", "534", "535", "538"];

/// What an error means for the next attempt. The server's words may repeat
/// the address, so only its code is kept.
fn outcome(error: &Error) -> Sent {
    if let Some(code) = error.status() {
        let code = code.to_string();
        let words = code.parse().map_or("", cause::smtp);
        let reason = format!("the mail server answered {code}: {words}");
        let is_final = error.is_permanent() && !LOGIN_CODES.contains(&&*code);
        return if is_final { Sent::Rejected { reason } } else { retry(&reason) };
    }
    let own = error.source().map(ToString::to_string).unwrap_or_default();
    match cause::cause(error) {
        Some(Cause::Known(words)) => retry(words),
        Some(Cause::Refused(refused)) => retry(&refused.to_string()),
        None if error.is_timeout() => retry("the mail server took too long"),
        None if error.is_tls() => retry("no protected connection to the mail server"),
        None if error.is_response() => retry("what answers there does not speak SMTP"),
        // The library's own words, which name neither side.
        None if own.contains("STARTTLS") => retry("the mail server offers no STARTTLS"),
        None if own.contains("authentication mechanism") => {
            retry("the mail server offers no way of logging in that we know")
        }
        // Neither transient nor permanent by name.
        None => retry("the mail server could not be reached, or broke off"),
    }
}

fn retry(reason: &str) -> Sent {
    Sent::Retry { after: None, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
