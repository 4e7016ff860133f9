//! Makes a [`HostConfig`] of what the command line of `wicker up` says, checked before anything is started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use wicker_lattice::id::is_name;

use super::Args;
use crate::cli::Global;
use crate::config::{HostConfig, machine_name};

/// Checks what the command line says.
///
/// # Errors
/// The first thing that is not what it should be, named by its flag.
pub(super) fn config(args: Args, global: Global) -> anyhow::Result<HostConfig> {
    if !is_name(&global.lattice) {
        bail!(
            "--lattice {}: a lattice's name is 1 to 63 of a-z, 0-9 and inner hyphens",
            global.lattice
        );
    }
    refuse_contradictions(&args, &global)?;
    if let Some(missing) = args.files.iter().find(|file| !file.exists()) {
        bail!("cannot read {}: no such file", missing.display());
    }
    let nats_listen = args.nats_listen.as_deref();
    let join = args.join.as_deref();
    Ok(HostConfig {
        lattice: global.lattice,
        nats: global.nats,
        nats_listen: nats_listen.map(|text| address("--nats-listen", text)).transpose()?,
        join: join.map(str::parse).transpose().context("--join")?,
        address: args.address,
        is_open: !args.alone,
        data: global.data,
        cache: global.cache,
        http: args.http.as_deref().map(|text| address("--http", text)).transpose()?,
        labels: labels(&args.labels)?,
        secrets: args.secrets,
        secrets_key: args.secrets_key,
        files: args.files,
        drain: Duration::from_secs(args.drain_seconds),
    })
}

/// What is said of a NATS server that this host would start, where it starts none.
fn refuse_contradictions(args: &Args, global: &Global) -> anyhow::Result<()> {
    let of_own_server = [
        ("--nats-listen", args.nats_listen.is_some()),
        ("--join", args.join.is_some()),
        ("--address", args.address.is_some()),
    ];
    for (flag, _) in of_own_server.iter().filter(|(_, is_given)| *is_given) {
        if global.nats.is_some() {
            bail!(
                "{flag} is about the NATS server that `wicker up` starts; with --nats there is none, drop one of them"
            );
        }
        if args.alone && *flag != "--nats-listen" {
            bail!("{flag} opens this machine to others, --alone does not: drop one of them");
        }
    }
    Ok(())
}

/// Reads `ADDR:PORT`, `:PORT` (every address) or a name with a port.
fn address(flag: &str, text: &str) -> anyhow::Result<SocketAddr> {
    use std::net::ToSocketAddrs as _;
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let mut found = full.to_socket_addrs().with_context(|| {
        format!("{flag} {text}: expected an address and a port, such as 127.0.0.1:8000")
    })?;
    found.next().with_context(|| format!("{flag} {text}: the name has no address"))
}

fn labels(pairs: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::from([("host".to_owned(), machine_name())]);
    for pair in pairs.iter().filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once('=').with_context(|| format!("--label {pair}: expected KEY=VALUE"))?;
        labels.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn parse(words: &[&str]) -> anyhow::Result<HostConfig> {
        let cli = crate::cli::Cli::try_parse_from([&["wicker", "up"], words].concat())?;
        let crate::cli::Command::Up(args) = cli.command else { unreachable!("the verb is `up`") };
        config(args, cli.global)
    }

    #[test]
    fn defaults_leave_what_can_be_found_open() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.lattice, "default");
        assert!(config.nats.is_none() && config.http.is_none() && config.data.is_none());
        assert_eq!(config.labels["host"], machine_name());
    }

    #[test]
    fn listener_may_be_a_port_alone() {
        assert_eq!(
            parse(&["--http", ":8080"]).unwrap().http,
            Some("0.0.0.0:8080".parse().unwrap())
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_its_flag() {
        for (words, expected) in [
            (&["--lattice", "My Lattice"][..], "--lattice My Lattice"),
            (&["--http", "nonsense"], "--http nonsense"),
            (&["--label", "zone"], "--label zone: expected KEY=VALUE"),
            (&["--nats", "nats://a", "--nats-listen", ":1"], "--nats-listen"),
            (&["--nats", "nats://a", "--join", "a/b"], "--join is about"),
            (&["--alone", "--address", "10.0.0.1"], "--address opens"),
            (&["--join", "10.0.0.1"], "--join: expected ADDRESS/SECRET"),
            (&["missing.wasm"], "cannot read missing.wasm"),
        ] {
            let message = format!("{:#}", parse(words).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
