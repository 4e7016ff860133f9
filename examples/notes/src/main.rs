//! Keeps notes and their tags in a database, whichever its link leads to.

mod migrate;
mod store;

use wicker::sql::types::Error as SqlError;
use wstd::http::{Body, Error, Method, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: "../../wit/wicker-sql",
    inline: "
        package example:notes;

        world notes {
            import wicker:sql/database@0.1.0;
        }
    ",
    world: "example:notes/notes",
    generate_all,
});

#[wstd::http_server]
async fn main(mut request: Request<Body>) -> Result<Response<Body>, Error> {
    let body = request.body_mut().str_contents().await?.to_owned();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let tag = uri.query().and_then(|query| query.strip_prefix("tag="));
    let id = uri.path().strip_prefix("/notes/");
    let answer = match (method, uri.path(), id) {
        (Method::GET, "/notes", _) => migrate::with_tables(|| store::list(tag)),
        (Method::POST, "/notes", _) => migrate::with_tables(|| store::add(&body)),
        (Method::DELETE, _, Some(id)) => migrate::with_tables(|| store::remove(id)),
        _ => return reply(StatusCode::NOT_FOUND, "try /notes\n".to_owned()),
    };
    match answer {
        Ok(text) => reply(StatusCode::OK, text),
        Err(error) => reply(status(&error), format!("{error:?}\n")),
    }
}

/// What a browser should do about it.
fn status(error: &SqlError) -> StatusCode {
    match error {
        SqlError::Violation(_) => StatusCode::CONFLICT,
        SqlError::Conversion(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn reply(status: StatusCode, text: String) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).body(text.into())?)
}
