//! What a link lets through.

use std::sync::atomic::Ordering;

use wicker_provider::lattice::call::{Class, Status};

use crate::support::{Client, site, text};

#[tokio::test]
async fn nothing_is_allowed_by_default_and_the_error_says_what_would() {
    let client = Client::new("").await;
    let error = client.get("https://api.example.com/x").await.unwrap_err();
    assert_eq!(error.status, Status::Denied);
    assert_eq!(error.class(), Class::NotExecuted);
    assert_eq!(
        error.message,
        "default/shop/cart may not ask api.example.com: is not allowed; to allow it: wicker link set \
         default/shop/cart wasi:http@0.2 default/http-client/http-client \
         --config allow=api.example.com"
    );
}

#[tokio::test]
async fn suggestion_keeps_what_is_allowed_already() {
    let client = Client::new("a.example,b.example:81").await;
    let error = client.get("http://c.example:8080/").await.unwrap_err();
    assert!(error.message.ends_with("--config allow=a.example,b.example:81,c.example:8080"));
}

#[tokio::test]
async fn following_the_suggestion_works() {
    let site = site().await;
    let url = format!("http://127.0.0.1:{}/", site.port());
    let error = Client::new("").await.get(&url).await.unwrap_err();
    let (_, allow) = error.message.split_once("allow=").unwrap();
    assert_eq!(text(Client::new(allow).await.get(&url).await).await, "hello");
}

#[tokio::test]
async fn address_that_is_granted_is_granted_exactly() {
    let (granted, other) = (site().await, site().await);
    let client = Client::new(&format!("127.0.0.1:{}", granted.port())).await;
    let url = format!("http://127.0.0.1:{}/", granted.port());
    assert_eq!(text(client.get(&url).await).await, "hello");
    for denied in [
        format!("http://127.0.0.1:{}/", other.port()),
        format!("http://127.0.0.2:{}/", granted.port()),
        format!("http://localhost:{}/", granted.port()),
        format!("http://[::1]:{}/", granted.port()),
    ] {
        let error = client.get(&denied).await.unwrap_err();
        assert_eq!(error.status, Status::Denied, "{denied}");
    }
    assert_eq!(other.site.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn names_never_lead_inside() {
    let site = site().await;
    let port = site.port();
    let client = Client::new("*:*").await;
    // Resolvers read each of these as 127.0.0.1, or as an address that leads there.
    for host in ["2130706433", "0x7f000001", "127.1", "0"] {
        let outcome = client.get(&format!("http://{host}:{port}/")).await;
        // A resolver that reads it as nothing is as good.
        assert!(!matches!(outcome, Ok(Ok(_))), "{host}");
    }
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"] {
        let error = client.get(&format!("http://{host}:{port}/")).await.unwrap_err();
        assert_eq!(error.status, Status::Denied, "{host}");
    }
    assert_eq!(site.site.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn name_that_leads_inside_names_the_address_to_grant() {
    let client = Client::new("*:*").await;
    // `localhost` as any name would: only the entry `localhost` itself grants loopback.
    let error = client.get("http://127.1:9/").await;
    if let Err(error) = error {
        assert!(error.message.contains("leads to 127.0.0.1"), "{}", error.message);
        assert!(error.message.ends_with("--config 'allow=*:*,127.0.0.1:9'"), "{}", error.message);
    }
}

#[tokio::test]
async fn localhost_leads_to_this_machine_when_it_is_granted() {
    let site = site().await;
    let client = Client::new(&format!("localhost:{}", site.port())).await;
    let url = format!("http://localhost:{}/", site.port());
    assert_eq!(text(client.get(&url).await).await, "hello");
}

#[tokio::test]
async fn redirect_is_handed_back_not_followed() {
    let site = site().await;
    let client = Client::new(&format!("127.0.0.1:{}", site.port())).await;
    let url = format!("http://127.0.0.1:{}/redirect", site.port());
    let response = client.get(&url).await.unwrap().unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://169.254.169.254/secrets");
    assert_eq!(site.site.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn entry_that_makes_no_sense_is_named_when_the_link_is_made() {
    let failure = Client::refused("a.example,http://b.example").await;
    let expect = "`allow` holds `http://b.example`, which is not HOST or HOST:PORT";
    assert!(failure.cause.contains(expect), "{failure}");
}
