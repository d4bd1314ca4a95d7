//! Where a webhook may go. Every address a name resolves to is checked, and
//! the connection goes to those very addresses: a name that answers
//! differently the second time gains nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The guard refused an address. It names the kind of address, never the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// From a name to its addresses.
pub type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// The system's own resolver.
pub fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.map(|address| address.ip()).collect())
        })
    })
}

/// What an administrator allows beyond public addresses.
#[derive(Clone)]
pub struct Guard {
    allow: Vec<(IpAddr, u8)>,
    plaintext: Plaintext,
    lookup: Lookup,
}

/// Whether `http://` may be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// Never.
    Refused,
    /// To networks on the allow-list.
    ToAllowed,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("allow", &self.allow)
            .field("plaintext", &self.plaintext)
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that lets public addresses pass, and the networks in `allow` (CIDR).
    pub fn new(allow: Vec<(IpAddr, u8)>, plaintext: Plaintext, lookup: Lookup) -> Guard {
        Guard { allow, plaintext, lookup }
    }

    /// Checks what can be seen of an address before it is resolved: scheme,
    /// user information, and a literal address in whatever spelling.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        match (url.scheme(), self.plaintext) {
            ("https", _) | ("http", Plaintext::ToAllowed) => {}
            ("http", Plaintext::Refused) => {
                return Err(Refused("http is not allowed, expected https".into()));
            }
            _ => return Err(Refused("scheme is not allowed, expected https".into())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused("user or password in the address, expected none".into()));
        }
        // The parser has turned 0x7f.1 and 2130706433 into what they mean.
        match url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>())
        {
            None => Err(Refused("no host in the address".into())),
            Some(Ok(ip)) => self.check(ip, url.scheme()),
            Some(Err(_)) => Ok(()),
        }
    }

    /// Checks one address.
    fn check(&self, ip: IpAddr, scheme: &str) -> Result<(), Refused> {
        if self.allow.iter().any(|&(network, bits)| contains(network, bits, plain(ip))) {
            return Ok(());
        }
        match reserved(ip) {
            Some(kind) => Err(Refused(format!("{kind} address is not on the allow-list"))),
            None if scheme == "http" => {
                Err(Refused("http to an address that is not on the allow-list".into()))
            }
            None => Ok(()),
        }
    }

    /// The resolver that a client of this scheme connects by: one address
    /// that is refused refuses the name.
    pub fn resolver(&self, scheme: &str) -> Arc<Guarded> {
        Arc::new(Guarded { guard: self.clone(), scheme: scheme.to_owned() })
    }
}

/// A resolver that gives out checked addresses only.
#[derive(Debug)]
pub struct Guarded {
    guard: Guard,
    scheme: String,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, scheme) = (self.guard.clone(), self.scheme.clone());
        Box::pin(async move {
            let addresses = (guard.lookup)(name.as_str().to_owned()).await?;
            addresses.iter().try_for_each(|&ip| guard.check(ip, &scheme))?;
            let sockets: Vec<SocketAddr> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}

/// An IPv4 address that hides in an IPv6 one, as itself.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
    }
}

fn contains(network: IpAddr, bits: u8, ip: IpAddr) -> bool {
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            u32::from(network) & mask == u32::from(ip) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            u128::from(network) & mask == u128::from(ip) & mask
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// What kind of non-public address it is, if it is one.
fn reserved(ip: IpAddr) -> Option<&'static str> {
    match plain(ip) {
        IpAddr::V4(v4) => reserved_v4(v4),
        IpAddr::V6(v6) => reserved_v6(v6),
    }
}

/// IANA's registry of special-purpose IPv4 addresses.
const RESERVED_V4: [(Ipv4Addr, u8, &str); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8, "an unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "a carrier's private"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "a reserved"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "a documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "a benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "a documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "a documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast"),
    (Ipv4Addr::BROADCAST, 32, "a broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved"),
];

fn reserved_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let hit = |&&(network, bits, _): &&(Ipv4Addr, u8, &str)| contains(network.into(), bits, ip.into());
    RESERVED_V4.iter().find(hit).map(|&(_, _, kind)| kind)
}

/// Outside `2000::/3` nothing is public; inside it, these are not.
const RESERVED_V6: [(Ipv6Addr, u8, &str); 6] = [
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32, "a translated"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "a tunnelled or reserved"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "a documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a tunnelled"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "a documentation"),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, "a reserved"),
];

fn reserved_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let hit = |&&(network, bits, _): &&(Ipv6Addr, u8, &str)| contains(network.into(), bits, ip.into());
    if let Some(&(_, _, kind)) = RESERVED_V6.iter().find(hit) {
        return Some(kind);
    }
    let first = ip.segments()[0];
    match first {
        _ if ip.is_loopback() => Some("a loopback"),
        _ if ip.is_unspecified() => Some("an unspecified"),
        0xff00.. => Some("a multicast"),
        0xfe80..=0xfebf => Some("a link-local"),
        0xfc00..=0xfdff => Some("a private"),
        0x2000..=0x3fff => None,
        _ => Some("a reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[(&str, u8)], plaintext: Plaintext) -> Guard {
        let allow = allow.iter().map(|(ip, bits)| (ip.parse().expect(ip), *bits)).collect();
        Guard::new(allow, plaintext, system_lookup())
    }

    fn check(guard: &Guard, url: &str) -> Result<(), Refused> {
        guard.check_url(&Url::parse(url).expect(url))
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_in_every_spelling() {
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
        ] {
            assert_eq!(check(&lan, url).is_ok(), allowed, "{url}");
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
            Arc::new(move |_| {
                Box::pin(async move { Ok(ips.iter().map(|ip| ip.parse().expect(ip)).collect()) })
            })
        };
        for (ips, scheme, allowed) in [
            (&["8.8.8.8"][..], "https", true),
            (&["8.8.8.8", "127.0.0.1"][..], "https", false),
            (&["::ffff:169.254.169.254"][..], "https", false),
            (&["8.8.8.8"][..], "http", false),
        ] {
            let guard = Guard::new(vec![], Plaintext::ToAllowed, answers(ips));
            let name: Name = "hook.example".parse().expect("a name");
            let found = guard.resolver(scheme).resolve(name).await;
            assert_eq!(found.is_ok(), allowed, "{ips:?}");
            if let Err(error) = found {
                assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
            }
        }
    }
}
