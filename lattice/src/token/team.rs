//! Who may act for a team: the lattice's authority signs a team token, which is bound to a key; whoever holds that key
//! approves records, one by one. Records are approved by what they say ([`super::digest()`]), so an approval is worth nothing
//! for another record, nor for another content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::digest::{hex, unhex};
use super::jwt::{self, Pair, untrusted};
use super::{LEEWAY, TokenError, audience};
use crate::id::is_name;

/// Seconds that a team token is good for, at most: a year and a day.
pub const TEAM_SECONDS_MAX: i64 = 366 * 86_400;

const TEAM: &str = "wicker-team+jwt";

const APPROVAL: &str = "wicker-approval+jwt";

const REVOCATION: &str = "wicker-revocation+jwt";

/// Bytes of a token's id.
const ID_BYTES: usize = 8;

/// What a credential's text begins with.
const CREDENTIAL: &str = "wicker-team:";

/// What an authority's text begins with.
const AUTHORITY: &str = "wicker-authority:";

/// What a team token says: who holds the private half of `key` may act for the team `sub`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamClaims {
    /// The authority's key.
    pub iss: String,
    /// The team.
    pub sub: String,
    /// `wicker:<lattice>`.
    pub aud: String,
    /// The holder's key.
    pub key: String,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// From when it is good.
    pub nbf: i64,
    /// Until when.
    pub exp: i64,
}

/// What the holder of a team token says of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    /// The record's key in the store.
    sub: String,
    /// See [`super::digest()`].
    digest: String,
    iat: i64,
}

/// What the authority says of a token that is good no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    iss: String,
    /// The token's id.
    sub: String,
    aud: String,
    iat: i64,
}

/// A team's word for one content of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The team token.
    pub token: String,
    /// What its holder signed.
    pub statement: String,
}

/// What an approval is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Approved {
    /// By which team.
    pub team: String,
    /// The record's key.
    pub key: String,
    /// Of its content.
    pub digest: String,
}

/// The private key of a lattice's authority.
pub struct Authority {
    seed: [u8; 32],
    pair: Pair,
}

/// A team token and the private key that it is bound to.
pub struct Credential {
    token: String,
    seed: [u8; 32],
    pair: Pair,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<Self, TokenError> {
        let seed = jwt::seed()?;
        Ok(Self { pair: Pair::new(&seed)?, seed })
    }

    /// The key by which others check what this signs.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.pair.x
    }

    /// All of it, as it is kept in a file.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        format!("{AUTHORITY}{}", hex(&self.seed))
    }

    /// Lets whoever gets the credential act for `team` from `now` on (seconds since 1970), for `seconds`.
    ///
    /// # Errors
    /// The key does not sign, or the system gives no randomness.
    pub fn issue(
        &self,
        lattice: &str,
        team: &str,
        (now, seconds): (i64, i64),
    ) -> Result<Credential, TokenError> {
        let seed = jwt::seed()?;
        let pair = Pair::new(&seed)?;
        let claims = TeamClaims {
            iss: self.pair.x.clone(),
            sub: team.to_owned(),
            aud: audience(lattice),
            key: pair.x.clone(),
            iat: now,
            nbf: now,
            exp: now + seconds.min(TEAM_SECONDS_MAX),
        };
        let token = self.pair.sign(TEAM, &claims)?;
        Ok(Credential { token, seed, pair })
    }
}

impl Authority {
    /// Says that the token `id` is good no more: nothing that it has signed counts from then on.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn revoke(&self, lattice: &str, id: &str, now: i64) -> Result<String, TokenError> {
        let (iss, sub) = (self.pair.x.clone(), id.to_owned());
        self.pair.sign(REVOCATION, &Revocation { iss, sub, aud: audience(lattice), iat: now })
    }
}

impl Approval {
    /// The id of the token by which it was given; `None` where it is none.
    #[must_use]
    pub fn token_id(&self) -> Option<String> {
        jwt::signer(&self.statement, APPROVAL).ok().map(|holder| token_id(&holder))
    }
}

