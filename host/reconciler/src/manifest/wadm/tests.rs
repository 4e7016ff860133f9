//! What wadm manifests come down to, and what is said of the rest.

use wicker_lattice::store::record::ProviderSource;

use crate::diagnostic::{Problems, Source};
use crate::manifest::{Manifest, parse};

const SHOP: &str = "
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: shop
  annotations:
    version: v0.1.0
    description: what people buy
spec:
  components:
    - name: cart
      type: component
      properties:
        image: file://./build/cart.wasm
        config:
          - name: cart-defaults
            properties: { currency: EUR }
      traits:
        - type: spreadscaler
          properties:
            instances: 20
            spread:
              - name: near
                requirements: { zone: a }
        - type: link
          properties:
            target:
              name: store
              config:
                - name: store-url
                  properties: { url: redis://127.0.0.1:6379 }
            namespace: wasi
            package: keyvalue
            interfaces: [store, atomics]
        - type: link
          properties:
            target: client
            namespace: wasi
            package: http
            interfaces: [outgoing-handler]
        - type: link
          properties:
            target: rates
            namespace: acme
            package: rates
            interfaces: [api]
    - name: mirror
      type: component
      properties:
        image: ghcr.io/acme/mirror:1.2
      traits:
        - type: daemonscaler
          properties: { instances: 5 }
    - name: rates
      type: component
      properties:
        application: { name: exchange, component: rates }
    - name: store
      type: capability
      properties:
        image: ghcr.io/wasmcloud/keyvalue-redis:0.28.1
    - name: client
      type: capability
      properties:
        image: ghcr.io/wasmcloud/http-client:0.12.1
    - name: messages
      type: capability
      properties:
        image: ghcr.io/wasmcloud/messaging-nats:0.23.1
      traits:
        - type: link
          properties:
            target: cart
            namespace: wasmcloud
            package: messaging
            interfaces: [handler]
            source_config:
              - name: orders
                properties: { subscriptions: shop.orders }
    - name: web
      type: capability
      properties:
        image: ghcr.io/wasmcloud/http-server:0.26.0
      traits:
        - type: link
          properties:
            target: cart
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source:
              config:
                - name: address
                  properties: { address: \"0.0.0.0:8000\", path: /cart }
";

fn read(text: &str) -> Result<Manifest, Problems> {
    parse(&Source::new("wadm.yaml", text))
}

fn said(problems: &Problems) -> Vec<String> {
    let each = |each: &crate::diagnostic::Diagnostic| {
        format!("{}:{} {}", each.line, each.column, each.message)
    };
    problems.iter().map(each).collect()
}

#[test]
fn wadm_manifest_becomes_an_application_of_ours() {
    let manifest = read(SHOP).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(manifest.claimant(), "default/shop");
    assert_eq!(manifest.version.as_deref(), Some("v0.1.0"));
    let [cart, mirror] = &manifest.components[..] else { panic!("{:?}", manifest.components) };
    assert_eq!((cart.image.value.as_str(), cart.image.span.line), ("./build/cart.wasm", 14));
    assert_eq!(cart.limits.concurrency, Some(20));
    assert_eq!(cart.config["currency"], "EUR");
    assert_eq!(cart.placement.spread.labels["zone"], "a");
    assert_eq!(mirror.image.value, "oci://ghcr.io/acme/mirror:1.2");
    assert_eq!(mirror.placement.spread.replicas, None, "on every host");
    let builtins: Vec<_> =
        manifest.providers.iter().map(|each| each.source.value.clone()).collect();
    let expected = ["keyvalue-redis", "http-client", "messaging-nats"];
    assert_eq!(builtins, expected.map(|name| ProviderSource::Builtin(name.to_owned())));
    let links: Vec<String> = manifest
        .links
        .iter()
        .map(|link| {
            let (source, target) = (&link.source.value, &link.targets[0].name.value);
            format!("{source} {:?} {target} {:?}", link.interface.value.to_string(), link.config)
        })
        .collect();
    assert_eq!(
        links,
        [
            "cart \"wasi:keyvalue/store\" store {\"url\": \"redis://127.0.0.1:6379\"}",
            "cart \"wasi:keyvalue/atomics\" store {\"url\": \"redis://127.0.0.1:6379\"}",
            "cart \"wasi:http/outgoing-handler\" client {\"allow\": \"*\"}",
            "cart \"acme:rates/api\" exchange/rates {}",
            "messages \"wasmcloud:messaging/handler\" cart {\"subjects\": \"shop.orders\"}",
        ]
    );
    assert_eq!(manifest.routes[0].path, "/cart");
    assert_eq!(manifest.routes[0].targets[0].name.value, "cart");
    assert_eq!(said(&manifest.warnings), ["94:33 `address` of an http-server does nothing here"]);
}

#[test]
fn several_spreads_of_one_label_are_replicas_over_its_values() {
    let text = SHOP.replace(
        "              - name: near\n                requirements: { zone: a }\n",
        "              - { name: a, requirements: { zone: a } }\n              - { name: b, requirements: { zone: b } }\n",
    );
    let spread = read(&text).unwrap().components[0].placement.spread.clone();
    assert_eq!((spread.replicas, spread.over.as_deref()), (Some(2), Some("zone")));
}

#[test]
fn what_has_no_counterpart_is_named_where_it_stands() {
    for (from, to, expected) in [
        ("keyvalue-redis:0.28.1", "blobstore-s3:0.1", "61:16 no provider here is a `blobstore-s3`"),
        (
            "{ instances: 5 }",
            "{ instances: 5, burst: 2 }",
            "53:39 `burst` of a scaler has no counterpart here",
        ),
        ("type: daemonscaler", "type: autoscaler", "52:11 this trait has no counterpart here"),
        ("target: client", "target: clinet", "37:21 nothing here is called `clinet`"),
        (
            "properties: { currency: EUR }",
            "other: 1",
            "16:13 a config that is kept elsewhere has no counterpart",
        ),
        (
            "spec:\n",
            "spec:\n  policies:\n    - { name: vault }\n",
            "11:7 the policy `vault` has no counterpart here",
        ),
        (
            "        image: ghcr.io/acme/mirror:1.2\n",
            "        image: x\n        secrets: [{ name: token, properties: { policy: vault, key: api, field: x } }]\n",
            "51:80 a field of a secret has no counterpart here",
        ),
        (
            "requirements: { zone: a }\n",
            "requirements: { zone: a }\n              - { name: b, weight: 80, requirements: { disk: ssd } }\n",
            "23:15 this spread has no counterpart here",
        ),
    ] {
        let text = SHOP.replacen(from, to, 1);
        assert_ne!(text, SHOP, "{from}");
        let problems = read(&text).expect_err(expected);
        assert!(
            said(&problems).iter().any(|each| each.starts_with(expected)),
            "{expected}: {:?}",
            said(&problems)
        );
    }
}

#[test]
fn secrets_of_a_backend_are_the_lattices_by_their_keys() {
    let policy = "spec:\n  policies:\n    - { name: vault, type: policy.secret.wasmcloud.dev/v1alpha1, properties: { backend: nats-kv } }\n";
    let text = SHOP
        .replacen("spec:\n", policy, 1)
        .replacen(
            "        image: ghcr.io/acme/mirror:1.2\n",
            "        image: x\n        secrets: [{ name: token, properties: { policy: vault, key: api-token } }]\n",
            1,
        )
        .replacen(
            "              config:\n                - name: store-url\n                  properties: { url: redis://127.0.0.1:6379 }\n",
            "              secrets: [{ name: url, properties: { policy: vault, key: store-url } }]\n",
            1,
        );
    let manifest = read(&text).unwrap();
    assert_eq!(manifest.components[1].secrets["token"].value, "api-token");
    assert_eq!(manifest.links[0].secrets["url"].value, "store-url");
    let expected = "the policy `vault` of `policy.secret.wasmcloud.dev/v1alpha1` does nothing here";
    assert!(said(&manifest.warnings)[0].contains(expected), "{:?}", said(&manifest.warnings));
}
