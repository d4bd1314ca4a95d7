//! What passes between us and the server, by way of `influxdb2`, and what its
//! answers mean for a batch.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use influxdb2::api::query::FluxRecord;
use influxdb2::api::write::TimestampPrecision;
use influxdb2::models::Query;
use influxdb2::{Client, ClientBuilder, RequestError};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::config::plan::Influx as Settings;

/// From the first byte to the last of an answer.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Until a connection stands.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// What is kept of a long answer.
const TEXT_CHARS_MAX: usize = 500;
/// Fewer dropped points than this are looked for one by one.
const DROPPED_SOUGHT_MAX: u64 = 8;

/// So many lines refused one after the other, and none stored: it is not the
/// lines that are wrong.
const REFUSED_IN_A_ROW_MAX: usize = 64;

/// What the server said to a body of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// All of it is stored.
    Stored,
    /// All is stored but for some points, whose values or times it cannot take.
    Partial(String),
    /// A line does not parse, so nothing of it is stored.
    Unparsed(String),
    /// The body is larger than it takes.
    TooLarge(String),
}

/// Lines or points that were not stored and never will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dead {
    /// Which line; `None` where the server did not say.
    pub(super) line: Option<usize>,
    /// How many points.
    pub(super) points: u64,
    /// What the server said.
    pub(super) reason: String,
}

/// A connection to one bucket. Calls block; `stop` ends them early.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    org: String,
    bucket: String,
    runtime: Runtime,
    stop: CancellationToken,
}

impl Wire {
    pub(super) fn new(settings: &Settings, stop: CancellationToken) -> anyhow::Result<Wire> {
        let url = reqwest011::Url::parse(&settings.url)
            .with_context(|| format!("influx.url is {:?}, expected as http://host:8086", settings.url))?;
        // The client library drops a path, and so would ask elsewhere.
        if url.path() != "/" || url.host().is_none() {
            bail!("influx.url is {:?}, expected scheme, host and port without a path", settings.url);
        }
        // Its own default waits for ever.
        let builder = reqwest011::ClientBuilder::new()
            .timeout(ANSWER_MAX)
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest011::redirect::Policy::none())
            .no_proxy();
        let token = settings.token.expose().trim();
        let client = ClientBuilder::with_builder(builder, url, &settings.org, token).build();
        Ok(Wire {
            client: client.context("cannot make a client for InfluxDB")?,
            org: settings.org.clone(),
            bucket: settings.bucket.clone(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            stop,
        })
    }

    /// The bucket's name, as Flux writes a text.
    pub(super) fn bucket(&self) -> String {
        quoted(&self.bucket)
    }

