//! Certificates between the NATS servers of one lattice.
//!
//! Every machine derives the same authority from the join secret and signs a certificate of its own with it, so that
//! nobody without the secret can connect or pretend to be one of them, and nothing has to be handed around.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::files::{quoted, write_private};
use super::join_line::JoinSecret;

/// The head of an Ed25519 key in PKCS #8 (RFC 8410); 32 bytes of seed follow.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Where this machine's certificate lies.
#[derive(Debug, Clone)]
pub(super) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Writes the authority, and a certificate for `host` (an address or a name), into `folder`; keeps the one that is
    /// there for the same secret and host.
    pub(super) fn write(folder: &Path, secret: &JoinSecret, host: &str) -> anyhow::Result<Self> {
        let certificates = Self { folder: folder.to_owned() };
        let digest =
            wicker_lattice::store::digest(format!("{host} {}", secret.reveal()).as_bytes());
        let made_for = folder.join("certificate.for");
        if std::fs::read_to_string(&made_for).is_ok_and(|found| found == digest) {
            return Ok(certificates);
        }
        let failed = || format!("cannot make a certificate for {host}");
        let authority = authority(secret).with_context(failed)?;
        let (certificate, key) = certificate(&authority, host).with_context(failed)?;
        let own = authority_certificate(&authority)?;
        for (name, text) in [("ca.pem", own), ("cert.pem", certificate), ("key.pem", key)] {
            write_private(&folder.join(name), &text)?;
        }
        write_private(&made_for, &digest)?;
        Ok(certificates)
    }

    /// The fields of a `tls` block of nats-server.
    pub(super) fn tls(&self) -> String {
        let file = |name: &str| quoted(&self.folder.join(name).display().to_string());
        format!(
            "tls {{ ca_file: {}, cert_file: {}, key_file: {}, verify: true, timeout: 5 }}",
            file("ca.pem"),
            file("cert.pem"),
            file("key.pem")
        )
    }
}

fn authority(secret: &JoinSecret) -> anyhow::Result<KeyPair> {
    let key = [PKCS8_HEAD.as_slice(), &secret.seed()].concat();
    Ok(KeyPair::try_from(key)?)
}

fn authority_params() -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "wicker lattice");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn authority_certificate(authority: &KeyPair) -> anyhow::Result<String> {
    Ok(authority_params()?.self_signed(authority)?.pem())
}

/// A certificate for both ends of a connection, and its key.
fn certificate(authority: &KeyPair, host: &str) -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "wicker machine");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let issuer = Issuer::new(authority_params()?, authority);
    Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
}
