//! `forewarn health`: one HTTP request to the running service, for the health
//! checks of containers and service managers.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::args::{HealthArgs, Places};
use super::beside::{data_dir, is_running, settings};
use super::show::count;
use super::{Exit, Surroundings};
use crate::app::listening::{FILE, Listening};

/// Where HTTP is served unless configured.
const DEFAULT_BIND: &str = "127.0.0.1:8080";

/// A check that takes longer counts as failed; container health checks give three seconds in all.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// From the request to the end of the answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);

/// Bytes of an answer at most; whatever sends more is not the service.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks; code 0 when well, 1 when not, 3 when nobody answers.
pub(super) fn health(args: &HealthArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let data = data_dir(&args.places).ok();
    let noted = data.as_deref().and_then(|data| Listening::read(data).ok().flatten());
    if let (Some(data), None, true) = (&data, &noted, args.places.data.is_some()) {
        // Whoever names a directory means its service, and no other that may listen elsewhere.
        let is = if is_running(data) { "has not said yet where it listens" } else { "is not running" };
        writeln!(around.err, "the service {is}: {} is not there", data.join(FILE).display())?;
        return Ok(Exit::Unreachable);
    }
    let address = match noted.as_ref().map_or_else(|| configured(&args.places), |it| Ok(it.http)) {
        Ok(address) => reachable(address),
        Err(fault) => {
            writeln!(around.err, "{fault}")?;
            return Ok(Exit::Fault);
        }
    };
    let path = if args.live { "/healthz" } else { "/readyz" };
    let error = match address.port() {
        0 => "the configuration leaves its port to each start".to_owned(),
        _ => match get(address, path) {
            Ok((code, body)) => {
                let told = if args.json { body } else { summary(&body) };
                writeln!(around.out, "{}", told.trim_end())?;
                return Ok(if code == 200 { Exit::Done } else { Exit::Remarks });
            }
            Err(error) => format!("nothing answers at http://{address}{path}: {error}"),
        },
    };
    let runs = data.as_deref().is_some_and(is_running);
    let is = if runs { "does not answer" } else { "is not running" };
    let looked = match (&data, &noted) {
        (Some(data), None) => format!("{} is not there, and ", data.join(FILE).display()),
        (Some(data), Some(it)) => {
            format!("{} says that process {} runs, but ", data.join(FILE).display(), it.pid)
        }
        (None, _) => String::new(),
    };
    writeln!(around.err, "the service {is}: {looked}{error}")?;
    Ok(Exit::Unreachable)
}

/// Where it is configured to listen.
fn configured(places: &Places) -> Result<SocketAddr, String> {
    let settings = settings(places)?;
    let bind = settings.get("http").and_then(|http| http.get("bind")).and_then(toml::Value::as_str);
    let bind = bind.unwrap_or(DEFAULT_BIND);
    bind.parse().map_err(|_| format!("http.bind is {bind:?}, expected an address such as {DEFAULT_BIND}"))
}

/// A service that listens everywhere is asked on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Status and body of one plain request.
fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((code, body.to_owned()))
}

/// What `/readyz` says, in a line; whatever else answered, as it is.
fn summary(body: &str) -> String {
    let Ok(it @ Value::Object(_)) = serde_json::from_str(body) else { return body.to_owned() };
    let number = |value: &Value| value.as_u64().unwrap_or_default() as usize;
    let reasons: Vec<&str> =
        it["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let state = match reasons.as_slice() {
        [] => "ready".to_owned(),
        some => format!("not ready: {}", some.join("; ")),
    };
    let troubles: Vec<String> = it["troubles"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(code, standing)| match number(standing) {
            1 => code.clone(),
            some => format!("{some} {code}"),
        })
        .collect();
    let troubles = match troubles.as_slice() {
        [] => "no trouble".to_owned(),
        some => format!("troubles: {}", some.join(", ")),
    };
    format!(
        "{state}; {troubles}; position {}, {}, {} silent, {}",
        number(&it["position"]),
        count(number(&it["sensors"]["configured"]), "sensor"),
        number(&it["sensors"]["silent"]),
        count(number(&it["incidents"]), "incident"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_code_and_a_line() {
        let ready = r#"{"ready":true,"reasons":[],"position":7,"sensors":{"configured":3,"silent":1},"incidents":1,"troubles":{"dead-letter":2,"source-down":1}}"#;
        for (answer, expected) in [
            (
                format!("HTTP/1.1 200 OK\r\nx: y\r\n\r\n{ready}"),
                Some((
                    200,
                    "ready; troubles: 2 dead-letter, source-down; position 7, 3 sensors, 1 silent, 1 incident",
                )),
            ),
            ("HTTP/1.1 200 OK\r\n\r\nalive\n".to_owned(), Some((200, "alive\n"))),
            (
                "HTTP/1.1 503 x\r\n\r\n{\"ready\":false,\"reasons\":[\"no room\"]}".to_owned(),
                Some((503, "not ready: no room; no trouble; position 0, 0 sensors, 0 silent, 0 incidents")),
            ),
            ("SSH-2.0-x\r\n\r\n".to_owned(), None),
        ] {
            let parsed = parse(&answer).map(|(code, body)| (code, summary(&body)));
            assert_eq!(parsed, expected.map(|(code, line)| (code, line.to_owned())), "{answer}");
        }
    }

    #[test]
    fn a_service_that_listens_everywhere_is_asked_here() {
        for (bound, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(reachable(bound.parse().expect("an address")), asked.parse().expect("an address"));
        }
    }
}