/// The id of the token that is bound to a key.
fn token_id(key: &str) -> String {
    hex(Sha256::digest(key.as_bytes()).get(..ID_BYTES).unwrap_or_default())
}

/// The id of the token that a revocation is about, if `authority` has signed it for `lattice`.
///
/// # Errors
/// It has not; why.
pub fn check_revocation(
    revocation: &str,
    (authority, lattice): (&str, &str),
) -> Result<String, TokenError> {
    if jwt::signer(revocation, REVOCATION)? != authority {
        return Err(untrusted("it is not signed by this lattice's authority"));
    }
    let claims: Revocation = jwt::read(revocation, &jwt::public(authority)?)?;
    if claims.iss != authority {
        return Err(untrusted("it contradicts its key"));
    }
    if claims.aud != audience(lattice) {
        return Err(TokenError::Audience(claims.aud));
    }
    Ok(claims.sub)
}

impl Credential {
    /// Names it among all tokens, and says nothing of it: who has it cannot act by it.
    #[must_use]
    pub fn id(&self) -> String {
        token_id(&self.pair.x)
    }

    /// The public part.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// All of it, as its holder keeps it.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        format!("{CREDENTIAL}{}:{}", self.token, hex(&self.seed))
    }

    /// The team's word for a record of that key and digest.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn approve(&self, key: &str, digest: &str, now: i64) -> Result<Approval, TokenError> {
        let statement = Statement { sub: key.to_owned(), digest: digest.to_owned(), iat: now };
        let statement = self.pair.sign(APPROVAL, &statement)?;
        Ok(Approval { token: self.token.clone(), statement })
    }
}

/// What a team token for `lattice`, signed by `authority`, says; if it was good at `at` (seconds since 1970).
///
/// # Errors
/// It is not; why.
pub fn check_team(
    token: &str,
    (authority, lattice): (&str, &str),
    at: i64,
) -> Result<TeamClaims, TokenError> {
    if jwt::signer(token, TEAM)? != authority {
        return Err(untrusted("it is not signed by this lattice's authority"));
    }
    let claims: TeamClaims = jwt::read(token, &jwt::public(authority)?)?;
    if claims.iss != authority || !is_name(&claims.sub) {
        return Err(untrusted("it contradicts its key"));
    }
    if claims.aud != audience(lattice) {
        return Err(TokenError::Audience(claims.aud));
    }
    let is_good = claims.nbf.max(claims.iat) <= at + LEEWAY
        && at - LEEWAY < claims.exp
        && claims.exp - claims.iat <= TEAM_SECONDS_MAX;
    if is_good { Ok(claims) } else { Err(TokenError::Time) }
}

/// What an approval is for, if it is good: given while its token was.
///
/// # Errors
/// It is not; why.
pub fn check_approval(
    approval: &Approval,
    (authority, lattice): (&str, &str),
) -> Result<Approved, TokenError> {
    let holder = jwt::signer(&approval.statement, APPROVAL)?;
    let statement: Statement = jwt::read(&approval.statement, &jwt::public(&holder)?)?;
    let claims = check_team(&approval.token, (authority, lattice), statement.iat)?;
    if claims.key != holder {
        return Err(untrusted("it is signed by another key than its token is bound to"));
    }
    let Statement { sub, digest, .. } = statement;
    Ok(Approved { team: claims.sub, key: sub, digest })
}

impl FromStr for Authority {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let seed = text.trim().strip_prefix(AUTHORITY).and_then(unhex).ok_or(TokenError::Key)?;
        Ok(Self { pair: Pair::new(&seed)?, seed })
    }
}

