//! Three teams, each with its own manifest, on three hosts: what each does alone, and what that does to the others.

use std::path::PathBuf;

use integration_tests::{TestHost, TestLattice, compile, eventually};

use crate::load::Load;

/// The manifest of one team, with its component from `image`, changed as `change` says.
fn manifest(
    lattice: &TestLattice,
    team: &str,
    image: &std::path::Path,
    change: (&str, &str),
) -> String {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/shop/{team}.yaml"));
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(change.0), "{team}.yaml says `{}`", change.0);
    let text = text.replace(&format!("{team}.wasm"), &image.display().to_string());
    lattice.manifest(team, &text.replace(change.0, change.1))
}

/// The component of a team, each in a language of its own: Python, JavaScript, Rust.
fn component(team: &str) -> PathBuf {
    match team {
        "inventory" => artifacts::shop_inventory(),
        "payments" => artifacts::shop_payments(),
        _ => artifacts::example("shop-storefront"),
    }
}

async fn deploy(lattice: &TestLattice, team: &str, change: (&str, &str)) {
    let image = component(team);
    lattice.wicker(&["deploy", &manifest(lattice, team, &image, change)]).await;
}

async fn buys(lattice: &TestLattice, host: &TestHost) -> Option<()> {
    let answer = lattice.web.get(host.http, "/buy/teapot?ada").await.ok()?;
    (answer.status == 200).then_some(())
}

async fn generation(lattice: &TestLattice, application: &str) -> u64 {
    let history = lattice.wicker(&["history", application]).await;
    let deployments = history["deployments"].as_array().unwrap();
    deployments.iter().filter_map(|each| each["generation"].as_u64()).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_teams_deploy_alone_and_compose_over_what_they_grant() {
    for team in ["inventory", "payments"] {
        let built = tokio::task::spawn_blocking(move || component(team)).await.unwrap();
        compile(&built).await;
    }
    let lattice = TestLattice::start().await;
    let hosts = [lattice.host(&[]).await, lattice.host(&[]).await, lattice.host(&[]).await];
    for team in ["inventory", "payments", "storefront"] {
        deploy(&lattice, team, ("", "")).await;
    }
    for host in &hosts {
        let answer = lattice.web.get(host.http, "/buy/teapot?ada").await.unwrap();
        assert_eq!(answer.text(), "one teapot for ada-1250");
        assert_eq!(lattice.web.get(host.http, "/buy/cup?eve").await.unwrap().status, 403);
    }

    // One team changes its version while others call it: nobody notices, nothing else is deployed.
    let load = Load::start(&lattice.web, &[hosts[0].http, hosts[1].http], "/buy/teapot?ada", 4);
    load.flows(50).await;
    let before = generation(&lattice, "shop").await;
    deploy(&lattice, "payments", ("replicas: 2", "replicas: 2\n    warm: 1")).await;
    load.flows(50).await;
    let outcome = load.finish().await;
    assert_eq!(outcome.failures, Vec::<String>::new());
    assert_eq!(generation(&lattice, "shop").await, before);

    // An export of other types is refused: the storefront would break, and is named.
    let changed = artifacts::guest("shop-inventory-changed");
    let file = manifest(&lattice, "inventory", &changed, ("", ""));
    let refused = lattice.try_wicker(&["deploy", &file]).await.unwrap_err();
    for part in ["storefront/shop/web", "shop:inventory/stock@1.0.0", "`find` as func("] {
        assert!(refused.contains(part), "{refused}");
    }
    buys(&lattice, &hosts[0]).await.unwrap();

    // A grant that is taken back closes the link; granted again, it is open.
    let terms = "storefront: { calls-per-second: 1000, concurrency: 64 }";
    deploy(&lattice, "payments", (terms, "{}")).await;
    eventually("nothing is sold", || async {
        buys(&lattice, &hosts[0]).await.is_none().then_some(())
    })
    .await;
    deploy(&lattice, "payments", ("", "")).await;
    eventually("it is sold again", || buys(&lattice, &hosts[0])).await;

    // A host dies: what it ran is elsewhere, and the shop stays open.
    hosts[2].kill();
    for host in &hosts[..2] {
        eventually("everything is served without it", || async {
            for _ in 0..20 {
                buys(&lattice, host).await?;
            }
            Some(())
        })
        .await;
    }
}
