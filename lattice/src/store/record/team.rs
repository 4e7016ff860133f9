//! Teams, and their word for the records that they write.

use serde::{Deserialize, Serialize};

#[cfg(feature = "nats")]
use crate::token::team::Approval;

/// Key `authority`: who signs team tokens. Written once, with the first team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The 32 bytes of its Ed25519 key, in base64url.
    pub key: String,
}

/// Key `team.<name>`: a team, for people to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// Key `token.<id>`: a token that was issued, for people to see; and whether it is still good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// See [`crate::token::team::Credential::id`].
    pub id: String,
    /// For which team.
    pub team: String,
    /// When it was issued, RFC 3339.
    pub issued_at: String,
    /// For how many days from then.
    pub days: u32,
    /// The authority's signed word that it is good no more.
    #[serde(default)]
    pub revocation: Option<String>,
}

/// Key `approval.<key of a record>`: a team's word for what that record says, and for what it said before, to which a
/// reconciler may go back.
#[cfg(feature = "nats")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// The key of the record.
    pub of: String,
    /// The newest first, as many as the store remembers of the record.
    pub approvals: Vec<Approval>,
}