impl FromStr for Credential {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let rest = text.trim().strip_prefix(CREDENTIAL);
        let (token, seed) = rest.and_then(|rest| rest.split_once(':')).ok_or(TokenError::Key)?;
        let seed = unhex(seed).ok_or(TokenError::Key)?;
        Ok(Self { token: token.to_owned(), pair: Pair::new(&seed)?, seed })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("public", &self.pair.x).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("public", &self.pair.x).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    struct Example {
        authority: Authority,
        credential: Credential,
    }

    impl Example {
        fn new() -> Self {
            let authority = Authority::generate().unwrap();
            let credential = authority.issue("default", "shop", (NOW, DAY)).unwrap();
            Self { authority, credential }
        }

        fn team(&self, lattice: &str, at: i64) -> Result<String, TokenError> {
            let by = (self.authority.public_key(), lattice);
            check_team(self.credential.token(), by, at).map(|claims| claims.sub)
        }

        fn check(&self, approval: &Approval) -> Result<Approved, TokenError> {
            check_approval(approval, (self.authority.public_key(), "default"))
        }
    }

    #[test]
    fn credential_survives_its_text_and_approves_what_it_says() {
        let example = Example::new();
        let authority: Authority = example.authority.to_secret_text().parse().unwrap();
        assert_eq!(authority.public_key(), example.authority.public_key());
        let credential: Credential = example.credential.to_secret_text().parse().unwrap();
        let approval = credential.approve("link.a", "d1", NOW + 7).unwrap();
        let (team, key, digest) = ("shop".to_owned(), "link.a".to_owned(), "d1".to_owned());
        assert_eq!(example.check(&approval), Ok(Approved { team, key, digest }));
    }

    #[test]
    fn token_is_good_in_its_lattice_for_its_time_and_by_its_authority() {
        let example = Example::new();
        assert_eq!(example.team("default", NOW), Ok("shop".to_owned()));
        assert!(matches!(example.team("other", NOW), Err(TokenError::Audience(_))));
        assert_eq!(example.team("default", NOW - 6), Err(TokenError::Time));
        assert_eq!(example.team("default", NOW + DAY + 5), Err(TokenError::Time));
        let stranger = Example::new();
        let by = (stranger.authority.public_key(), "default");
        let refused = check_team(example.credential.token(), by, NOW);
        assert!(matches!(refused, Err(TokenError::Untrusted(_))));
    }

    #[test]
    fn revocation_names_one_token_and_is_its_authoritys() {
        let (example, other) = (Example::new(), Example::new());
        let id = example.credential.id();
        let approval = example.credential.approve("link.a", "d", NOW).unwrap();
        assert_eq!((approval.token_id().as_deref(), id.len()), (Some(id.as_str()), 16));
        let by = (example.authority.public_key(), "default");
        let revoked = |authority: &Authority, lattice: &str| {
            check_revocation(&authority.revoke(lattice, &id, NOW).unwrap(), by)
        };
        assert_eq!(revoked(&example.authority, "default"), Ok(id.clone()));
        assert!(matches!(revoked(&other.authority, "default"), Err(TokenError::Untrusted(_))));
        assert!(matches!(revoked(&example.authority, "other"), Err(TokenError::Audience(_))));
        let token = example.credential.token();
        assert!(check_revocation(token, by).is_err(), "a token is no revocation");
    }

    #[test]
    fn approval_by_another_key_or_out_of_time_is_refused() {
        let (example, other) = (Example::new(), Example::new());
        let stolen = Approval {
            token: example.credential.token().to_owned(),
            statement: other.credential.approve("link.a", "d", NOW).unwrap().statement,
        };
        assert!(matches!(example.check(&stolen), Err(TokenError::Untrusted(_))));
        let late = example.credential.approve("link.a", "d", NOW + 2 * DAY).unwrap();
        assert_eq!(example.check(&late), Err(TokenError::Time));
        let mut swapped = example.credential.approve("link.a", "d", NOW).unwrap();
        std::mem::swap(&mut swapped.token, &mut swapped.statement);
        assert!(matches!(example.check(&swapped), Err(TokenError::Untrusted(_))));
    }
}
