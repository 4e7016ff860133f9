//! `wicker logs [OBJECT]`: what components and providers wrote, and what hosts say about them.
//!
//! Each host keeps the latest lines; nothing is kept elsewhere. With `--follow`, new lines follow as they come.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::future::join_all;
use wicker_lattice::event::{LOGS, LogLine, LogQuery};
use wicker_lattice::id::ObjectId;
use wicker_lattice::subject;
use wicker_reconciler::inventory::Inventory;

use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, inventory, out};

/// A host answers from memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What `wicker logs` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only lines of this component or provider: any ending of its id.
    #[arg(value_name = "OBJECT")]
    pub object: Option<String>,
    /// Go on with new lines as they come, until interrupted.
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the latest lines of each host to begin with.
    #[arg(long, short = 'n', default_value_t = 100, value_name = "COUNT")]
    pub lines: u32,
}

/// Runs the verb.
///
/// # Errors
/// The lattice cannot be reached, or nothing is called so.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let object =
        args.object.as_deref().map(|text| inventory::object(&inventory, text)).transpose()?;
    // Subscribed before the history is read, so that no line falls between; one may then be shown twice.
    let token = object.as_ref().map_or_else(|| "*".to_owned(), ObjectId::to_token);
    let new_lines = session.nats.subscribe(&subject::log(&session.lattice, &token, "*")).await?;
    let query = LogQuery { object, lines: args.lines };
    let history = history(&session, &inventory, &query).await;
    for line in &history {
        print(&session, line);
    }
    if args.follow {
        follow(&session, new_lines, history.last()).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The latest lines of every host, by time. Hosts that do not answer are named.
async fn history(session: &Session, inventory: &Inventory, query: &LogQuery) -> Vec<LogLine> {
    let ask = |host: &wicker_lattice::store::record::Host| {
        let (name, process) = (host.name.clone(), host.process);
        async move {
            let address = (session.lattice.as_str(), process);
            let answer =
                session.nats.query::<_, Vec<LogLine>>(address, LOGS, query, ANSWER_TIMEOUT).await;
            answer.unwrap_or_else(|error| {
                out::note(&format!("no lines from {name}: {error}"));
                Vec::new()
            })
        }
    };
    let answers = join_all(inventory.hosts.iter().map(ask)).await;
    let mut lines: Vec<LogLine> = answers.into_iter().flatten().collect();
    lines.sort_by(|a, b| a.at.cmp(&b.at));
    lines
}

async fn follow(
    session: &Session,
    mut new_lines: wicker_lattice::nats::Subscription,
    last: Option<&LogLine>,
) -> anyhow::Result<()> {
    let shown_until = last.map(|line| line.at.clone()).unwrap_or_default();
    loop {
        let message = tokio::select! {
            message = new_lines.next() => message.context("the connection to NATS has ended")?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match serde_json::from_slice::<LogLine>(&message.payload) {
            Ok(line) if line.at > shown_until => print(session, &line),
            Ok(_) | Err(_) => {}
        }
    }
}

fn print(session: &Session, line: &LogLine) {
    if session.is_json() {
        return out::json_line(line);
    }
    out::line(&format!("{}  {}  {}  {}", line.at, short(&line.object), line.stream, line.text));
}