    /// Stores the lines of `body` at `lines`. Those that cannot be stored go
    /// to `dead`, the rest is stored. On an error (the server is away, busy,
    /// or does not let us in) all of it is to be sent again; that does no harm.
    pub(super) fn store(
        &self,
        body: &[u8],
        lines: &[Range<usize>],
        dead: &mut Vec<Dead>,
    ) -> anyhow::Result<()> {
        let whole = 0..lines.len();
        let mut parts = vec![whole];
        let mut refused_in_a_row = 0;
        while let Some(part) = parts.pop() {
            let (Some(first), Some(last)) = (lines[part.clone()].first(), lines[part.clone()].last()) else {
                continue;
            };
            let answer = self.post(&body[first.start..last.end])?;
            let alone = part.len() == 1;
            match answer {
                Answer::Stored => refused_in_a_row = 0,
                Answer::Partial(reason) if !alone && dropped(&reason) > DROPPED_SOUGHT_MAX => {
                    dead.push(Dead { line: None, points: dropped(&reason), reason });
                }
                Answer::Partial(reason) | Answer::Unparsed(reason) | Answer::TooLarge(reason) if alone => {
                    refused_in_a_row += 1;
                    if refused_in_a_row >= REFUSED_IN_A_ROW_MAX {
                        bail!("InfluxDB refuses everything: {reason}");
                    }
                    dead.push(Dead { line: Some(part.start), points: 1, reason });
                }
                Answer::Partial(_) | Answer::Unparsed(_) | Answer::TooLarge(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
            }
        }
        Ok(())
    }

    fn post(&self, body: &[u8]) -> anyhow::Result<Answer> {
        let write = self.client.write_line_protocol_with_precision(
            &self.org,
            &self.bucket,
            body.to_vec(),
            TimestampPrecision::Nanoseconds,
        );
        match self.wait(write)? {
            Ok(()) => Ok(Answer::Stored),
            Err(RequestError::Http { status, text }) => meaning(status.as_u16(), cut(&text)),
            Err(error) => Err(anyhow!(error).context("InfluxDB does not answer")),
        }
    }

    /// Asks in Flux.
    pub(super) fn query(&self, flux: String) -> anyhow::Result<Vec<FluxRecord>> {
        let asked = AssertUnwindSafe(|| self.wait(self.client.query_raw(Some(Query::new(flux)))));
        // The library unwraps where an answer breaks off, or a cell does not parse.
        let answer = catch_unwind(asked).map_err(|_| anyhow!("the answer of InfluxDB does not read"))?;
        answer?.map_err(|error| match error {
            RequestError::Http { status, text } => anyhow!("InfluxDB answers {status}: {}", cut(&text)),
            error => anyhow!(error).context("InfluxDB does not answer"),
        })
    }

    fn wait<T>(&self, answer: impl Future<Output = T>) -> anyhow::Result<T> {
        self.runtime.block_on(async {
            tokio::select! {
                () = self.stop.cancelled() => Err(anyhow!("stopped while waiting for InfluxDB")),
                answer = answer => Ok(answer),
            }
        })
    }
}

/// What an answer other than success means; an error is to be tried again.
fn meaning(status: u16, text: String) -> anyhow::Result<Answer> {
    match status {
        // 1.x says 400 to both.
        400 | 422 if text.contains("partial write") => Ok(Answer::Partial(text)),
        400 if text.contains("unable to parse") => Ok(Answer::Unparsed(text)),
        413 => Ok(Answer::TooLarge(text)),
        // The points parse, and yet it takes none of them.
        422 => Ok(Answer::Unparsed(text)),
        // 401, 404: a person may mend token, organisation or bucket. Any other
        // 400 is no word about a line, perhaps not even from the database.
        _ => Err(anyhow!("InfluxDB answers {status}: {text}")),
    }
}

/// How many points a partial write dropped, as the server says.
fn dropped(text: &str) -> u64 {
    let after = text.rsplit("dropped=").next().filter(|_| text.contains("dropped="));
    let digits = after.map(|after| after.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// A text as Flux writes it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        // `${` would begin an expression.
        if matches!(character, '"' | '\\' | '$') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::fmt::Write as _;
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::secret::Secret;

    /// A server that answers by what is in the body, and remembers the lines it took.
    fn server(answer: fn(&str) -> (u16, &'static str)) -> (Settings, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let took = Arc::<Mutex<Vec<String>>>::default();
        let taking = Arc::clone(&took);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).unwrap() > 2 {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                let (code, text) = answer(&body);
                if code == 204 || code == 422 {
                    let good = body.lines().filter(|line| !line.contains("bad"));
                    taking.lock().unwrap().extend(good.map(str::to_owned));
                }
                let length = text.len();
                let head =
                    format!("HTTP/1.1 {code} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                stream.get_mut().write_all(format!("{head}{text}").as_bytes()).unwrap();
            }
        });
        let settings = Settings { url, org: "o".into(), bucket: "b".into(), token: Secret::new("t") };
        (settings, took)
    }

    /// Sends `lines` lines, of which those in `bad` are bad.
    fn send(settings: &Settings, lines: usize, bad: &[usize]) -> (anyhow::Result<()>, Vec<Dead>) {
        let wire = Wire::new(settings, CancellationToken::new()).unwrap();
        let (mut body, mut at) = (String::new(), vec![]);
        for n in 0..lines {
            let start = body.len();
            let word = if bad.contains(&n) { "bad" } else { "good" };
            writeln!(body, "{word}{n}").unwrap();
            at.push(start..body.len());
        }
        let mut dead = vec![];
        let done = wire.store(body.as_bytes(), &at, &mut dead);
        (done, dead)
    }

    fn unparsed(body: &str) -> (u16, &'static str) {
        if body.contains("bad") { (400, "unable to parse 'bad'") } else { (204, "") }
    }

    fn partial(body: &str) -> (u16, &'static str) {
        match body.matches("bad").count() {
            0 => (204, ""),
            1..=8 => (422, "partial write: dropped=3"),
            _ => (422, "partial write: points beyond retention policy dropped=9"),
        }
    }

    fn too_large(body: &str) -> (u16, &'static str) {
        if body.len() > 100 || body.contains("bad") { (413, "too large") } else { (204, "") }
    }

    #[test]
    fn a_bad_line_is_found_and_all_its_neighbours_are_stored() {
        for (name, answer) in [("400", unparsed as fn(&str) -> _), ("422", partial), ("413", too_large)] {
            for (lines, bad) in
                [(1, vec![0]), (1, vec![]), (0, vec![]), (100, vec![0, 99]), (77, vec![5, 6, 7, 60])]
            {
                let (settings, took) = server(answer);
                let (done, dead) = send(&settings, lines, &bad);
                done.unwrap();
                let lines_of_dead: Vec<usize> = dead.iter().filter_map(|it| it.line).collect();
                assert_eq!(lines_of_dead, bad, "{name}");
                let mut took = took.lock().unwrap().clone();
                took.sort_unstable();
                took.dedup();
                assert_eq!(took.len(), lines - bad.len(), "{name}");
            }
        }
    }

    #[test]
    fn many_dropped_points_are_counted_and_not_looked_for() {
        let (settings, took) = server(partial);
        let (done, dead) = send(&settings, 100, &(0..9).collect::<Vec<_>>());
        done.unwrap();
        let reason = "partial write: points beyond retention policy dropped=9".to_owned();
        assert_eq!(dead, [Dead { line: None, points: 9, reason }]);
        assert_eq!(took.lock().unwrap().len(), 91);
    }

    #[test]
    fn a_server_that_refuses_everything_condemns_no_line() {
        let (settings, _) = server(|_| (400, "unable to parse anything today"));
        let (done, _) = send(&settings, 200, &[]);
        assert!(done.unwrap_err().to_string().contains("refuses everything"));
    }

    #[test]
    fn an_address_that_the_library_would_mend_is_refused() {
        for url in ["http://host:8086/influx", "not an address", "unix:/run/influx"] {
            let settings =
                Settings { url: url.into(), org: "o".into(), bucket: "b".into(), token: Secret::new("t") };
            assert!(Wire::new(&settings, CancellationToken::new()).is_err(), "{url}");
        }
    }

    #[test]
    fn only_words_about_lines_condemn_lines() {
        let retried = None;
        for (status, text, want) in [
            (400, r#"{"code":"invalid","message":"unable to parse 'x': missing fields"}"#, Some("unparsed")),
            (400, "<html>bad request</html>", retried),
            (400, "partial write: points beyond retention policy dropped=3", Some("partial")),
            (422, "partial write: field type conflict dropped=1", Some("partial")),
            (422, "unprocessable", Some("unparsed")),
            (413, "too large", Some("too large")),
            (401, "unauthorized access", retried),
            (403, "forbidden", retried),
            (404, "bucket not found", retried),
            (429, "slow down", retried),
            (500, "internal error", retried),
            (503, "starting", retried),
            (302, "elsewhere", retried),
        ] {
            let got = meaning(status, text.to_owned()).ok().map(|answer| match answer {
                Answer::Stored => "stored",
                Answer::Partial(_) => "partial",
                Answer::Unparsed(_) => "unparsed",
                Answer::TooLarge(_) => "too large",
            });
            assert_eq!(got, want, "{status} {text}");
        }
    }

    #[test]
    fn the_count_of_dropped_points_is_read() {
        for (text, want) in
            [("... dropped=12\"}", 12), ("partial write", 1), ("dropped=", 1), ("dropped=1 dropped=7", 7)]
        {
            assert_eq!(dropped(text), want, "{text}");
        }
    }
}
