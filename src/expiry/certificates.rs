//! When the certificates end that the configuration names.

use std::path::{Path, PathBuf};

use forewarn_core::time::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Thing, Unread};
use crate::config::plan::{ClientTls, From, ServerTls, Setup};

/// What a file's certificates are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    /// Links of a chain: it ends with the first of them.
    Chain,
    /// Authorities of which any will do: a bundle may hold an old one beside its
    /// successor, so it ends with the last.
    Authorities,
}

/// Those that are read anew at a reload or a new connection. Of what cannot be
/// read there is the subject alone: whoever needs it says that it cannot be.
pub fn certificates(setup: &Setup) -> Vec<Result<Thing, Unread>> {
    let mut files: Vec<(String, PathBuf, Together)> = Vec::new();
    for source in &setup.sources {
        let From::Mqtt(mqtt) = &source.from else { continue };
        let Some(ClientTls { ca, identity }) = &mqtt.tls else { continue };
        let key = |key: &str| format!("sources.{}.mqtt.{key}", source.name);
        files.extend(ca.clone().map(|path| (key("ca"), path, Together::Authorities)));
        files.extend(identity.clone().map(|(path, _)| (key("cert"), path, Together::Chain)));
    }
    let email = setup.email.as_ref().and_then(|email| email.ca.clone());
    files.extend(email.map(|path| ("email.ca".to_owned(), path, Together::Authorities)));
    files.extend(setup.webhook.ca.clone().map(|path| ("webhook.ca".to_owned(), path, Together::Authorities)));
    let found = |(key, path, together): (String, PathBuf, Together)| {
        thing(&key, &path, together).ok_or(Unread { subject: key })
    };
    files.into_iter().map(found).collect()
}

/// Those of the built-in listener. It reads them when it starts, so that what
/// it shows to devices is what stood there then.
pub fn served(setup: &Setup) -> Vec<Thing> {
    let Some(ServerTls { cert, client_ca, .. }) = setup.listener.as_ref().and_then(|it| it.tls.as_ref())
    else {
        return Vec::new();
    };
    let own = thing("listener.tls.cert", cert, Together::Chain);
    let ca = client_ca.as_ref();
    let ca = ca.and_then(|ca| thing("listener.tls.client_ca", ca, Together::Authorities));
    own.into_iter().chain(ca).collect()
}

fn thing(subject: &str, path: &Path, together: Together) -> Option<Thing> {
    let certs: Vec<CertificateDer<'_>> =
        CertificateDer::pem_file_iter(path).ok()?.filter_map(Result::ok).collect();
    let lives = certs.iter().filter_map(|der| {
        let (_, cert) = X509Certificate::from_der(der).ok()?;
        let validity = cert.validity();
        let civil = |secs| Timestamp::from_secs(secs);
        Some((civil(validity.not_after.timestamp()), civil(validity.not_before.timestamp())))
    });
    let (ends, began) = match together {
        Together::Chain => lives.min(),
        Together::Authorities => lives.max(),
    }?;
    let what = format!("certificate {subject}, {},", path.display());
    Some(Thing { subject: subject.to_owned(), what, began, ends })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate that ends so many days after 1970.
    fn pem(days: u64) -> String {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        let at = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_hours(24 * days);
        (params.not_before, params.not_after) = (at(days - 100).into(), at(days).into());
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").pem()
    }

    fn ends(text: &str, together: Together) -> Option<i64> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("writable");
        let thing = thing("webhook.ca", file.path(), together)?;
        assert!(thing.what.starts_with("certificate webhook.ca, /"), "{}", thing.what);
        assert_eq!(thing.ends.since(thing.began), forewarn_core::time::Span::from_hours(2400));
        Some(thing.ends.as_secs() / 86_400)
    }

    #[test]
    fn a_chain_ends_with_its_first_and_authorities_with_their_last() {
        let (early, late) = (pem(20_000), pem(20_500));
        for bundle in [format!("{early}{late}"), format!("{late}# old\n{early}")] {
            assert_eq!(ends(&bundle, Together::Chain), Some(20_000));
            assert_eq!(ends(&bundle, Together::Authorities), Some(20_500));
        }
        assert_eq!(ends("no certificate", Together::Chain), None);
        assert_eq!(thing("x", Path::new("/nowhere.pem"), Together::Chain), None);
    }
}
