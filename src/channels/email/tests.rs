use std::sync::Mutex;

use forewarn_core::ids::{Key, OutputId, Position};
use forewarn_core::level::Status;
use forewarn_core::warning::{Kind, Reason, Revision, TroubleCode};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::channels::Member;
use crate::channels::door::{Drill, Live};
use crate::channels::sample::{self, Past};

/// What a mail server answers where it matters.
#[derive(Debug, Clone, Copy)]
struct Script {
    greeting: &'static str,
    offers: &'static str,
    rcpt: &'static str,
    taken: &'static str,
}

const WILLING: Script = Script {
    greeting: "220 mail.example",
    offers: "250-mail.example\r\n250 SIZE",
    rcpt: "250 ok",
    taken: "250 ok",
};

type Heard = Arc<Mutex<Vec<String>>>;

/// A mail server that writes down every line it hears. Without an answer it breaks off.
async fn server(script: Script) -> (u16, Heard) {
    serve(script, None).await
}

async fn serve(script: Script, tls: Option<tokio_rustls::TlsAcceptor>) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let ear = Arc::clone(&ear);
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    None => converse(stream, script, ear).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            converse(stream, script, ear).await;
                        }
                    }
                }
            });
        }
    });
    (port, heard)
}

async fn converse(stream: impl AsyncRead + AsyncWrite, script: Script, ear: Heard) {
    let (read, mut write) = tokio::io::split(stream);
    let _ = write.write_all(format!("{}\r\n", script.greeting).as_bytes()).await;
    let mut lines = BufReader::new(read).lines();
    let mut in_data = false;
    while let Ok(Some(line)) = lines.next_line().await {
        ear.lock().expect("an ear").push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        let answer = match verb {
            "." if in_data => {
                in_data = false;
                script.taken
            }
            _ if in_data => continue,
            "EHLO" => script.offers,
            "RCPT" => script.rcpt,
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        if answer.is_empty() {
            return;
        }
        let _ = write.write_all(format!("{answer}\r\n").as_bytes()).await;
    }
}

fn setup(port: u16, security: MailSecurity) -> Setup {
    let mut setup = sample::setup();
    let email = setup.email.as_mut().expect("a mail server");
    (email.host, email.port, email.security) = ("127.0.0.1".into(), port, security);
    setup
}

fn email<W: World>(setup: &Setup, past: Past) -> Email<W> {
    let (_, current) = tokio::sync::watch::channel(Arc::new(setup.clone()));
    Email::new(current, Arc::new(past), sample::now())
}

async fn send(revision: Revision, setup: Setup, address: &str) -> Sent {
    email::<Live>(&setup, Past(None)).send(&sample::envelope(revision, setup.clone(), address)).await
}

#[tokio::test]
async fn answers_are_classed() {
    for (script, accepted, dead) in [
        (WILLING, true, false),
        (Script { rcpt: "550 5.1.1 <li@people.example> unknown", ..WILLING }, false, true),
        (Script { rcpt: "451 4.7.1 <li@people.example> greylisted", ..WILLING }, false, false),
        (Script { taken: "552 5.2.2 li@people.example over quota", ..WILLING }, false, true),
        (Script { taken: "452 4.3.1 full", ..WILLING }, false, false),
        (Script { rcpt: "535 5.7.8 who are you", ..WILLING }, false, false),
        (Script { greeting: "421 too busy", ..WILLING }, false, false),
        (Script { greeting: "554 no service for you", ..WILLING }, false, true),
        (Script { rcpt: "", ..WILLING }, false, false),
        (Script { taken: "", ..WILLING }, false, false),
    ] {
        let (port, _) = server(script).await;
        let sent = send(
            sample::flood(Status::Actual),
            setup(port, MailSecurity::PlaintextUnsafe),
            "li@people.example",
        )
        .await;
        match &sent {
            Sent::Accepted => assert!(accepted, "{script:?}"),
            Sent::Rejected { .. } => assert!(dead, "{script:?}: {sent:?}"),
            Sent::Retry { .. } => assert!(!accepted && !dead, "{script:?}: {sent:?}"),
            Sent::Forbidden { .. } => panic!("{script:?}: {sent:?}"),
        }
        assert!(!format!("{sent:?}").contains("people.example"), "{sent:?}");
        if script.rcpt.starts_with("550") {
            let reason = "the mail server answered 550: mailbox unavailable".into();
            assert_eq!(sent, Sent::Rejected { reason });
        }
    }
    let free =
        TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let sent =
        send(sample::flood(Status::Actual), setup(free, MailSecurity::PlaintextUnsafe), "li@people.example")
            .await;
    assert_eq!(sent, retry("connection refused: nothing listens there"));
    let none = Setup { email: None, ..sample::setup() };
    let sent = send(sample::flood(Status::Actual), none, "li@people.example").await;
    assert_eq!(sent, Sent::Rejected { reason: "no mail server is configured".into() });
}

#[tokio::test]
async fn abuse_30_stripped_starttls_sends_nothing_in_the_clear() {
    let (port, heard) = server(WILLING).await;
    let mut setup = setup(port, MailSecurity::StartTls);
    setup.email.as_mut().expect("a mail server").login =
        Some(("user".into(), crate::config::secret::Secret::new("hush")));
    let sent = send(sample::flood(Status::Actual), setup, "li@people.example").await;
    assert_eq!(sent, retry("the mail server offers no STARTTLS"));
    let heard = heard.lock().expect("an ear");
    assert!(heard.iter().all(|line| ["EHLO", "QUIT"].iter().any(|verb| line.starts_with(verb))), "{heard:?}");
}

#[tokio::test]
async fn abuse_29_what_is_no_address_is_refused_before_any_connection() {
    let (port, heard) = server(WILLING).await;
    for address in [
        "",
        "nobody",
        "a@b@c",
        "li@people.example\r\nBcc: v@x",
        "\"li\r\nRCPT TO:<v@x>\"@people.example",
        "\"li x\"@people.example",
        "Li <li@people.example>",
        "li@people.example, v@x",
        "li@people.example\u{0}",
    ] {
        let sent =
            send(sample::flood(Status::Actual), setup(port, MailSecurity::PlaintextUnsafe), address).await;
        assert!(matches!(sent, Sent::Rejected { .. }), "{address:?}: {sent:?}");
        assert!(!format!("{sent:?}").contains("people.example"), "{sent:?}");
    }
    assert!(heard.lock().expect("an ear").is_empty());
}

/// The lines of the mail as the server heard them, headers unfolded.
async fn delivered<W: World>(
    revision: Revision,
    setup: &Setup,
    name: &str,
    past: Past,
) -> (Vec<String>, String) {
    let (port, heard) = server(WILLING).await;
    let mut setup = setup.clone();
    setup.email.as_mut().expect("a mail server").port = port;
    setup.email.as_mut().expect("a mail server").host = "127.0.0.1".into();
    let mut envelope = sample::envelope::<W>(revision, setup.clone(), "li@people.example");
    envelope.target.name = name.into();
    assert_eq!(email::<W>(&setup, past).send(&envelope).await, Sent::Accepted);
    let heard = heard.lock().expect("an ear");
    assert_eq!(heard.iter().filter(|line| line.starts_with("RCPT")).count(), 1, "{heard:?}");
    let data = heard.iter().position(|line| line == "DATA").expect("data") + 1;
    let end = heard.iter().rposition(|line| line == ".").expect("an end");
    let mail = heard[data..end].join("\n");
    let (headers, body) = mail.split_once("\n\n").expect("headers and body");
    let unfolded = headers.replace("\n ", " ").replace("\n\t", " ");
    (unfolded.lines().map(str::to_owned).collect(), body.to_owned())
}

#[tokio::test]
async fn headers_name_key_thread_and_status() {
    let first = sample::flood(Status::Actual);
    let (headers, _) = delivered::<Live>(first.clone(), &sample::setup(), "Li Wei", Past(None)).await;
    let warning = first.warning.digest();
    let key = forewarn_core::ids::Key::of_delivery(&first.id, "t-1", 0);
    for header in [
        format!("Message-ID: <{key}@warn.example>"),
        format!("References: <{warning}.warning@warn.example>"),
        format!("X-Forewarn-Warning: {warning}"),
        "X-Forewarn-Status: Actual".into(),
        "Auto-Submitted: auto-generated".into(),
        "Date: Mon, 13 Jul 2026 19:20:00 +0000".into(),
        "Subject: [ORANGE II] Flood: Qujiang 59.10 m, limit 58.50 m, rising, +0.62 m/h".into(),
        "From: Forewarn <forewarn@warn.example>".into(),
    ] {
        assert!(headers.contains(&header), "{header} not in {headers:#?}");
    }
    assert!(!headers.iter().any(|line| line.starts_with("In-Reply-To")));
    let later = sample::later(Kind::Update, Reason::Upgraded, forewarn_core::level::Level::Red);
    let (headers, _) = delivered::<Live>(later, &sample::setup(), "Li Wei", Past(None)).await;
    assert!(headers.contains(&format!("In-Reply-To: <{warning}.warning@warn.example>")), "{headers:#?}");
    let (headers, _) =
        delivered::<Drill>(sample::flood(Status::Exercise), &sample::setup(), "", Past(None)).await;
    assert!(headers.contains(&"X-Forewarn-Status: Exercise".into()));
    assert!(
        headers.iter().any(|line| line.starts_with("Subject: ") && line.contains("[EXERCISE]")),
        "{headers:#?}"
    );
}

/// Mails with this text wherever a name, a subject or a detail may stand.
async fn with_words(evil: &str) -> Vec<(Vec<String>, String)> {
    let mut plan = sample::plan();
    plan.stations[0].as_mut().expect("a station").names = [("en", evil)].into();
    plan.areas[0].as_mut().expect("an area").names = [("en", evil)].into();
    plan.settings.site = evil.into();
    let setup = Setup { plan: plan.into(), ..sample::setup() };
    let flood = Revision { detail: evil.into(), ..sample::flood(Status::Actual) };
    vec![
        delivered::<Live>(flood, &setup, evil, Past(None)).await,
        delivered::<Live>(sample::trouble(TroubleCode::Rot, evil, evil), &setup, evil, Past(None)).await,
    ]
}

#[tokio::test]
async fn abuse_27_name_with_a_header_in_it() {
    for evil in ["X\r\nBcc: v@x.example", "X\nBcc: v@x.example\n\n<b>hello", "X\rBcc: v@x.example\r\n\r\n"] {
        for (headers, _) in with_words(evil).await {
            assert!(!headers.iter().any(|line| line.to_lowercase().starts_with("bcc")), "{headers:#?}");
        }
    }
}

#[tokio::test]
async fn abuse_28_body_with_the_end_of_a_mail_in_it() {
    for evil in [
        "\r\n.\r\nMAIL FROM:<v@x.example>\r\n",
        "\n.\nMAIL FROM:<v@x.example>\n",
        "\r\n.\rMAIL FROM:<v@x.example>",
    ] {
        for (_, body) in with_words(evil).await {
            // After a lone full stop the server would take what follows for commands.
            assert!(!body.lines().any(|line| line == "."), "{body}");
            assert!(body.contains("MAIL FROM"), "it stays what it is, text: {body}");
        }
    }
}

#[tokio::test]
async fn a_chart_comes_with_the_mail_or_the_mail_says_so() {
    let (headers, body) = delivered::<Live>(
        sample::flood(Status::Actual),
        &sample::setup(),
        "Li",
        Past(Some(sample::rising())),
    )
    .await;
    assert!(headers.iter().any(|line| line.starts_with("Content-Type: multipart/related")), "{headers:#?}");
    for part in [
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
        "Content-ID: <chart@forewarn>",
        "Content-Disposition: inline",
        "A chart of the last 12 hours is attached.",
    ] {
        assert!(body.contains(part), "{part}");
    }
    let (headers, body) =
        delivered::<Live>(sample::flood(Status::Actual), &sample::setup(), "Li", Past(None)).await;
    assert!(
        headers.iter().any(|line| line.starts_with("Content-Type: multipart/alternative")),
        "{headers:#?}"
    );
    assert!(!body.contains("image/png"));
    assert!(body.contains("The chart could not be drawn in time and is left out."), "{body}");
    let trouble = sample::trouble(TroubleCode::DiskLow, "/data", "");
    let (_, body) = delivered::<Live>(trouble, &sample::setup(), "Li", Past(Some(vec![]))).await;
    assert!(!body.contains("chart") && !body.contains("image/png"));
}

#[tokio::test]
async fn a_drill_does_not_leave_a_live_service_but_a_test_of_notification_does() {
    let (port, heard) = server(WILLING).await;
    let setup = setup(port, MailSecurity::PlaintextUnsafe);
    let sent = send(sample::flood(Status::Exercise), setup.clone(), "li@people.example").await;
    assert!(matches!(sent, Sent::Forbidden { .. }), "{sent:?}");
    let real = sample::envelope(sample::flood(Status::Actual), setup.clone(), "li@people.example");
    let sent = email::<Drill>(&setup, Past(None)).send(&real).await;
    assert!(matches!(sent, Sent::Forbidden { .. }), "{sent:?}");
    assert!(heard.lock().expect("an ear").is_empty());
    let test = Revision { status: Status::Exercise, ..sample::notify_test() };
    assert_eq!(send(test, setup.clone(), "li@people.example").await, Sent::Accepted);
    let target = &sample::envelope::<Live>(sample::blind(), setup.clone(), "li@people.example").target;
    assert_eq!(email::<Live>(&setup, Past(None)).server(target), format!("127.0.0.1:{port}"));
}

#[tokio::test]
async fn tls_trusts_the_configured_authority_and_no_stranger() {
    let (acceptor, pem) = sample::tls("127.0.0.1");
    let (port, heard) = serve(WILLING, Some(acceptor)).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), pem).expect("written");
    for (ca, accepted) in
        [(None, false), (Some("/nowhere/ca.pem".into()), false), (Some(file.path().to_owned()), true)]
    {
        let mut setup = setup(port, MailSecurity::Tls);
        setup.email.as_mut().expect("a mail server").ca = ca.clone();
        let sent = send(sample::flood(Status::Actual), setup, "li@people.example").await;
        match sent {
            Sent::Accepted => assert!(accepted, "{ca:?}"),
            Sent::Retry { ref reason, .. } => {
                assert!(ca.is_some() || reason.starts_with("its certificate is not trusted"), "{sent:?}");
                assert!(!accepted && heard.lock().expect("an ear").is_empty(), "{ca:?}: {sent:?}");
            }
            Sent::Rejected { .. } | Sent::Forbidden { .. } => panic!("{ca:?}: {sent:?}"),
        }
    }
}

