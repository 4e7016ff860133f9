//! Fetches a page every night and keeps it: a schedule, outgoing HTTP and blobs. What it kept it shows over HTTP.
//!
//! No page is ever in its memory: the body of a response is the stream that is put into the store, and the other way round.

wit_bindgen::generate!({
    path: ["../../wit/wasi-0.3", "../../wit/wicker-schedule", "../../wit/wicker-blobstore"],
    inline: "
        package example:nightly;

        world nightly {
            import wasi:http/client@0.3.0;
            import wicker:blobstore/blobs@0.1.0;
            export wasi:http/handler@0.3.0;
            export wicker:schedule/handler@0.1.0;
        }
    ",
    world: "example:nightly/nightly",
    generate_all,
});

use exports::wasi::http::handler::Guest as Web;
use exports::wicker::schedule::handler::{Guest as Schedule, Tick};
use wasi::http::client;
use wasi::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wicker::blobstore::blobs;

/// Where pages are kept.
const PAGES: &str = "pages";

struct Nightly;

impl Schedule for Nightly {
    /// Keeps the page under the time of the tick, so that a tick that is delivered twice leaves one page.
    async fn handle(tick: Tick) -> Result<(), String> {
        blobs::create_container(PAGES).map_err(|error| error.to_string())?;
        if blobs::info(PAGES, &tick.at).is_ok() {
            return Ok(());
        }
        let url = std::env::var("PAGE").map_err(|_| "the manifest does not say which PAGE")?;
        let response = client::send(get(&url)?).await.map_err(|error| error.to_string())?;
        let status = response.get_status_code();
        if status != 200 {
            return Err(format!("{url} answers {status}"));
        }
        let (_end, ended) = wit_future::new(|| Ok(()));
        let (body, _trailers) = Response::consume_body(response, ended);
        let size = blobs::put(PAGES.to_owned(), tick.at.clone(), body)
            .await
            .map_err(|error| error.to_string())?;
        println!("kept {size} bytes of {url} as {}", tick.at);
        Ok(())
    }
}

impl Web for Nightly {
    /// `/nightly`: what is kept, a line each. `/nightly/NAME`: one of them.
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let name = path.trim_start_matches("/nightly").trim_start_matches('/');
        if name.is_empty() {
            let page = blobs::list(PAGES, "", None).map_err(failed)?;
            let lines: String =
                page.objects.iter().map(|each| format!("{}\n", each.name)).collect();
            return Ok(respond(200, text(lines)));
        }
        match blobs::get(PAGES.to_owned(), name.to_owned(), 0, None).await {
            Ok(found) => Ok(respond(200, found.data)),
            Err(blobs::Error::NoSuchObject | blobs::Error::NoSuchContainer) => {
                Ok(respond(404, text("no such page\n".to_owned())))
            }
            Err(error) => Err(failed(error)),
        }
    }
}

fn get(url: &str) -> Result<Request, String> {
    let wrong = || format!("`{url}` is no page");
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (_trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, no_trailers, None);
    request.set_scheme(Some(&scheme)).map_err(|()| wrong())?;
    request.set_authority(Some(authority)).map_err(|()| wrong())?;
    request.set_path_with_query(Some(&format!("/{path}"))).map_err(|()| wrong())?;
    Ok(request)
}

fn respond(status: u16, body: wit_bindgen::StreamReader<u8>) -> Response {
    let (_trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(body), no_trailers);
    // Every status that is used here is one.
    _ = response.set_status_code(status);
    response
}

fn text(text: String) -> wit_bindgen::StreamReader<u8> {
    let (mut writer, reader) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        writer.write_all(text.into_bytes()).await;
    });
    reader
}

fn failed(error: blobs::Error) -> ErrorCode {
    ErrorCode::InternalError(Some(error.to_string()))
}

export!(Nightly);
