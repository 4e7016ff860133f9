//! Whom to trust: what the system trusts, and one file more if the config names it.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tracing::warn;
use wicker_provider::ProviderError;

/// TLS that trusts the system's certificates and those in the file `ca`.
///
/// A system without certificates is no error: clear text and `ca` still work.
pub(crate) fn config(ca: Option<&Path>) -> Result<ClientConfig, ProviderError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(system.certs);
    if added == 0 && ca.is_none() {
        warn!("the system trusts no certificates: every https request will fail");
    }
    if let Some(path) = ca {
        let refused = |why: &dyn std::error::Error| {
            ProviderError::config(format!("cannot trust `{}`: {why}", path.display()))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| refused(&error))?;
            roots.add(certificate).map_err(|error| refused(&error))?;
        }
    }
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ProviderError::config(error.to_string()))
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
}
