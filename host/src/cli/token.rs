//! `wicker token issue|ls|revoke`: who may act for a team, and who may no more.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use wicker_lattice::store::record::{Approvals, Team, Token};
use wicker_lattice::store::{Entry, Record as _, key};
use wicker_lattice::token::team::{Approval, Authority, Credential, check_approval};
use wicker_process::Clock;

use crate::cli::approve::now;
use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::cli::team::{ADOPTION_SECONDS, AuthorityArgs, file, read_authority};
use crate::cli::{Global, out};

/// What `wicker token` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a token that lets its holder act for a team: a secret, for `--token` or `WICKER_TOKEN`.
    Issue(IssueArgs),
    /// Show the tokens that were issued, by their ids.
    Ls,
    /// Make one token worth nothing from now on. What it has approved until now stays.
    Revoke(RevokeArgs),
}

#[derive(Debug, clap::Args)]
struct IssueArgs {
    /// The team.
    #[arg(long, value_name = "NAME")]
    team: String,
    /// For how many days it is good, 366 at most.
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    expires: u32,
    #[command(flatten)]
    authority: AuthorityArgs,
}

#[derive(Debug, clap::Args)]
struct RevokeArgs {
    /// The token's id: `wicker token issue` says it, and `wicker token ls`.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    authority: AuthorityArgs,
}

/// One token, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    team: String,
    issued_at: String,
    days: u32,
    is_revoked: bool,
}

/// Runs the verb.
///
/// # Errors
/// There is no such team or token, or this is not the lattice's authority.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    match args.command {
        Command::Issue(args) => {
            let authority = read_authority(&session, &file(&args.authority, &global)?).await?;
            issue(&session, &authority, (args.team, args.expires)).await?;
        }
        Command::Ls => list(&session).await?,
        Command::Revoke(args) => {
            let authority = read_authority(&session, &file(&args.authority, &global)?).await?;
            revoke(&session, &authority, &args.id).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn issue(
    session: &Session,
    authority: &Authority,
    (team, days): (String, u32),
) -> anyhow::Result<()> {
    ensure!((1..=366).contains(&days), "--expires {days}: a token is good for 1 to 366 days");
    let known = session.store.get::<Team>(&key::team(&team)).await?;
    known.with_context(|| format!("there is no team `{team}`: wicker team create {team}"))?;
    let seconds = i64::from(days) * 86_400;
    let credential = authority.issue(&session.lattice, &team, (now(), seconds))?;
    let (id, issued_at) = (credential.id(), Clock::system().rfc3339());
    let record = Token { id: id.clone(), team: team.clone(), issued_at, days, revocation: None };
    session.store.create(&record).await.context("cannot note the token")?;
    let token = credential.to_secret_text();
    if session.is_json() {
        out::json(&serde_json::json!({ "team": team, "id": id, "token": token, "days": days }));
    } else {
        out::note(&format!("its id is {id}; should it leak: wicker token revoke {id}"));
        out::line(&token);
    }
    Ok(())
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let tokens = session.store.list::<Token>(&Token::all()).await?;
    let mut tokens: Vec<Token> = tokens.into_iter().map(|entry| entry.record).collect();
    tokens.sort_by(|one, other| (&one.team, &one.issued_at).cmp(&(&other.team, &other.issued_at)));
    let row = |token: Token| {
        let Token { id, team, issued_at, days, revocation } = token;
        Row { id, team, issued_at, days, is_revoked: revocation.is_some() }
    };
    let rows: Vec<Row> = tokens.into_iter().map(row).collect();
    if session.is_json() {
        out::json(&rows);
        return Ok(());
    }
    let mut table = Table::new(["ID", "TEAM", "ISSUED", "DAYS", "STATE"]);
    for Row { id, team, issued_at, days, is_revoked } in rows {
        let state = if is_revoked { "revoked" } else { "issued" };
        table.row([id, team, issued_at, days.to_string(), state.to_owned()]);
    }
    out::line(table.to_string().trim_end());
    Ok(())
}

/// Revokes a token, and has the authority speak for what it has approved: the team's work is to go on.
async fn revoke(session: &Session, authority: &Authority, id: &str) -> anyhow::Result<()> {
    let entry = session.store.get::<Token>(&key::token(id)).await?;
    let entry =
        entry.with_context(|| format!("no token `{id}` was issued: see `wicker token ls`"))?;
    ensure!(entry.record.revocation.is_none(), "the token {id} is revoked already");
    // Read before, so that nothing counts which is slipped in while this goes on.
    let given = session.store.list::<Approvals>(&Approvals::all()).await?;
    let team = entry.record.team.clone();
    let revocation = Some(authority.revoke(&session.lattice, id, now())?);
    session.store.update(&Token { revocation, ..entry.record }, entry.revision).await?;
    let again = authority.issue(&session.lattice, &team, (now(), ADOPTION_SECONDS))?;
    let mut kept = Vec::new();
    for Entry { key, record, revision } in given {
        let Some(approvals) = renewed(session, authority, &record, (id, &again))? else { continue };
        let of = record.of.clone();
        session
            .store
            .update(&Approvals { of: of.clone(), approvals }, revision)
            .await
            .with_context(|| {
                format!("{key} was changed meanwhile: its team must deploy {of} again")
            })?;
        kept.push(of);
    }
    if session.is_json() {
        out::json(&serde_json::json!({ "id": id, "team": team, "kept": kept }));
        return Ok(());
    }
    out::line(&format!("the token {id} of team {team} is revoked"));
    for of in kept {
        out::line(&format!(
            "  what it approved of {of} stays: look whether that is as it should be"
        ));
    }
    Ok(())
}

/// The approvals of one record, those by the token `id` given again; `None`: there is none of it.
fn renewed(
    session: &Session,
    authority: &Authority,
    before: &Approvals,
    (id, again): (&str, &Credential),
) -> anyhow::Result<Option<Vec<Approval>>> {
    let is_by_it = |approval: &Approval| approval.token_id().as_deref() == Some(id);
    if !before.approvals.iter().any(is_by_it) {
        return Ok(None);
    }
    let by = (authority.public_key(), session.lattice.as_str());
    let mut approvals = Vec::with_capacity(before.approvals.len());
    for approval in &before.approvals {
        match check_approval(approval, by) {
            Ok(said) if is_by_it(approval) => {
                approvals.push(again.approve(&said.key, &said.digest, now())?);
            }
            Ok(_) => approvals.push(approval.clone()),
            Err(_) => {}
        }
    }
    Ok(Some(approvals))
}
