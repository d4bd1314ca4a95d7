use super::*;

fn guard(allow: &[(&str, u8)], plaintext: Plaintext) -> Guard {
    let allow = allow.iter().map(|(ip, bits)| (ip.parse().expect(ip), *bits)).collect();
    Guard::new(Rules::new(allow, plaintext), system_lookup())
}

fn check(guard: &Guard, url: &str) -> Result<(), Refused> {
    guard.check_url(&Url::parse(url).expect(url))
}

#[test]
fn abuse_21_addresses_that_are_not_public_in_every_spelling() {
    let strict = guard(&[], Plaintext::Refused);
    for host in [
        "169.254.169.254",
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "127.1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.9",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:db8::1]",
        "[2001::1]",
        "[fec0::1]",
        "１２７.0.0.1",
    ] {
        assert!(check(&strict, &format!("https://{host}/hook")).is_err(), "{host}");
    }
    for host in ["8.8.8.8", "[2606:4700::1111]", "172.32.0.1", "100.128.0.1", "example.org"] {
        assert_eq!(check(&strict, &format!("https://{host}/hook")), Ok(()), "{host}");
    }
}

#[test]
fn the_allow_list_opens_what_it_names_and_no_more() {
    let lan = guard(&[("10.1.0.0", 16), ("::1", 128)], Plaintext::ToAllowed);
    for (url, allowed) in [
        ("https://10.1.2.3/", true),
        ("http://10.1.2.3/", true),
        ("https://[::ffff:10.1.2.3]/", true),
        ("https://10.2.0.1/", false),
        ("http://[::1]:8080/", true),
        ("http://8.8.8.8/", false),
        ("https://127.0.0.1/", false),
        ("http://receiver.example/", true),
        ("http://localhost:8080/", true),
    ] {
        assert_eq!(check(&lan, url).is_ok(), allowed, "{url}");
    }
    let nothing = guard(&[], Plaintext::ToAllowed);
    for (url, refused) in [
        ("http://receiver.example/", Refused::NothingAllowed),
        ("http://8.8.8.8/", Refused::NotAllowed),
        ("https://localhost/", Refused::NotPublic("a loopback")),
        ("http://localhost.:80/", Refused::NotPublic("a loopback")),
    ] {
        assert_eq!(check(&nothing, url), Err(refused), "{url}");
    }
    let everything = guard(&[("0.0.0.0", 0)], Plaintext::Refused);
    assert_eq!(check(&everything, "https://127.0.0.1/"), Ok(()));
    for url in ["http://8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "https://u:p@8.8.8.8/"] {
        assert!(check(&everything, url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn one_refused_address_refuses_the_name() {
    let answers = |ips: &'static [&'static str]| -> Lookup {
        Arc::new(move |_| Box::pin(async move { Ok(ips.iter().map(|ip| ip.parse().expect(ip)).collect()) }))
    };
    for (ips, scheme, allowed) in [
        (&["8.8.8.8"][..], Scheme::Https, true),
        (&["8.8.8.8", "127.0.0.1"][..], Scheme::Https, false),
        (&["::ffff:169.254.169.254"][..], Scheme::Https, false),
        (&["8.8.8.8"][..], Scheme::Http, false),
    ] {
        let guard = Guard::new(Rules::new(vec![], Plaintext::ToAllowed), answers(ips));
        let name: Name = "hook.example".parse().expect("a name");
        let found = guard.resolver(scheme).resolve(name).await;
        assert_eq!(found.is_ok(), allowed, "{ips:?}");
        if let Err(error) = found {
            assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
        }
    }
}
