//! `wicker events`, listening while a test goes on.

use std::path::PathBuf;

use serde_json::Value;
use tokio::process::Child;

use crate::{TestLattice, eventually};

/// Everything that has happened since this was made; it ends with this value.
#[derive(Debug)]
pub struct TestEvents {
    _child: Child,
    file: PathBuf,
}

impl TestLattice {
    /// Starts `wicker events` and returns once it listens.
    pub async fn events(&self) -> TestEvents {
        let (child, file) = self.spawn("events", &["events"]);
        eventually("wicker events listens", || async {
            let said = std::fs::read_to_string(file.with_extension("err")).unwrap_or_default();
            said.contains("listening").then_some(())
        })
        .await;
        TestEvents { _child: child, file }
    }
}

impl TestEvents {
    /// The messages of the events of one kind, in order.
    #[must_use]
    pub fn of(&self, kind: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let field = |event: &Value, name: &str| Some(event.get(name)?.as_str()?.to_owned());
        let of_kind = events.filter(|event| field(event, "kind").as_deref() == Some(kind));
        of_kind.filter_map(|event| field(&event, "message")).collect()
    }
}
