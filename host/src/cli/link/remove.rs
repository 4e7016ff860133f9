//! `wicker link rm SOURCE INTERFACE`.

use std::process::ExitCode;

use anyhow::ensure;
use serde::Serialize;
use wicker_lattice::call::DEFAULT_LINK;
use wicker_lattice::event::EventKind;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Link, Scope};
use wicker_reconciler::pattern::InterfacePattern;

use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{approve, inventory, out};

/// What `wicker link rm` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who imports: any ending of its id.
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The interface or package that the link covers: `wasi:keyvalue`, `acme:greet/api`.
    #[arg(value_name = "INTERFACE")]
    pub interface: InterfacePattern,
    /// The link's name.
    #[arg(long, default_value = DEFAULT_LINK, value_name = "NAME")]
    pub name: String,
}

#[derive(Debug, Serialize)]
struct Removed {
    source: ObjectId,
    interface: Scope,
    name: String,
    target: ObjectId,
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<ExitCode> {
    let inventory = inventory::read(session).await?;
    let source = inventory::object(&inventory, &args.source)?;
    let is_meant = |link: &Link| {
        link.source == source && link.name == args.name && covers(&args.interface, &link.scope)
    };
    let meant: Vec<(&String, &Link)> = inventory
        .links
        .iter()
        .map(|(key, stored)| (key, &stored.record))
        .filter(|(_, link)| is_meant(link))
        .collect();
    ensure!(
        !meant.is_empty(),
        "{} has no link {} for {}",
        short(&source),
        args.name,
        args.interface
    );
    approve::require(session, source.team()).await?;
    let mut removed = Vec::with_capacity(meant.len());
    for (key, link) in meant {
        session.store.delete::<Link>(key).await?;
        let Link { source, scope, name, target, .. } = link.clone();
        let message =
            format!("{} {} no longer leads to {}", short(&source), scope.as_str(), short(&target));
        session.tell(EventKind::LinkRemoved, Some(&source), message.clone()).await?;
        if !session.is_json() {
            out::line(&message);
        }
        removed.push(Removed { source, interface: scope, name, target });
    }
    if session.is_json() {
        out::json(&removed);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn covers(pattern: &InterfacePattern, scope: &Scope) -> bool {
    match scope {
        Scope::Interface(interface) => pattern.is_interface() && pattern.matches_key(interface),
        // A package's key has no interface to match: give it one.
        Scope::Package(package) => {
            let (path, version) =
                package.as_str().split_once('@').unwrap_or((package.as_str(), ""));
            let at = if version.is_empty() { "" } else { "@" };
            let any = format!("{path}/any{at}{version}").parse();
            !pattern.is_interface() && any.is_ok_and(|any| pattern.matches_key(&any))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_means_links_of_its_own_width() {
        let package = Scope::Package("wasi:keyvalue@0.2.0-draft".parse().unwrap());
        let interface = Scope::Interface("wasi:keyvalue/store@0.2.0-draft".parse().unwrap());
        for (pattern, of_package, of_interface) in [
            ("wasi:keyvalue", true, false),
            ("wasi:keyvalue@0.2.0-draft", true, false),
            ("wasi:keyvalue@0.2.0-draft2", false, false),
            ("wasi:keyvalue/store", false, true),
            ("wasi:keyvalue/atomics", false, false),
        ] {
            let pattern: InterfacePattern = pattern.parse().unwrap();
            assert_eq!(covers(&pattern, &package), of_package, "{pattern}");
            assert_eq!(covers(&pattern, &interface), of_interface, "{pattern}");
        }
    }
}
