//! TLS as a client: own or the system's authorities, a client certificate where
//! asked for. The provider is named, never the process's default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::plan::ClientTls;

/// Where systems keep the authorities that they trust, in one PEM file.
const SYSTEM_AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads the files anew, so that a renewed certificate counts from the next connection.
pub(super) fn client_config(tls: &ClientTls) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| format!("no TLS version in common with this build: {fault}"))?
        .with_root_certificates(authorities(tls.ca.as_deref())?);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = certificates(cert)?;
            let key_der = PrivateKeyDer::from_pem_file(key)
                .map_err(|fault| format!("{}: {fault}, expected a private key in PEM", key.display()))?;
            builder
                .with_client_auth_cert(chain, key_der)
                .map_err(|fault| format!("{} does not go with {}: {fault}", key.display(), cert.display()))?
        }
    };
    Ok(Arc::new(config))
}

fn authorities(own: Option<&Path>) -> Result<RootCertStore, String> {
    let path = match own {
        Some(path) => path.to_owned(),
        None => SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|path| path.exists()).ok_or_else(|| {
            format!(
                "no authorities found, expected one of {} (package ca-certificates), or ca in the source's mqtt",
                SYSTEM_AUTHORITIES.join(", ")
            )
        })?,
    };
    let mut store = RootCertStore::empty();
    // A bundle of hundreds may hold one that is not understood; the others count.
    let (added, _) = store.add_parsable_certificates(certificates(&path)?);
    if added == 0 {
        return Err(format!("{}: no authority in it, expected at least one", path.display()));
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let fault = |fault: rustls::pki_types::pem::Error| {
        format!("{}: {fault}, expected certificates in PEM", path.display())
    };
    CertificateDer::pem_file_iter(path).map_err(fault)?.collect::<Result<_, _>>().map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = ClientTls { ca: Some("/nowhere/ca.pem".into()), identity: None };
        let fault = client_config(&missing).expect_err("no such file");
        assert!(fault.starts_with("/nowhere/ca.pem: "), "{fault}");
        let empty = tempfile::NamedTempFile::new().expect("a file");
        let fault = client_config(&ClientTls { ca: Some(empty.path().into()), identity: None });
        assert!(fault.expect_err("nothing in it").contains("no authority in it"));
    }
}
