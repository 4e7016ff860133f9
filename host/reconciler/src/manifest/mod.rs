//! The manifest: what a user writes, typed, each part with its place in the file. docs/manifest.md describes it.
//!
//! [`parse`] checks what one file can tell (fields, forms, names) and reports all of it at once. Whether the parts
//! fit each other, the components and the lattice is [`crate::validate`]'s question.

mod exports;
mod fields;
mod known;
mod overlay;
mod part;
mod placement;
mod ready;
mod schedules;
mod schema;
mod secrets;
mod sections;
mod targets;
mod wadm;
mod yaml;

use std::collections::BTreeMap;

use wicker_lattice::id::{DEFAULT_TEAM, ObjectId};
use wicker_lattice::store::record::{
    Grants, Limits, Missed, Overlap, ProviderSource, Rollout, Sharing, Spread, Terms, Timing,
};

use crate::diagnostic::{Problems, Source, Span, Spanned};
use crate::pattern::InterfacePattern;

pub use schema::schema;

/// Bytes of one manifest at most: it is kept in the lattice, whose values stay well below NATS's 1 MiB.
pub const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// One application, as its files declare it.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file, or files.
    pub source: Source,
    /// `application:`.
    pub application: Spanned<String>,
    /// `team:`; `default` where the file names none.
    pub team: String,
    /// `version:`, for people.
    pub version: Option<String>,
    /// `components:`, in the file's order.
    pub components: Vec<Component>,
    /// `providers:`.
    pub providers: Vec<Provider>,
    /// `links:`.
    pub links: Vec<Link>,
    /// `routes:`.
    pub routes: Vec<Route>,
    /// `exports:`.
    pub exports: Vec<Export>,
    /// `schedules:`.
    pub schedules: Vec<Schedule>,
    /// What the file says that does nothing here.
    pub warnings: Problems,
}

/// One entry of `components:`.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its name in the application.
    pub name: Spanned<String>,
    /// A path, relative to the manifest's folder.
    pub image: Spanned<String>,
    /// `sha256:<hex>`, if the file pins it.
    pub digest: Option<Spanned<String>>,
    /// What one instance may use.
    pub limits: Limits,
    /// What it may touch besides its links.
    pub grants: Grants,
    /// Instances kept between calls.
    pub warm: u32,
    /// How long one may wait for its next call, milliseconds.
    pub idle_ms: Option<u64>,
    /// `wasi:config` values.
    pub config: BTreeMap<String, String>,
    /// The secrets that it may reveal, by its own names for them.
    pub secrets: BTreeMap<String, Spanned<String>>,
    /// How many hosts run it, and which.
    pub placement: Placement,
    /// How a new version replaces the one that runs.
    pub rollout: Rollout,
    /// Whether it runs on one host at most.
    pub is_singleton: bool,
    /// How its host finds out whether it is ready.
    pub ready: Option<Ready>,
}

/// `ready:` of a component.
#[derive(Debug, Clone)]
pub struct Ready {
    /// What is asked.
    pub probe: Spanned<Probe>,
    /// From one question to the next, milliseconds.
    pub interval_ms: u64,
    /// How long an answer may take, milliseconds.
    pub timeout_ms: u64,
    /// Bad answers in a row that are too many.
    pub failures: u32,
}

/// What is asked, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A path.
    Path(String),
    /// A function that it exports.
    Function {
        /// Of which of its interfaces.
        interface: InterfacePattern,
        /// Its name.
        name: String,
    },
}

/// Who serves a link or a route.
#[derive(Debug, Clone)]
pub struct Target {
    /// As the user wrote it.
    pub name: Spanned<String>,
    /// Its share, where there are several.
    pub weight: u32,
}

/// One entry of `providers:`.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name in the application.
    pub name: Spanned<String>,
    /// What runs.
    pub source: Spanned<ProviderSource>,
    /// What the file says; a builtin knows its own.
    pub sharing: Option<Sharing>,
    /// Whether it runs on one host at most.
    pub is_singleton: bool,
    /// Typed by the implementation; a value may be `{"secret": NAME}`.
    pub config: serde_json::Value,
    /// The secrets that `config` names.
    pub secrets: Vec<Spanned<String>>,
    /// How many hosts run it, and which.
    pub placement: Placement,
    /// How a new version replaces the one that runs.
    pub rollout: Rollout,
}

/// `replicas:` and `placement:` of one entry.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    /// All but the neighbours, whose names only the lattice can tell.
    pub spread: Spread,
    /// Where the file says so, or the entry itself.
    pub span: Span,
    /// Whose hosts it should run on.
    pub near: Vec<Neighbour>,
    /// Whose hosts it should not run on.
    pub apart: Vec<Neighbour>,
}

/// One entry of `near:` or `apart:`.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// The other object, as the user wrote it.
    pub to: Spanned<String>,
    /// Whether it must; otherwise it is a wish.
    pub is_required: bool,
}

