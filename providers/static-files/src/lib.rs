//! Answers HTTP requests with files: of a directory, or of a container of blobs.
//!
//! Routes lead to it as to a component. GET and HEAD, with `etag`, `if-none-match`, `if-modified-since`, one range, `if-range`, and
//! an index for folders. Bodies stream at their reader's pace, in constant memory.
//!
//! *What is out of reach*: nothing outside the directory, whatever a path or a symbolic link says; no name that begins with a dot,
//! but `.well-known`. *Consistency*: a file is served as it was when it was opened; a blob as its store promises.
//!
//! Read on: `path` (which file a request is for), `answer` (what it is answered with), `source` (where files come from).

mod answer;
mod path;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use blobstore::blobs;
use serde::Deserialize;
use wicker_provider::lattice::call::{CallError, Reply, Status};
use wicker_provider::lattice::http as wire;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{
    Environment, Incoming, Interface, Interfaces, NoConfig, Outlet, Provider, ProviderError,
    Sharing, codegen,
};

use crate::source::Source;

/// What is served: [`wire::INTERFACE`] with its whole version.
const INTERFACE: &str = "wicker:http/handler@0.1.0";

/// What the provider is configured with. It needs `directory`, or `container` and a link to a store of blobs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The directory, an absolute path on the host that it runs on.
    pub directory: Option<PathBuf>,
    /// The container of the store that the provider's link for `wicker:blobstore` leads to.
    pub container: Option<String>,
    /// What the names of its objects begin with. Nothing by default.
    pub prefix: String,
    /// What of a request's path is not part of a name: the path of the route, where that is not `/`.
    pub under: String,
    /// What a folder is answered with. `index.html` by default.
    pub index: Option<String>,
    /// For how many seconds clients may keep an answer without asking again. 0 by default.
    pub max_age: u64,
}

/// The provider: one place where files are.
#[derive(Debug)]
pub struct StaticFiles(Arc<Site>);

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) source: Source,
    pub(crate) config: Config,
}

/// One link to it, which has nothing of its own.
#[derive(Debug)]
pub struct Reader(Arc<Site>);

impl Provider for StaticFiles {
    const IMPLEMENTATION: &'static str = "static-files";
    const SHARING: Sharing = Sharing::Replicable;
    const ANSWERS_ROUTES: bool = true;
    type Config = Config;
    type LinkConfig = NoConfig;
    type Link = Reader;

    fn interfaces() -> Interfaces<Reader> {
        let handler = Interface::new(codegen::name(INTERFACE)).function(
            wire::HANDLE,
            wire::function_type(),
            |link: Arc<Reader>, call| Box::pin(async move { link.handle(call).await }),
        );
        Interfaces::new().with(handler).calling(blobs::import())
    }

    async fn start(config: Config, _environment: Environment) -> Result<Self, ProviderError> {
        let source = Source::open(&config).await?;
        Ok(Self(Arc::new(Site { source, config })))
    }

    async fn link(&self, _link: &Link, _config: NoConfig) -> Result<Reader, ProviderError> {
        Ok(Reader(Arc::clone(&self.0)))
    }

    async fn feed(&self, outlet: Outlet) -> Result<(), ProviderError> {
        self.0.source.reach(blobs::Client::new(outlet.client))
    }
}

impl Reader {
    async fn handle(&self, call: Incoming) -> Result<Reply, CallError> {
        let head = wire::decode_request(&call.params)
            .map_err(|error| CallError::new(Status::BadFrame, error.to_string()))?;
        let (head, streams) = answer::to(&self.0, &head).await?;
        Ok(Reply { results: wire::encode_response(&Ok(head)), streams })
    }
}