#[tokio::test]
async fn a_digest_is_one_mail_under_its_own_key() {
    let (port, heard) = server(WILLING).await;
    let setup = setup(port, MailSecurity::PlaintextUnsafe);
    let mut envelope =
        sample::envelope::<Live>(sample::flood(Status::Actual), setup.clone(), "li@people.example");
    let other = sample::trouble(TroubleCode::DiskLow, "/data", "");
    let id = OutputId { position: Position(55), ..other.id };
    envelope.revisions.push(Arc::new(Revision { id, warning: id, ..other }));
    let member = |byte| Member { key: Key([byte; 16]), link: Some("https://warn.example/a/own".into()) };
    (envelope.key, envelope.members) = (Key([0xab; 16]), vec![member(1), member(2)]);
    assert_eq!(email::<Live>(&setup, Past(None)).send(&envelope).await, Sent::Accepted);
    let heard = heard.lock().expect("an ear").join("\n");
    for line in [
        "Subject: [ORANGE II] 2 warnings: 1 ORANGE, 1 YELLOW\n",
        &format!("Message-ID: <{}@warn.example>\n", "ab".repeat(16)),
        "X-Forewarn-Digest: 2\n",
    ] {
        assert!(heard.contains(line), "{line} in {heard}");
    }
    assert!(!heard.contains("References:") && !heard.contains("image/png"), "{heard}");
}

#[test]
fn the_chart_is_named_in_the_language_of_the_mail() {
    let (setup, messages) = (sample::setup(), Messages::read(&sample::setup().messages));
    for (language, caption) in [
        ("en", "Chart: Qujiang (qj-017/level), last 12 hours, with its limits"),
        ("zh", "图：曲江 (qj-017/level)，最近 12 小时，含各级限值"),
    ] {
        let words = messages.language(language);
        let alt = alt(&sample::evidence(), &setup, words);
        assert_eq!(alt, caption);
        let chart = render::Chart::Inline(mail::CHART_ID, &alt);
        let mail = render::render(&sample::flood(Status::Actual), &setup, words, sample::beside("k", chart));
        let html = mail.html.replace("&#x2f;", "/");
        assert!(html.contains(&format!(">{caption}</td>")) && html.contains(&format!("alt=\"{caption}\"")));
    }
}
