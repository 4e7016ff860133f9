//! Signed statements: the token with which a launched provider registers at its host; who may act for a team ([`team`]), and
//! which records count ([`trust`]).
//!
//! EdDSA JWTs, checked strictly: the algorithm, the kind of token and the set of claims are fixed, keys are looked up
//! by id and never taken from the token, times have five seconds of leeway, and the caller says what time it is.

mod digest;
mod jwt;
pub mod team;
pub mod trust;

pub use digest::digest;

use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};

use self::jwt::{Pair, untrusted};
use crate::id::{ObjectId, ProcessId};

/// Seconds that clocks may differ.
pub const LEEWAY: i64 = 5;

/// Seconds that a launch token is good for: a provider registers when it has started.
pub const LAUNCH_SECONDS: i64 = 120;

/// The kind of token, in its header: a token of one kind never passes for another.
const LAUNCH: &str = "wicker-launch+jwt";

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
    pair: Pair,
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
        let pair = Pair::new(&jwt::seed()?)?;
        let public = PublicKey { process, kid: pair.x.clone(), x: pair.x.clone() };
        Ok(Self { process, pair, public })
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
        self.pair.sign(LAUNCH, &claims)
    }
}

impl Verifier {
    /// Trusts `key` from now on.
    ///
    /// # Errors
    /// It is no Ed25519 key.
    pub fn trust(&mut self, key: &PublicKey) -> Result<(), TokenError> {
        let decoding = jwt::public(&key.x)?;
        self.keys.insert(key.kid.clone(), (key.process, decoding));
        Ok(())
    }

    /// What a launch token for `lattice` says, if it is good at `now` (seconds since 1970).
    ///
    /// # Errors
    /// It is not; why.
    pub fn launch(&self, token: &str, lattice: &str, now: i64) -> Result<LaunchClaims, TokenError> {
        let kid = jwt::signer(token, LAUNCH)?;
        let known = self.keys.get(&kid);
        let (issuer, key) = known.ok_or_else(|| untrusted("its key is unknown"))?;
        let claims: LaunchClaims = jwt::read(token, key)?;
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

fn audience(lattice: &str) -> String {
    format!("wicker:{lattice}")
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
