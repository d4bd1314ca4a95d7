//! TLS as a server, from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::config::plan::ServerTls;

use super::StartError;

/// Reads the files and makes ready for handshakes.
pub(super) fn acceptor(tls: &ServerTls) -> Result<TlsAcceptor, StartError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certs = certificates(&tls.cert)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| StartError::tls(&tls.key, "a private key in PEM", &error))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::tls(&tls.cert, "TLS 1.2 and 1.3", &error))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for cert in certificates(authority)? {
                roots.add(cert).map_err(|error| StartError::tls(authority, "an authority", &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| StartError::tls(authority, "at least one authority", &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(certs, key)
        .map_err(|error| StartError::tls(&tls.cert, "a certificate chain that fits the key", &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let fault = |error: &dyn std::fmt::Display| StartError::tls(file, "certificates in PEM", error);
    let certs: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(|error| fault(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| fault(&error))?;
    if certs.is_empty() {
        return Err(fault(&"no certificate in it"));
    }
    Ok(certs)
}
