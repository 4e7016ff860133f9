//! Tokens that must be refused, and the one that is taken.

use jsonwebtoken::{Algorithm, Header};

use super::*;

const NOW: i64 = 1_800_000_000;

struct Example {
    issuer: Issuer,
    verifier: Verifier,
    object: ObjectId,
    provider: ProcessId,
}

impl Example {
    fn new() -> Self {
        let issuer = Issuer::generate(ProcessId::generate()).unwrap();
        let mut verifier = Verifier::default();
        verifier.trust(issuer.public_key()).unwrap();
        let object = ObjectId::bare("keyvalue-redis").unwrap();
        Self { issuer, verifier, object, provider: ProcessId::generate() }
    }

    fn token(&self) -> String {
        self.issuer.launch("default", &self.object, self.provider, NOW).unwrap()
    }

    fn claims(&self) -> LaunchClaims {
        LaunchClaims {
            iss: self.issuer.process,
            sub: self.provider,
            aud: "wicker:default".to_owned(),
            object: self.object.clone(),
            iat: NOW,
            nbf: NOW,
            exp: NOW + LAUNCH_SECONDS,
        }
    }

    /// Signs whatever it is given, as an issuer gone wrong would.
    fn sign<T: Serialize>(&self, claims: &T, change: impl FnOnce(&mut Header)) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(LAUNCH.to_owned());
        header.kid = Some(self.issuer.public.kid.clone());
        change(&mut header);
        self.issuer.pair.sign_as(&header, claims).unwrap()
    }

    fn check(&self, token: &str) -> Result<LaunchClaims, TokenError> {
        self.verifier.launch(token, "default", NOW)
    }
}

#[test]
fn good_token_says_what_was_signed() {
    let example = Example::new();
    assert_eq!(example.check(&example.token()), Ok(example.claims()));
}

#[test]
fn token_of_another_lattice_is_refused() {
    let example = Example::new();
    let refused = example.verifier.launch(&example.token(), "other", NOW);
    assert_eq!(refused, Err(TokenError::Audience("wicker:default".to_owned())));
}

#[test]
fn token_is_good_for_its_time_and_five_seconds() {
    let example = Example::new();
    let token = example.token();
    let at = |now| example.verifier.launch(&token, "default", now).map(|_| ());
    assert_eq!(at(NOW - 5), Ok(()));
    assert_eq!(at(NOW - 6), Err(TokenError::Time));
    assert_eq!(at(NOW + LAUNCH_SECONDS + 4), Ok(()));
    assert_eq!(at(NOW + LAUNCH_SECONDS + 5), Err(TokenError::Time));
}

#[test]
fn token_that_wants_to_live_longer_is_refused() {
    let example = Example::new();
    let claims = LaunchClaims { exp: NOW + 86_400, ..example.claims() };
    assert_eq!(example.check(&example.sign(&claims, |_| {})), Err(TokenError::Time));
}

#[test]
fn key_that_nobody_trusts_signs_nothing() {
    let (example, stranger) = (Example::new(), Example::new());
    assert!(matches!(example.check(&stranger.token()), Err(TokenError::Untrusted(_))));
    // Nor by claiming a trusted key's id.
    let kid = example.issuer.public.kid.clone();
    let token = stranger.sign(&example.claims(), |header| header.kid = Some(kid));
    assert!(matches!(example.check(&token), Err(TokenError::Untrusted(_))));
}

#[test]
fn issuer_cannot_speak_for_another_process() {
    let example = Example::new();
    let claims = LaunchClaims { iss: ProcessId::generate(), ..example.claims() };
    assert!(matches!(example.check(&example.sign(&claims, |_| {})), Err(TokenError::Untrusted(_))));
}

#[test]
fn header_that_asks_for_more_is_refused() {
    let example = Example::new();
    let claims = example.claims();
    let refused = |change: fn(&mut Header)| {
        matches!(example.check(&example.sign(&claims, change)), Err(TokenError::Untrusted(_)))
    };
    assert!(refused(|header| header.typ = Some("JWT".to_owned())));
    assert!(refused(|header| header.typ = None));
    assert!(refused(|header| header.kid = None));
    assert!(refused(|header| header.crit = Some(vec!["exp".to_owned()])));
}

#[test]
fn missing_and_unknown_claims_are_refused() {
    let example = Example::new();
    for drop in ["iss", "sub", "aud", "object", "iat", "nbf", "exp"] {
        let mut claims = serde_json::to_value(example.claims()).unwrap();
        claims.as_object_mut().unwrap().remove(drop);
        let refused = example.check(&example.sign(&claims, |_| {}));
        assert!(matches!(refused, Err(TokenError::Untrusted(_))), "without {drop}");
    }
    let mut claims = serde_json::to_value(example.claims()).unwrap();
    claims["admin"] = true.into();
    let refused = example.check(&example.sign(&claims, |_| {}));
    assert!(matches!(refused, Err(TokenError::Untrusted(_))));
}

#[test]
fn changed_and_unsigned_tokens_are_refused() {
    let example = Example::new();
    let token = example.token();
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = signature.as_bytes().to_vec();
    bytes[0] = if bytes[0] == b'A' { b'B' } else { b'A' };
    let changed = format!("{rest}.{}", String::from_utf8(bytes).unwrap());
    for bad in [changed, format!("{rest}."), rest.to_owned(), String::new(), "a".repeat(10_000)] {
        assert!(matches!(example.check(&bad), Err(TokenError::Untrusted(_))), "{bad}");
    }
}

#[test]
fn key_of_the_wrong_length_is_refused() {
    let key =
        PublicKey { process: ProcessId::generate(), kid: "k".to_owned(), x: "AAAA".to_owned() };
    assert_eq!(Verifier::default().trust(&key), Err(TokenError::Key));
}
