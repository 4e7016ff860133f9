//! Signed statements of one process about another: the token with which a launched provider registers at its host.
//!
//! EdDSA JWTs, checked strictly: the algorithm, the kind of token and the set of claims are fixed, keys are looked up
//! by id and never taken from the token, times have five seconds of leeway, and the caller says what time it is.

use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::id::{ObjectId, ProcessId};

/// Seconds that clocks may differ.
pub const LEEWAY: i64 = 5;

/// Seconds that a launch token is good for: a provider registers when it has started.
pub const LAUNCH_SECONDS: i64 = 120;

/// Bytes of a token at most.
const TOKEN_BYTES_MAX: usize = 4 << 10;

/// The kind of token, in its header: a token of one kind never passes for another.
const LAUNCH: &str = "wicker-launch+jwt";

/// What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What a launch token says: this host has launched this provider, as this process, in this lattice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchClaims {
    /// The host that launched it.
    pub iss: ProcessId,
    /// The process that it runs as.
    pub sub: ProcessId,
    /// `wicker:<lattice>`.
    pub aud: String,
    /// The provider.
    pub object: ObjectId,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// From when it is good.
    pub nbf: i64,
    /// Until when.
    pub exp: i64,
}

/// Signs tokens. Holds a private key that never leaves it.
pub struct Issuer {
    process: ProcessId,
    key: EncodingKey,
    public: PublicKey,
}

/// The key by which the tokens of one process are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// Whose tokens.
    pub process: ProcessId,
    /// The key's id, which tokens name.
    pub kid: String,
    /// The 32 bytes of an Ed25519 key, in base64url.
    pub x: String,
}

/// Checks tokens by the keys that it was told to trust.
#[derive(Default)]
pub struct Verifier {
    keys: HashMap<String, (ProcessId, DecodingKey)>,
}

/// A token was not made, or is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No key could be made, or it does not sign.
    #[error("cannot sign: {0}")]
    Signing(String),
    /// A key is none.
    #[error("the public key cannot be read")]
    Key,
    /// It is no token of this kind, or is not signed by a key that we trust.
    #[error("the token is not one that we trust: {0}")]
    Untrusted(String),
    /// It is for another lattice.
    #[error("the token is for `{0}`")]
    Audience(String),
    /// It is too old, or from the future.
    #[error("the token is not good at this time")]
    Time,
}

impl Issuer {
    /// Makes a key for `process`.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate(process: ProcessId) -> Result<Self, TokenError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| TokenError::Signing(error.to_string()))?;
        let pkcs8 = [&PKCS8[..], &seed[..]].concat();
        let key = EncodingKey::from_ed_der(&pkcs8);
        let public = Jwk::from_encoding_key(&key, Algorithm::EdDSA).map_err(signing)?;
        let AlgorithmParameters::OctetKeyPair(pair) = public.algorithm else {
            return Err(TokenError::Signing("the key is not an Ed25519 key".to_owned()));
        };
        // The key's own text names it: nothing to keep unique, nothing to confuse.
        let public = PublicKey { process, kid: pair.x.clone(), x: pair.x };
        Ok(Self { process, key, public })
    }

    /// The key by which others check what this signs.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// A token with which provider `object`, launched as `provider`, registers in `lattice` from `now` on (seconds
    /// since 1970), for [`LAUNCH_SECONDS`].
    ///
    /// # Errors
    /// The key does not sign.
    pub fn launch(
        &self,
        lattice: &str,
        object: &ObjectId,
        provider: ProcessId,
        now: i64,
    ) -> Result<String, TokenError> {
        let claims = LaunchClaims {
            iss: self.process,
            sub: provider,
            aud: audience(lattice),
            object: object.clone(),
            iat: now,
            nbf: now,
            exp: now + LAUNCH_SECONDS,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(LAUNCH.to_owned());
        header.kid = Some(self.public.kid.clone());
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(signing)
    }
}

impl Verifier {
    /// Trusts `key` from now on.
    ///
    /// # Errors
    /// It is no Ed25519 key.
    pub fn trust(&mut self, key: &PublicKey) -> Result<(), TokenError> {
        let decoding = DecodingKey::from_ed_components(&key.x).map_err(|_| TokenError::Key)?;
        if decoding.try_get_as_bytes().map_or(0, <[u8]>::len) != 32 {
            return Err(TokenError::Key);
        }
        self.keys.insert(key.kid.clone(), (key.process, decoding));
        Ok(())
    }

    /// What a launch token for `lattice` says, if it is good at `now` (seconds since 1970).
    ///
    /// # Errors
    /// It is not; why.
    pub fn launch(&self, token: &str, lattice: &str, now: i64) -> Result<LaunchClaims, TokenError> {
        let untrusted = |why: &str| TokenError::Untrusted(why.to_owned());
        if token.len() > TOKEN_BYTES_MAX {
            return Err(untrusted("it is too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| untrusted("it is no token"))?;
        if header.typ.as_deref() != Some(LAUNCH) {
            return Err(untrusted("it is of another kind"));
        }
        if header.crit.is_some() {
            return Err(untrusted("it demands what we do not know"));
        }
        let known = header.kid.as_ref().and_then(|kid| self.keys.get(kid));
        let (issuer, key) = known.ok_or_else(|| untrusted("its key is unknown"))?;
        let decoded = jsonwebtoken::decode::<LaunchClaims>(token, key, &validation());
        let claims = decoded.map_err(|error| untrusted(&error.to_string()))?.claims;
        if claims.iss != *issuer {
            return Err(untrusted("it names another issuer than its key's"));
        }
        if claims.aud != audience(lattice) {
            return Err(TokenError::Audience(claims.aud));
        }
        let is_good = claims.nbf.max(claims.iat) <= now + LEEWAY
            && now - LEEWAY < claims.exp
            && claims.exp - claims.iat <= LAUNCH_SECONDS;
        if is_good { Ok(claims) } else { Err(TokenError::Time) }
    }
}

/// Algorithm and signature; claims are checked by [`Verifier::launch`], whose caller says what time it is, and are all
/// there because [`LaunchClaims`] has no default.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn audience(lattice: &str) -> String {
    format!("wicker:{lattice}")
}

fn signing(error: jsonwebtoken::errors::Error) -> TokenError {
    TokenError::Signing(error.to_string())
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("public", &self.public).finish_non_exhaustive()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
