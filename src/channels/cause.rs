//! Why an attempt failed, in words of our own: the errors of network and TLS
//! quote names, and servers quote addresses.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::guard::Refused;

/// Errors looked at behind one another; there are five at most.
const DEEPEST: usize = 16;

/// What stands behind an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The guard refused an address that a name led to.
    Refused(Refused),
    /// Anything else that is known, in words.
    Known(&'static str),
}

/// Looks for the cause behind an error; `None` where nothing known stands there.
pub(super) fn cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let error = next?;
        if let Some(cause) = known(error) {
            return Some(cause);
        }
        // An IO error gives out what stands behind the error in it, not that error.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(cause) = inner.and_then(|inner| known(inner)) {
            return Some(cause);
        }
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn known(error: &(dyn Error + 'static)) -> Option<Cause> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(Cause::Refused(*refused));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(Cause::Known(tls(error)));
    }
    let error = error.downcast_ref::<io::Error>()?;
    network(error).map(Cause::Known)
}

fn network(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match error.kind() {
        Kind::ConnectionRefused => "connection refused: nothing listens there",
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
            "the connection was broken off"
        }
        Kind::HostUnreachable => "no way to the host",
        Kind::NetworkUnreachable | Kind::NetworkDown => "no way to its network",
        Kind::AddrNotAvailable => "no address of ours can reach it",
        Kind::PermissionDenied => "this machine does not permit the connection",
        Kind::TimedOut => "no answer in time",
        // The resolver's errors have no kind of their own.
        _ if error.to_string().starts_with("failed to lookup address") => "its name cannot be resolved",
        _ => return None,
    })
}

fn tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => {
                "its certificate is not trusted: no known authority has signed it (ca names a further one)"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate is not trusted: it has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not trusted: it is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is not trusted: it is for another name"
            }
            CertificateError::Revoked => "its certificate is not trusted: it was revoked",
            _ => "its certificate is not trusted",
        },
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS",
        rustls::Error::AlertReceived(_) => "it refused the protected connection",
        _ => "no protected connection came about",
    }
}

/// What an SMTP code says (RFC 5321, RFC 4954), in words of our own.
pub(super) fn smtp(code: u16) -> &'static str {
    match code {
        421 => "the service is not available",
        450 => "mailbox busy or not available now",
        451 => "an error of the server",
        452 | 552 => "no room left, or too many receivers",
        454 => "no login for now",
        455 | 555 => "a parameter it does not know",
        500..=504 => "a command it does not take",
        530 => "it wants a login",
        534 | 538 => "it wants another way of logging in",
        535 => "user or password is wrong",
        521 | 556 => "it takes no mail",
        550 => "mailbox unavailable",
        551 => "the user is not there",
        553 => "the mailbox name is not allowed",
        554 => "the mail was refused",
        _ if code < 500 => "not now",
        _ => "never",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_cause_is_found_behind_other_errors() {
        let check = |error: io::Error, expected: Option<&str>| {
            let found = cause(&Outer(error)).map(|cause| match cause {
                Cause::Refused(refused) => refused.to_string(),
                Cause::Known(words) => words.to_owned(),
            });
            assert_eq!(found.as_deref(), expected);
        };
        check(
            io::Error::from(io::ErrorKind::ConnectionRefused),
            Some("connection refused: nothing listens there"),
        );
        check(io::Error::other("anything"), None);
        check(
            io::Error::other("failed to lookup address information: who knows"),
            Some("its name cannot be resolved"),
        );
        check(
            io::Error::other(Refused::NotPublic("a private")),
            Some("refused by webhook.allow: a private address, which lies in no network of it"),
        );
        let issuer = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let words =
            "its certificate is not trusted: no known authority has signed it (ca names a further one)";
        check(io::Error::new(io::ErrorKind::InvalidData, issuer), Some(words));
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        check(
            io::Error::other(io::Error::other(expired)),
            Some("its certificate is not trusted: it has expired"),
        );
    }
}
