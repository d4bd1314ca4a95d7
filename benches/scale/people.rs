//! Every area crosses at once, and fifty people are told by mail: when each got
//! its messages, while all mailboxes are well and while two are sick.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::child::Service;
use crate::common::figures::Goal;
use crate::crowd::{Crowd, Size};
use crate::{CALM, READINGS, SETTLE, say};

/// Areas that cross at once, a gauge each.
const AREAS: u32 = 10_000;
/// Mailboxes that hear of all of them.
const PEOPLE: usize = 50;
/// The first of them are sick, where any is: one never answers, one answers a byte a second.
const SICK: usize = 2;
/// Metres: above every limit.
const RED: f64 = 9.5;
/// From the first mail of a mailbox to its digest, by default.
const MINUTE: Duration = Duration::from_mins(1);
/// How long the last mails are waited for.
const PATIENCE: Duration = Duration::from_mins(5);

/// A mail that was taken.
#[derive(Debug, Clone)]
struct Mail {
    to: String,
    at: Instant,
    /// Warnings in it; one unless it is a digest.
    warnings: u32,
}

/// How the sick ones are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Sick,
}

/// The first mail of each mailbox and its digests, in seconds from the crossing,
/// as they came with the sick ones and without.
pub(crate) async fn measure() {
    let well = storm(Health::Well).await;
    let sick = storm(Health::Sick).await;
    let what = format!("{AREAS} areas, {PEOPLE} mailboxes, one hung and one at 1 byte/s: the others'");
    let least = Goal::AtMost(1.2 * well.first.max(0.2));
    say(&format!("{what} first mail, the last of them"), "s", least, sick.first, Some(well.first));
    say(
        &format!("{what} digests, p99"),
        "s",
        Goal::AtMost(1.2 * well.digest),
        sick.digest,
        Some(well.digest),
    );
    say("  mails of a mailbox in its first minute, most", "", Goal::AtMost(3.0), sick.most, Some(well.most));
    say("  most memory above rest", "MB", Goal::None, sick.memory, Some(well.memory));
}

/// What came of a storm for the healthy.
struct Came {
    first: f64,
    digest: f64,
    most: f64,
    memory: f64,
}

async fn storm(health: Health) -> Came {
    let taken: Arc<Mutex<Vec<Mail>>> = Arc::default();
    let port = serve(Arc::clone(&taken), health).await;
    let site = Crowd::new(Size { sensors: AREAS, areas: AREAS, devices: 0 }, "");
    let people: Vec<String> = (0..PEOPLE).map(|nth| format!("p-{nth}@people.example")).collect();
    site.tell_by_mail(port, &people);
    let (service, _) = Service::start(&site.place()).await;
    for _ in 0..READINGS {
        service.read(0..AREAS, CALM).await;
    }
    tokio::time::sleep(SETTLE).await;
    let at_rest = service.resident_mb();
    service.forget_peak();
    let began = Instant::now();
    service.read(0..AREAS, RED).await;
    let healthy = &people[SICK..];
    let mails = loop {
        let mails = taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told =
            |to: &String| mails.iter().filter(|mail| mail.to == *to).map(|mail| mail.warnings).sum::<u32>();
        if healthy.iter().all(|to| told(to) >= AREAS) {
            assert!(healthy.iter().all(|to| told(to) == AREAS), "each warning once");
            break mails;
        }
        assert!(began.elapsed() < PATIENCE, "{} mails, {:?}", mails.len(), healthy.iter().map(told).min());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let memory = service.peak_mb() - at_rest;
    service.kill();
    let of = |to: &String| mails.iter().filter(|mail| mail.to == *to).cloned().collect::<Vec<Mail>>();
    let (mut first, mut digests, mut most) = (vec![], vec![], 0);
    for mails in healthy.iter().map(of) {
        let begins = mails.iter().map(|mail| mail.at).min().expect("it was told");
        most = most.max(mails.iter().filter(|mail| mail.at < begins + MINUTE * 9 / 10).count());
        let after = |mail: &Mail| mail.at.duration_since(began).as_secs_f64();
        first.push(begins.duration_since(began).as_secs_f64());
        digests.extend(mails.iter().filter(|mail| mail.warnings > 1).map(after));
    }
    Came { first: first.into_iter().fold(0.0, f64::max), digest: p99(digests), most: most as f64, memory }
}

fn p99(mut secs: Vec<f64>) -> f64 {
    secs.sort_by(f64::total_cmp);
    secs[secs.len() * 99 / 100]
}

/// A mail server on a free port, which writes down what it takes.
async fn serve(taken: Arc<Mutex<Vec<Mail>>>, health: Health) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let taken = Arc::clone(&taken);
            tokio::spawn(async move {
                // Whoever breaks off comes again.
                let _ = converse(stream, &taken, health).await;
            });
        }
    });
    port
}

async fn converse(stream: TcpStream, taken: &Mutex<Vec<Mail>>, health: Health) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    write.write_all(b"220 sink\r\n").await?;
    let mut lines = BufReader::new(read).lines();
    let (mut to, mut warnings, mut in_data) = (String::new(), 1, false);
    while let Some(line) = lines.next_line().await? {
        if in_data {
            if let Some(count) = line.strip_prefix("X-Forewarn-Digest: ") {
                warnings = count.trim().parse().unwrap_or(1);
            }
            if line != "." {
                continue;
            }
            in_data = false;
            if health == Health::Sick && to == "p-0@people.example" {
                std::future::pending::<()>().await;
            }
            if health == Health::Sick && to == "p-1@people.example" {
                for byte in b"250 2.0.0 taken, and it will be there in its own good time\r\n" {
                    write.write_all(&[*byte]).await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            let mail = Mail { to: std::mem::take(&mut to), at: Instant::now(), warnings };
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
            warnings = 1;
            write.write_all(b"250 ok\r\n").await?;
            continue;
        }
        let answer: &[u8] = match line.split([' ', ':']).next().unwrap_or_default() {
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                b"250 ok\r\n"
            }
            "DATA" => {
                in_data = true;
                b"354 go on\r\n"
            }
            "QUIT" => return write.write_all(b"221 bye\r\n").await,
            _ => b"250 ok\r\n",
        };
        write.write_all(answer).await?;
    }
    Ok(())
}
