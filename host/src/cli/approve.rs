//! A team's word for what a verb writes: needed once the lattice has an authority, for every team but `default`.
//!
//! Approvals are written before the records that they are for, so that no host sees a record without one.

use anyhow::{Context as _, bail, ensure};
use wicker_lattice::id::{DEFAULT_TEAM, ObjectId};
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Approvals, Authority, Token};
use wicker_lattice::token::digest;
use wicker_lattice::token::team::{
    Approved, Credential, check_approval, check_revocation, check_team,
};
use wicker_process::Clock;
use wicker_reconciler::plan::{AnyRecord, Plan, Step};

use crate::cli::session::Session;

/// Approvals kept of one record: as many as the store keeps of its revisions.
const KEPT: usize = 10;

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Clock::system().unix_seconds()
}

/// Fails where whoever runs this verb may not write for `team`.
///
/// # Errors
/// There is no token, or it is not of this team, lattice and time.
pub(super) async fn require(session: &Session, team: &str) -> anyhow::Result<()> {
    credential(session, team).await.map(|_| ())
}

/// Approves everything that a plan writes, and fails where the team of something that it writes or deletes is another one.
///
/// # Errors
/// As [`require`]; or the lattice's state cannot be written.
pub(super) async fn plan(session: &Session, plan: &Plan) -> anyhow::Result<()> {
    for step in &plan.steps {
        match step {
            Step::Create(AnyRecord::Application(each))
            | Step::Update { record: AnyRecord::Application(each), .. } => {
                require(session, &each.team).await?;
            }
            Step::Create(written)
            | Step::Ensure(written)
            | Step::Update { record: written, .. } => record(session, written).await?,
            Step::Delete { before, .. } => {
                if let Some(before) = governed(before) {
                    require(session, &before.team).await?;
                }
            }
        }
    }
    Ok(())
}

/// Takes back the word for what a plan has deleted: who writes it again needs another one.
///
/// # Errors
/// The lattice's state cannot be written.
pub(super) async fn forget(session: &Session, plan: &Plan) -> anyhow::Result<()> {
    for step in &plan.steps {
        if let Step::Delete { before, .. } = step
            && let Some(gone) = governed(before)
        {
            session.store.delete::<Approvals>(&key::approval(&gone.key)).await?;
        }
    }
    Ok(())
}

/// Approves one record.
///
/// # Errors
/// As [`plan`].
pub(super) async fn record(session: &Session, record: &AnyRecord) -> anyhow::Result<()> {
    let Some(record) = governed(record) else { return Ok(()) };
    let Some((credential, authority)) = credential(session, &record.team).await? else {
        return Ok(());
    };
    let known = session.store.get::<Approvals>(&key::approval(&record.key)).await?;
    let by = (authority.as_str(), session.lattice.as_str());
    let known = known.iter().flat_map(|entry| &entry.record.approvals);
    // Those of other tokens may be worth nothing any more.
    let own = credential.id();
    let mut own = known.filter(|approval| approval.token_id().as_ref() == Some(&own));
    if own.any(|approval| check_approval(approval, by).is_ok_and(|known| known == record)) {
        return Ok(());
    }
    write(session, credential, &record).await
}

/// Adds one approval to those of a record.
///
/// # Errors
/// The lattice's state cannot be written.
pub(super) async fn write(
    session: &Session,
    credential: &Credential,
    record: &Approved,
) -> anyhow::Result<()> {
    let approval = credential.approve(&record.key, &record.digest, now())?;
    let add = |before: Option<&Approvals>| {
        let before = before.iter().flat_map(|before| before.approvals.clone());
        let approvals = [approval.clone()].into_iter().chain(before).take(KEPT).collect();
        Some(Approvals { of: record.key.clone(), approvals })
    };
    let written = session.store.modify::<Approvals>(&key::approval(&record.key), add).await;
    written.map(|_| ()).with_context(|| format!("cannot approve {}", record.key))
}

/// What a record needs its team's word for; `None`: it needs none.
pub(super) fn governed(record: &AnyRecord) -> Option<Approved> {
    let (object, digest): (&ObjectId, String) = match record {
        AnyRecord::Component(each) => (&each.id, digest(each)),
        AnyRecord::Provider(each) => (&each.id, digest(each)),
        AnyRecord::Export(each) => (&each.id, digest(each)),
        AnyRecord::Link(each) => (&each.source, digest(each)),
        AnyRecord::Route(each) => (&each.target, digest(each)),
        AnyRecord::Schedule(each) => (&each.target, digest(each)),
        AnyRecord::Application(_) | AnyRecord::Placement(_) => return None,
    };
    let team = object.team().to_owned();
    (team != DEFAULT_TEAM).then(|| Approved { team, key: record.key(), digest })
}

/// What to sign with, and by whom it is good; `None` where nothing needs to be signed.
async fn credential<'a>(
    session: &'a Session,
    team: &str,
) -> anyhow::Result<Option<(&'a Credential, String)>> {
    if team == DEFAULT_TEAM {
        return Ok(None);
    }
    let Some(authority) = session.store.get::<Authority>(key::AUTHORITY).await? else {
        return Ok(None);
    };
    let authority = authority.record.key;
    let Some(credential) = &session.credential else {
        bail!(
            "a token of team `{team}` is needed: give it with --token or WICKER_TOKEN; who keeps the lattice's authority makes one: wicker token issue --team {team}"
        );
    };
    let claims = check_team(credential.token(), (&authority, &session.lattice), now());
    let claims = claims.context("the token that was given is not good here")?;
    ensure!(
        claims.sub == team,
        "the token that was given is of team `{}`, and this belongs to team `{team}`",
        claims.sub
    );
    let id = credential.id();
    let known = session.store.get::<Token>(&key::token(&id)).await?;
    let revocation = known.and_then(|entry| entry.record.revocation);
    let by = (authority.as_str(), session.lattice.as_str());
    let is_revoked =
        revocation.is_some_and(|text| check_revocation(&text, by).is_ok_and(|other| other == id));
    ensure!(!is_revoked, "the token that was given ({id}) was revoked: ask for another one");
    Ok(Some((credential, authority)))
}
