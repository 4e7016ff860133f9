//! What a launched provider is told, as a line and as flags.

use wicker_lattice::store::record::Link;

use super::*;
use crate::{Environment, Interfaces, NoConfig, Provider, ProviderError};

struct Demo<const EXCLUSIVE: bool>;

impl<const EXCLUSIVE: bool> Provider for Demo<EXCLUSIVE> {
    const IMPLEMENTATION: &'static str = "demo";
    const SHARING: Sharing = if EXCLUSIVE { Sharing::Exclusive } else { Sharing::Replicable };
    type Config = NoConfig;
    type LinkConfig = NoConfig;
    type Link = ();

    fn interfaces() -> Interfaces<()> {
        Interfaces::new()
    }

    async fn start(_config: NoConfig, _environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self)
    }

    async fn link(&self, _link: &Link, _config: NoConfig) -> Result<(), ProviderError> {
        Ok(())
    }
}

async fn read_flags<const EXCLUSIVE: bool>(flags: &[&str]) -> Result<Started, LaunchError> {
    read(&Builtin::of::<Demo<EXCLUSIVE>>(), flags.iter().map(OsString::from).collect()).await
}

#[tokio::test]
async fn flags_say_what_the_line_says() {
    let flags = ["--lattice", "shop", "--id", "kv", "--config", "url=redis://h", "--config", "n=3"];
    let started = read_flags::<false>(&flags).await.unwrap();
    assert!(started.closed.is_none());
    let launch = started.launch;
    assert_eq!(launch.id.as_str(), "default/kv/kv");
    assert_eq!(launch.config, serde_json::json!({ "url": "redis://h", "n": 3 }));
    let line = serde_json::to_string(&launch).unwrap();
    let again: Launch = serde_json::from_str(&line).unwrap();
    assert_eq!((again.process, again.config), (launch.process, launch.config));
}

#[tokio::test]
async fn unknown_flag_is_refused() {
    let error = read_flags::<false>(&["--nots"]).await.unwrap_err();
    assert!(error.to_string().contains("--nots"), "{error}");
}

#[tokio::test]
async fn exclusive_provider_is_the_same_process_where_its_data_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new").display().to_string();
    let flags = ["--data", &data];
    let first = read_flags::<true>(&flags).await.unwrap().launch.process;
    assert_eq!(read_flags::<true>(&flags).await.unwrap().launch.process, first);
    assert_ne!(read_flags::<false>(&flags).await.unwrap().launch.process, first);
}