/// One link of `links:`.
#[derive(Debug, Clone)]
pub struct Link {
    /// A component or provider of this file.
    pub source: Spanned<String>,
    /// Which of its imports.
    pub interface: Spanned<InterfacePattern>,
    /// The link's name.
    pub name: String,
    /// Who serves it; at least one.
    pub targets: Vec<Target>,
    /// Typed by the target.
    pub config: BTreeMap<String, String>,
    /// Of it, what are secrets, by key.
    pub secrets: BTreeMap<String, Spanned<String>>,
    /// Longest call, milliseconds.
    pub timeout_ms: Option<u64>,
    /// Functions that may be retried when they may have run.
    pub idempotent: Vec<String>,
}

/// One entry of `routes:`.
#[derive(Debug, Clone)]
pub struct Route {
    /// Exact host name, `*.suffix`, or `None` for every host.
    pub host: Option<String>,
    /// A prefix that ends at a `/` boundary.
    pub path: String,
    /// Where the route stands.
    pub span: Span,
    /// Components of this file; at least one.
    pub targets: Vec<Target>,
}

/// One entry of `exports:`.
#[derive(Debug, Clone)]
pub struct Export {
    /// Its name in the application.
    pub name: Spanned<String>,
    /// A component or provider of this file.
    pub target: Spanned<String>,
    /// What is offered of it.
    pub interfaces: Vec<Spanned<InterfacePattern>>,
    /// Which teams may link to it, and on which terms.
    pub to: Vec<(Spanned<String>, Terms)>,
}

/// One entry of `schedules:`.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name in the application.
    pub name: Spanned<String>,
    /// A component of this file.
    pub target: Spanned<String>,
    /// When it is called.
    pub timing: Timing,
    /// What becomes of ticks that nobody could begin in time.
    pub missed: Missed,
    /// What becomes of a tick that is due before the last one is over.
    pub overlap: Overlap,
    /// Deliveries of one tick that may fail.
    pub attempts: u32,
    /// The pause after the first failure, milliseconds.
    pub backoff_ms: u64,
    /// How long one delivery may take, milliseconds.
    pub timeout_ms: u64,
}

impl Manifest {
    /// The id of a component or provider of this file.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<ObjectId> {
        ObjectId::new(&self.team, &self.application.value, name).ok()
    }

    /// `team/application`: who claims its routes.
    #[must_use]
    pub fn claimant(&self) -> String {
        format!("{}/{}", self.team, self.application.value)
    }
}

/// Reads a manifest.
///
/// # Errors
/// Everything that is wrong with the file by itself, in the order of its lines.
pub fn parse(source: &Source) -> Result<Manifest, Problems> {
    let mut problems = Problems::default();
    let manifest = read(source, &mut problems);
    match manifest {
        Some(manifest) if !problems.has_errors() => Ok(Manifest { warnings: problems, ..manifest }),
        _ => Err(problems.sorted()),
    }
}

/// The application, `(team, name)`, that a file says it belongs to; `None` where it says none, or is wadm's, which is always
/// a whole one.
#[must_use]
pub fn application_of(source: &Source) -> Option<(String, String)> {
    let root = yaml::parse(source, 0, &mut Problems::default())?;
    let text = |field: &str| match overlay::entry(&root, field).map(|node| &node.value) {
        Some(yaml::Value::Scalar { text, .. }) => Some(text.clone()),
        _ => None,
    };
    Some((text("team").unwrap_or_else(default_team), text("application")?))
}

fn read(source: &Source, problems: &mut Problems) -> Option<Manifest> {
    if source.whole_text().len() > MANIFEST_BYTES_MAX {
        let message = format!("larger than {} KiB", MANIFEST_BYTES_MAX >> 10);
        problems.error(source, Span::default(), message, "split the application");
        return None;
    }
    let found = problems.len();
    let mut root = yaml::parse(source, 0, problems);
    for layer in source.parts() {
        if let (Some(root), Some(more)) = (&mut root, yaml::parse(source, layer, problems)) {
            part::add(root, more, source, problems);
        }
    }
    for layer in source.overlays() {
        if let (Some(root), Some(over)) = (&mut root, yaml::parse(source, layer, problems)) {
            overlay::lay(root, over, source, problems);
        }
    }
    match root {
        Some(root) if wadm::is_wadm(&root) => {
            let root = wadm::translate(&root, &mut fields::Reader { source, problems });
            sections::manifest(source, &root, problems)
        }
        Some(root) => sections::manifest(source, &root, problems),
        None if problems.len() > found => None,
        None => {
            let help = "start with `application: NAME`";
            problems.error(source, Span::default(), "an empty manifest".to_owned(), help);
            None
        }
    }
}

/// The team of a file that names none.
fn default_team() -> String {
    DEFAULT_TEAM.to_owned()
}

#[cfg(test)]
mod tests;
