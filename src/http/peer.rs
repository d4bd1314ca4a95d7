//! From which address a request comes.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{Request, request::Parts};

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
struct Peer(IpAddr);

/// The same request, with who sent it.
pub(super) fn noted<B>(peer: IpAddr, mut request: Request<B>) -> Request<B> {
    request.extensions_mut().insert(Peer(peer));
    request
}

/// From where it comes. A proxy on this machine says for whom it speaks, in the
/// last entry of `X-Forwarded-For`; whoever comes from elsewhere is not asked.
pub(super) fn address(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    if !peer.to_canonical().is_loopback() {
        return peer;
    }
    let forwarded = parts.headers.get_all("x-forwarded-for").into_iter().next_back();
    let last = forwarded.and_then(|it| it.to_str().ok()).and_then(|it| it.rsplit(',').next());
    last.and_then(|it| it.trim().parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_speaks_for_others() {
        let check = |peer: &str, forwarded: Option<&str>, expected: &str| {
            let mut request = Request::builder();
            if let Some(forwarded) = forwarded {
                request = request.header("x-forwarded-for", forwarded);
            }
            let request = noted(peer.parse().expect("an address"), request.body(()).expect("a request"));
            let expected: IpAddr = expected.parse().expect("an address");
            assert_eq!(address(&request.into_parts().0), expected, "{peer} {forwarded:?}");
        };
        check("192.0.2.1", None, "192.0.2.1");
        check("192.0.2.1", Some("198.51.100.1"), "192.0.2.1");
        check("127.0.0.1", None, "127.0.0.1");
        check("127.0.0.1", Some("203.0.113.9, 198.51.100.1"), "198.51.100.1");
        check("::1", Some("2001:db8::1"), "2001:db8::1");
        check("127.0.0.1", Some("nonsense"), "127.0.0.1");
    }
}
