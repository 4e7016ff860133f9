//! Pulls components from OCI registries and pushes them there, as the standard Wasm artifact: one `application/wasm` layer under
//! a config of `application/vnd.wasm.config.v0+json`.
//!
//! Credentials are those of `docker login`. Registries on the loopback are spoken to over plain HTTP.

use std::collections::BTreeMap;

use anyhow::Context as _;
use bytes::Bytes;
use docker_credential::DockerCredential;
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use serde_json::json;
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::store::{IMAGE_BYTES_MAX, digest};
use wicker_lattice::types::{Functions, World};

use super::{is_loopback, too_large, use_ring, whole};

/// What an artifact's config is.
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";

/// What its one layer is.
const LAYER_TYPE: &str = "application/wasm";

/// What layers were called before there was a standard.
const OLD_LAYER_TYPE: &str = "application/vnd.wasm.content.layer.v1+wasm";

/// Docker's own registry is known to `docker login` by this name.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the artifact, by which it can be pulled for ever.
    pub digest: String,
    /// The digest of the component in it.
    pub image: String,
}

/// Pulls a component; its bytes are those that the artifact's digests say.
pub(super) async fn pull(reference: &Reference) -> Result<Bytes, String> {
    let client = client(reference);
    let auth = credentials(reference).await;
    let failed = |error| explain(reference, error);
    let (manifest, _) = client.pull_image_manifest(reference, &auth).await.map_err(failed)?;
    let layer = wasm_layer(&manifest)?;
    let bytes = u64::try_from(layer.size).unwrap_or_default();
    if bytes > IMAGE_BYTES_MAX as u64 {
        return Err(too_large(bytes));
    }
    let mut component = Vec::new();
    client.pull_blob(reference, layer, &mut component).await.map_err(failed)?;
    let found = digest(&component);
    if found != layer.digest {
        return Err(format!("the registry sent {found} in place of {}", layer.digest));
    }
    Ok(component.into())
}

fn wasm_layer(manifest: &OciImageManifest) -> Result<&OciDescriptor, String> {
    let is_wasm =
        |layer: &&OciDescriptor| [LAYER_TYPE, OLD_LAYER_TYPE].contains(&&*layer.media_type);
    let mut layers = manifest.layers.iter().filter(is_wasm);
    match (layers.next(), layers.next()) {
        (Some(layer), None) => Ok(layer),
        (None, _) => Err(format!("it holds no component: none of its layers is {LAYER_TYPE}")),
        (Some(_), Some(_)) => Err("it holds several components".to_owned()),
    }
}

/// Pushes a component. The same bytes give the same digest, whoever pushes them when.
///
/// # Errors
/// The registry refuses it or cannot be reached.
pub async fn push(
    reference: &Reference,
    component: Bytes,
    world: &World,
) -> anyhow::Result<Pushed> {
    let client = client(reference);
    let auth = credentials(reference).await;
    let image = digest(&component);
    let config = json!({
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [image],
        "component": {
            "exports": names(&world.exports),
            "imports": names(&world.imports),
        },
    });
    let config = Config::new(serde_json::to_vec(&config)?, CONFIG_TYPE.to_owned(), None);
    let layer = ImageLayer::new(component, LAYER_TYPE.to_owned(), None);
    let failed =
        |error| anyhow::anyhow!("cannot push to {reference}: {}", explain(reference, error));
    client.push(reference, &[layer], config, &auth, None).await.map_err(failed)?;
    let digest = client.fetch_manifest_digest(reference, &auth).await.map_err(failed)?;
    Ok(Pushed { digest, image })
}

fn names(functions: &BTreeMap<InterfaceName, Functions>) -> Vec<String> {
    functions.keys().map(ToString::to_string).collect()
}

fn client(reference: &Reference) -> Client {
    use_ring();
    let protocol = match is_loopback(reference.resolve_registry()) {
        true => ClientProtocol::Http,
        false => ClientProtocol::Https,
    };
    Client::new(ClientConfig { protocol, platform_resolver: None, ..ClientConfig::default() })
}

/// What `docker login` has stored for the registry; nothing where it has not.
async fn credentials(reference: &Reference) -> RegistryAuth {
    let registry = match reference.registry() {
        "docker.io" => DOCKER_HUB.to_owned(),
        registry => registry.to_owned(),
    };
    // It may run a credential helper.
    let found = tokio::task::spawn_blocking(move || docker_credential::get_credential(&registry))
        .await
        .context("nothing was found");
    match found {
        Ok(Ok(DockerCredential::UsernamePassword(name, password))) => {
            RegistryAuth::Basic(name, password)
        }
        Ok(Ok(DockerCredential::IdentityToken(token))) => RegistryAuth::Bearer(token),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no credentials for {}", reference.registry());
            RegistryAuth::Anonymous
        }
        Err(_) => RegistryAuth::Anonymous,
    }
}

/// What went wrong, and what to do about it.
fn explain(reference: &Reference, error: OciDistributionError) -> String {
    use OciDistributionError as Failed;
    let registry = reference.registry();
    let refused = || format!("{registry} does not let us: log in with `docker login {registry}`");
    let missing = || format!("{registry} has no {}", reference.whole());
    match &error {
        Failed::AuthenticationFailure(_)
        | Failed::UnauthorizedError { .. }
        | Failed::ServerError { code: 401 | 403, .. } => refused(),
        Failed::ImageManifestNotFoundError(_) | Failed::ServerError { code: 404, .. } => missing(),
        Failed::RegistryError { envelope, .. } => {
            match envelope.errors.first().map(|first| &first.code) {
                Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => refused(),
                Some(OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown) => missing(),
                _ => whole(error),
            }
        }
        _ => whole(error),
    }
}
