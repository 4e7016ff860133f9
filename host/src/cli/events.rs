//! `wicker events`: what happens, as it happens. Events inform: one that nobody heard is gone.

use std::process::ExitCode;

use anyhow::Context as _;
use wicker_lattice::event::Event;
use wicker_lattice::subject;

use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, inventory, out};

/// What `wicker events` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only events about this component or provider: any ending of its id.
    #[arg(value_name = "OBJECT")]
    pub object: Option<String>,
    /// Leave after this many.
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u64>,
}

/// Runs the verb until it is interrupted.
///
/// # Errors
/// The lattice cannot be reached, or nothing is called so.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let object = match &args.object {
        Some(text) => inventory::object(&inventory::read(&session).await?, text)?.to_token(),
        None => "*".to_owned(),
    };
    let mut events =
        session.nats.subscribe(&subject::event(&session.lattice, "*", &object)).await?;
    out::note(&format!("listening to lattice `{}` (Ctrl-C ends)", session.lattice));
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let message = tokio::select! {
            message = futures::StreamExt::next(&mut events) => message.context("the connection to NATS has ended")?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let Ok(event) = serde_json::from_slice::<Event>(&message.payload) else { continue };
        print(&session, &event);
        left -= 1;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(session: &Session, event: &Event) {
    if session.is_json() {
        return out::json_line(event);
    }
    let object = event.object.as_ref().map(short).unwrap_or_default();
    out::line(
        format!("{}  {:<20}  {object}  {}", event.at, event.kind.to_string(), event.message)
            .trim_end(),
    );
}
