//! EdDSA JWTs, made and checked strictly: the algorithm, the kind of token and the set of claims are fixed, and keys come
//! from whoever asks, never from the token. Times are the asker's business.

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TokenError;

/// Bytes of a token at most.
const TOKEN_BYTES_MAX: usize = 4 << 10;

/// What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A private key and the text of its public half, the 32 bytes in base64url. That text names the key: nothing to keep
/// unique, nothing to confuse.
pub(super) struct Pair {
    key: EncodingKey,
    pub(super) x: String,
}

/// 32 random bytes, from which a [`Pair`] follows.
pub(super) fn seed() -> Result<[u8; 32], TokenError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| TokenError::Signing(error.to_string()))?;
    Ok(seed)
}

impl Pair {
    pub(super) fn new(seed: &[u8; 32]) -> Result<Self, TokenError> {
        let key = EncodingKey::from_ed_der(&[&PKCS8[..], &seed[..]].concat());
        let public = Jwk::from_encoding_key(&key, Algorithm::EdDSA).map_err(signing)?;
        let AlgorithmParameters::OctetKeyPair(pair) = public.algorithm else {
            return Err(TokenError::Signing("the key is not an Ed25519 key".to_owned()));
        };
        Ok(Self { key, x: pair.x })
    }

    /// A token of one kind.
    pub(super) fn sign<T: Serialize>(&self, kind: &str, claims: &T) -> Result<String, TokenError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.x.clone());
        self.sign_as(&header, claims)
    }

    /// A token with whatever header.
    pub(super) fn sign_as<T: Serialize>(
        &self,
        header: &Header,
        claims: &T,
    ) -> Result<String, TokenError> {
        jsonwebtoken::encode(header, claims, &self.key).map_err(signing)
    }
}

/// The public half of a key, from its text.
pub(super) fn public(x: &str) -> Result<DecodingKey, TokenError> {
    let key = DecodingKey::from_ed_components(x).map_err(|_| TokenError::Key)?;
    if key.try_get_as_bytes().map_or(0, <[u8]>::len) != 32 {
        return Err(TokenError::Key);
    }
    Ok(key)
}

/// Which key a token of this kind says that it is signed by.
pub(super) fn signer(token: &str, kind: &str) -> Result<String, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(untrusted("it is too long"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| untrusted("it is no token"))?;
    if header.typ.as_deref() != Some(kind) {
        return Err(untrusted("it is of another kind"));
    }
    if header.crit.is_some() {
        return Err(untrusted("it demands what we do not know"));
    }
    header.kid.ok_or_else(|| untrusted("its key is unknown"))
}

/// What a token says that `key` signed.
pub(super) fn read<T: DeserializeOwned + Clone>(
    token: &str,
    key: &DecodingKey,
) -> Result<T, TokenError> {
    let decoded = jsonwebtoken::decode::<T>(token, key, &validation());
    decoded.map(|decoded| decoded.claims).map_err(|error| untrusted(&error.to_string()))
}

pub(super) fn untrusted(why: &str) -> TokenError {
    TokenError::Untrusted(why.to_owned())
}

/// Algorithm and signature. Claims are all there because their types have no defaults, and are checked by the asker.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn signing(error: jsonwebtoken::errors::Error) -> TokenError {
    TokenError::Signing(error.to_string())
}
