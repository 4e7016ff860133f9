//! Hands each request on to the handler that it imports, unless it says `/self`.

wit_bindgen::generate!({ world: "middleware", path: "../../../wit/wasi-0.3", generate_all });

use exports::wasi::http::handler::Guest;
use wasi::http::handler as next;
use wasi::http::types::{ErrorCode, Request, Response};

struct Middleware;

impl Guest for Middleware {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        if request.get_path_with_query().as_deref() == Some("/self") {
            return Err(ErrorCode::LoopDetected);
        }
        next::handle(request).await
    }
}

export!(Middleware);
