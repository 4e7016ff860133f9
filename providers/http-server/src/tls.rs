//! TLS from PEM files: HTTP/2 where the client offers it, else HTTP/1.1.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;

/// What a client may choose from, best first.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];

/// HTTP/2's name in TLS.
pub(crate) const HTTP2: &[u8] = b"h2";

/// A certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or holds no such thing.
    #[error("cannot read `{}` as PEM", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Key and certificate do not go together, or are of a kind that is not supported.
    #[error("cannot serve with certificate `{}`", path.display())]
    Unusable {
        /// Which certificate.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// Reads what `tls` names.
pub(crate) fn load(tls: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let read = |path: &PathBuf| {
        let path = path.clone();
        |source| TlsError::Read { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(read(&tls.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(read(&tls.key))?;
    let unusable = |source| TlsError::Unusable { path: tls.certificate.clone(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}
