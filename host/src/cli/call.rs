//! `wicker call TARGET INTERFACE.FUNCTION ARG...`: one call, arguments and result in WAVE.
//!
//! Types come from the lattice, where whoever loaded the target has put them. The call goes straight to a process that
//! serves the target: no link is involved, so a provider that needs a link's config says so.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::time::Instant;
use wicker_lattice::call::{
    Call, CallError, DEFAULT_LINK, Invocation, Invoke, LinkRef, Reply, Status,
};
use wicker_lattice::id::{CallId, ObjectId, ProcessId};
use wicker_lattice::interface::{InterfaceKey, InterfaceName};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::types::{FunctionType, World};
use wicker_lattice::wave;
use wicker_reconciler::inventory::Inventory;

use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, inventory, out};
use crate::provider::registry;

/// What `wicker call` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who is called: a component or provider, any ending of its id.
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// The function: `shop:cart/api.add`. Version, package and interface may be left out where that is unambiguous.
    #[arg(value_name = "INTERFACE.FUNCTION")]
    pub function: String,
    /// One value for each parameter, in WAVE: `'"apple"' 3 '{name: "x", tags: [red]}'`.
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    pub arguments: Vec<String>,
    /// How long to wait for the answer, in seconds.
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub timeout: u64,
}

/// What came back, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    target: ObjectId,
    interface: InterfaceName,
    function: String,
    process: ProcessId,
    /// In WAVE; `None` for a function without a result.
    result: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// There is no such target or function, an argument is no value of its type, or the call failed.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let target = inventory::object(&inventory, &args.target)?;
    let builtins = registry::facts();
    let world = inventory.world(&target, &builtins).with_context(|| {
        format!(
            "what {} exports is not known to the lattice yet: is it running? see `wicker ps`",
            short(&target)
        )
    })?;
    let found =
        find(world, &args.function).with_context(|| format!("cannot call {}", short(&target)))?;
    let params = wave::encode_params(&found.name, &found.ty, &args.arguments)?;
    let call = |deadline| Call {
        id: CallId::generate(),
        target: target.clone(),
        source: target.clone(),
        link: LinkRef { name: DEFAULT_LINK.into(), revision: 0 },
        interface: found.interface.key(),
        function: found.name.as_str().into(),
        type_hash: found.ty.hash(),
        deadline,
        trace: None,
        fence: None,
        params: params.clone(),
        streams: Vec::new(),
    };
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let (process, reply) = attempt(&session, &inventory, &target, || call(deadline)).await?;
    let text = wave::print_results(&found.ty, &reply.results)?;
    let result = found.ty.result.is_some().then_some(text);
    print(
        &session,
        Report { target, interface: found.interface, function: found.name, process, result },
    );
    Ok(ExitCode::SUCCESS)
}

fn print(session: &Session, report: Report) {
    if session.is_json() {
        out::json(&report);
    } else if let Some(result) = report.result {
        out::line(&result);
    }
}

/// A function that a user means.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    interface: InterfaceName,
    name: String,
    ty: FunctionType,
}

/// Finds the one exported function that `text` means.
fn find(world: &World, text: &str) -> anyhow::Result<Found> {
    let all = || {
        world.exports.iter().flat_map(|(interface, functions)| {
            functions.iter().map(move |(name, ty)| (interface, name, ty))
        })
    };
    let matches: Vec<_> =
        all().filter(|(interface, name, _)| means(text, &interface.key(), name)).collect();
    match matches.as_slice() {
        [(interface, name, ty)] => {
            Ok(Found { interface: (*interface).clone(), name: (*name).clone(), ty: (*ty).clone() })
        }
        [] => {
            let known: Vec<String> =
                all().map(|(interface, name, _)| format!("{interface}.{name}")).collect();
            bail!("it exports no function `{text}`; it exports {}", known.join(", "))
        }
        several => {
            let known: Vec<String> =
                several.iter().map(|(interface, name, _)| format!("{interface}.{name}")).collect();
            bail!("`{text}` may mean {}: write more of it", known.join(" or "))
        }
    }
}

