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

use crate::config::plan::Webhook;

/// Why the guard refused an address. It names the kind of address, never the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// `http://`, which is not switched on.
    Plaintext,
    /// Neither `https://` nor `http://`.
    Scheme,
    /// A user or a password stands in it.
    Login,
    /// It names no host.
    NoHost,
    /// Its host is of this kind, and lies in no allowed network.
    NotPublic(&'static str),
    /// `http://` to a public address in no allowed network.
    NotAllowed,
    /// `http://`, and no network is allowed.
    NothingAllowed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Plaintext => {
                f.write_str("refused: http is not switched on by webhook.plaintext, expected https")
            }
            Refused::Scheme => f.write_str("refused: its scheme is not allowed, expected https"),
            Refused::Login => f.write_str("refused: user or password in the address, expected none"),
            Refused::NoHost => f.write_str("refused: no host in the address"),
            Refused::NotPublic(kind) => {
                write!(f, "refused by webhook.allow: {kind} address, which lies in no network of it")
            }
            Refused::NotAllowed => {
                f.write_str("refused by webhook.allow: http to an address that lies in no network of it")
            }
            Refused::NothingAllowed => {
                f.write_str("refused by webhook.allow: http goes to its networks only, and it names none")
            }
        }
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

/// Whether `http://` may be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// Never.
    Refused,
    /// To networks on the allow-list.
    ToAllowed,
}

/// What an administrator allows beyond public addresses. The configuration is
/// judged by it when it is loaded, and every attempt when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    allow: Vec<(IpAddr, u8)>,
    plaintext: Plaintext,
}

impl Rules {
    /// Lets public addresses pass, and the networks in `allow` (CIDR).
    pub fn new(allow: Vec<(IpAddr, u8)>, plaintext: Plaintext) -> Rules {
        Rules { allow, plaintext }
    }

    /// Those of a configuration.
    pub fn of(webhook: &Webhook) -> Rules {
        let plaintext = if webhook.plaintext { Plaintext::ToAllowed } else { Plaintext::Refused };
        Rules::new(webhook.allow.clone(), plaintext)
    }

    /// Checks what can be seen of an address before it is resolved: scheme,
    /// user information, and a literal address in whatever spelling. What is
    /// refused here can never be delivered to.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        let scheme = match (url.scheme(), self.plaintext) {
            ("https", _) => Scheme::Https,
            ("http", Plaintext::ToAllowed) => Scheme::Http,
            ("http", Plaintext::Refused) => return Err(Refused::Plaintext),
            _ => return Err(Refused::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Login);
        }
        let host = url.host_str().ok_or(Refused::NoHost)?;
        let addresses = literal(host);
        // A name with several is refused at the connection if one of them is.
        match addresses.iter().map(|&ip| self.check(ip, scheme)).reduce(Result::or) {
            Some(checked) => checked,
            None if scheme == Scheme::Http && self.allow.is_empty() => Err(Refused::NothingAllowed),
            None => Ok(()),
        }
    }

    /// Checks one address.
    fn check(&self, ip: IpAddr, scheme: Scheme) -> Result<(), Refused> {
        if self.allow.iter().any(|&(network, bits)| contains(network, bits, plain(ip))) {
            return Ok(());
        }
        match (reserved(ip), scheme) {
            (Some(kind), Scheme::Https | Scheme::Http) => Err(Refused::NotPublic(kind)),
            (None, Scheme::Http) => Err(Refused::NotAllowed),
            (None, Scheme::Https) => Ok(()),
        }
    }
}

/// How an address is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// With TLS.
    Https,
    /// Without.
    Http,
}

/// The addresses that a host stands for without a resolver: its own where it
/// is one, this machine's for `localhost` (RFC 6761), none for any other name.
pub fn literal(host: &str) -> Vec<IpAddr> {
    // The parser has turned 0x7f.1 and 2130706433 into what they mean.
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) if matches!(host.trim_end_matches('.'), "localhost") => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        Err(_) => vec![],
    }
}

/// The rules, and how names are resolved.
#[derive(Clone)]
pub struct Guard {
    rules: Rules,
    lookup: Lookup,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that judges by these rules.
    pub fn new(rules: Rules, lookup: Lookup) -> Guard {
        Guard { rules, lookup }
    }

    /// As [`Rules::check_url`].
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        self.rules.check_url(url)
    }

    /// The resolver that a client of this scheme connects by: one address
    /// that is refused refuses the name.
    pub fn resolver(&self, scheme: Scheme) -> Arc<Guarded> {
        Arc::new(Guarded { guard: self.clone(), scheme })
    }
}

/// A resolver that gives out checked addresses only.
#[derive(Debug)]
pub struct Guarded {
    guard: Guard,
    scheme: Scheme,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, scheme) = (self.guard.clone(), self.scheme);
        Box::pin(async move {
            let addresses = (guard.lookup)(name.as_str().to_owned()).await?;
            addresses.iter().try_for_each(|&ip| guard.rules.check(ip, scheme))?;
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
mod tests;
