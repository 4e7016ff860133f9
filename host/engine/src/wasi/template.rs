//! What one actor may touch besides its links, as its manifest grants it, and its voice in the log.

use std::fmt;
use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};
use wicker_lattice::store::record::{FileGrant, Grants};

use super::denial::{Denial, Denials};
use super::network::Network;
use super::output::{Lines, Output, Rate};
use crate::config::ActorConfig;
use crate::log::{Level, LogLine, Origin};

/// What every instance of one actor starts from. Made once, shared by all of them.
pub(crate) struct Template {
    actor: Arc<ActorConfig>,
    stdio: Stdio,
    rate: Rate,
    denials: Denials,
    network: Network,
}

/// Where a guest's standard streams lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// Input is empty, output goes to the log, line by line.
    Log,
    /// They are this process's own: `wicker run`.
    Inherit,
}

impl Template {
    /// Fails where a granted directory cannot be opened.
    pub(crate) fn new(actor: &Arc<ActorConfig>, stdio: Stdio) -> anyhow::Result<Arc<Self>> {
        for FileGrant { host, guest, .. } in &actor.grants.files {
            let found = fs::metadata(host).with_context(|| {
                format!("cannot open `{host}`, granted as `{guest}` in grants.files")
            })?;
            ensure!(
                found.is_dir(),
                "`{host}`, granted as `{guest}` in grants.files, is not a directory"
            );
        }
        let (rate, denials) = (Rate::default(), Denials::default());
        let network = Network::new(&actor.grants.network);
        Ok(Arc::new(Self { actor: Arc::clone(actor), stdio, rate, denials, network }))
    }

    /// Whose template it is.
    pub(crate) fn actor(&self) -> &ActorConfig {
        &self.actor
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn denials(&self) -> &Denials {
        &self.denials
    }

    /// Takes a line that a guest wrote, unless its actor has written too many just now.
    pub(crate) fn guest_line(&self, origin: Origin, level: Level, text: &str) {
        let Some(dropped) = self.rate.admit() else { return };
        if dropped > 0 {
            self.engine_line(Level::Warn, &format!("{dropped} lines dropped: too many at once"));
        }
        self.actor.log.write(LogLine { origin, level, text });
    }

    /// Says something about the actor in its log.
    pub(crate) fn engine_line(&self, level: Level, text: &str) {
        self.actor.log.write(LogLine { origin: Origin::Engine, level, text });
    }

    /// Sockets, as far as they are granted.
    fn add_sockets(self: &Arc<Self>, builder: &mut WasiCtxBuilder) {
        let is_any = self.network.is_any();
        builder.allow_tcp(is_any).allow_udp(is_any).allow_ip_name_lookup(is_any);
        if is_any {
            let template = Arc::clone(self);
            builder.socket_addr_check(move |address, usage| {
                let template = Arc::clone(&template);
                Box::pin(async move {
                    let checked = template.network.check(address, usage).await;
                    checked
                        .map_err(|entry| template.deny(Denial::Address(entry.as_deref())))
                        .is_ok()
                })
            });
        }
    }

    /// The WASI context of a new instance.
    pub(super) fn context(self: &Arc<Self>) -> WasiCtx {
        let mut builder = WasiCtx::builder();
        let Grants { environment, arguments, files, network: _ } = &self.actor.grants;
        for (name, value) in environment {
            builder.env(name, value);
        }
        builder.arg(self.actor.id.name()).args(arguments);
        match self.stdio {
            Stdio::Inherit => {
                builder.inherit_stdio();
            }
            Stdio::Log => {
                let lines = |origin| Output(Arc::new(Lines::new(Arc::clone(self), origin)));
                builder.stdout(lines(Origin::Stdout)).stderr(lines(Origin::Stderr));
            }
        }
        for FileGrant { host, guest, write } in files {
            let permissions = if *write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            if let Err(error) = builder.preopened_dir(host, guest, permissions) {
                // It was there when the actor was set up.
                let text = format!(
                    "`{guest}` is missing: cannot open the granted directory `{host}`: {error:#}"
                );
                self.engine_line(Level::Error, &text);
            }
        }
        self.add_sockets(&mut builder);
        builder.build()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("actor", &self.actor).finish_non_exhaustive()
    }
}