/// Whether `text` is an ending of `namespace:package/interface.function`, with or without the version.
fn means(text: &str, interface: &InterfaceKey, function: &str) -> bool {
    let (path, version) = interface.as_str().split_once('@').unwrap_or((interface.as_str(), ""));
    // A version may be written as the key has it, or longer: 1.2.3 for 1.
    let wanted = match text.split_once('@') {
        Some((before, rest)) => match rest.strip_suffix(&format!(".{function}")) {
            Some(written) if is_version(before, written, version) => format!("{before}.{function}"),
            Some(_) | None => return false,
        },
        None => text.to_owned(),
    };
    let full = format!("{path}.{function}");
    full == wanted || full.strip_suffix(&wanted).is_some_and(|before| before.ends_with(['/', '.']))
}

fn is_version(path: &str, written: &str, key: &str) -> bool {
    let path = if path.contains(':') { path.to_owned() } else { format!("any:any/{path}") };
    let parsed: Option<InterfaceKey> = format!("{path}@{written}").parse().ok();
    parsed.is_some_and(|parsed| {
        parsed.as_str().split_once('@').is_some_and(|(_, version)| version == key)
    })
}

/// Calls one process after the other that serves `target`, as long as nothing was executed.
async fn attempt(
    session: &Session,
    inventory: &Inventory,
    target: &ObjectId,
    call: impl Fn() -> Call,
) -> anyhow::Result<(ProcessId, Reply)> {
    let serving = inventory.running.iter().filter(|running| running.object == *target);
    let processes: Vec<ProcessId> = serving
        .filter(|running| running.state.takes_calls())
        .map(|running| running.process)
        .collect();
    let config = RpcConfig::new(&session.lattice, session.process);
    let rpc = Rpc::start(config, &session.nats, Arc::new(Nobody)).await?;
    let mut last = None;
    for process in processes {
        match rpc.remote(process).invoke(call()).await {
            Ok(reply) => return Ok((process, reply)),
            Err(error) if is_worth_another(error.status) => last = Some(error),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot call {}", short(target)));
            }
        }
    }
    match last {
        Some(error) => Err(error).with_context(|| format!("cannot call {}", short(target))),
        None => bail!("{} is not running: see `wicker ps`", short(target)),
    }
}

fn is_worth_another(status: Status) -> bool {
    matches!(status, Status::Unavailable | Status::Overloaded | Status::Draining)
}

/// This process serves nothing.
struct Nobody;

impl Invoke for Nobody {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            Err(CallError::new(Status::NotFound, format!("nobody here serves {}", call.target)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_and_versions_mean_their_function() {
        let key: InterfaceKey = "shop:cart/api@1".parse().unwrap();
        for (text, expected) in [
            ("shop:cart/api.add", true),
            ("shop:cart/api@1.add", true),
            ("shop:cart/api@1.4.2.add", true),
            ("api.add", true),
            ("api@1.0.0.add", true),
            ("add", true),
            ("shop:cart/api@2.add", false),
            ("pi.add", false),
            ("dd", false),
            ("shop:cart/api.remove", false),
        ] {
            assert_eq!(means(text, &key, "add"), expected, "{text}");
        }
        let draft: InterfaceKey = "wasi:keyvalue/store@0.2.0-draft".parse().unwrap();
        assert!(means("store@0.2.0-draft.[method]bucket.get", &draft, "[method]bucket.get"));
        assert!(means("wasi:keyvalue/store.[method]bucket.get", &draft, "[method]bucket.get"));
    }

    #[test]
    fn unknown_function_lists_what_there_is() {
        let ty = FunctionType { params: Vec::new(), result: None, is_async: false };
        let functions = [("add".to_owned(), ty.clone()), ("all".to_owned(), ty)];
        let world = World {
            exports: [("shop:cart/api@1.0.0".parse().unwrap(), functions.into_iter().collect())]
                .into(),
            ..World::default()
        };
        assert_eq!(find(&world, "add").unwrap().name, "add");
        assert_eq!(
            find(&world, "drop").unwrap_err().to_string(),
            "it exports no function `drop`; it exports shop:cart/api@1.0.0.add, shop:cart/api@1.0.0.all"
        );
    }
}
