//! `wasi:http/incoming-handler@0.2`: the guest is called with a request and a place for its response.

use http::header::HOST;
use http::{HeaderValue, Request};
use tokio::sync::oneshot;
use wasmtime_wasi_http::p2::bindings::ProxyIndices;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _};

use super::exchange::{Head, Run};
use super::job::{self, Job};
use crate::instance::Live;

/// Runs a guest from its instantiation to its end.
pub(super) fn run(job: Job, indices: ProxyIndices) -> Run {
    Box::pin(async move {
        let Job { program, start, warm, request, is_encrypted, head, permit } = job;
        let scheme = if is_encrypted { Scheme::Https } else { Scheme::Http };
        let request = (scheme, with_authority(request));
        let mut live = start.live(&program).await?;
        let result = handle(&mut live, &indices, request, head).await;
        let end = job::end(live, &warm, result);
        drop(permit);
        end
    })
}

async fn handle(
    Live { store, instance }: &mut Live,
    indices: &ProxyIndices,
    (scheme, request): (Scheme, Request<WasiBody>),
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let proxy = indices.load(&mut *store, instance)?;
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let answer = move |answer: Result<_, ErrorCode>| {
        // Nobody listens any more only where this guest is about to be dropped.
        _ = head.send(answer.map_err(Into::into));
    };
    let out = store.data_mut().http().new_response_outparam_from_callback(answer)?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await
}

/// Guests of 0.2 are always told an authority. HTTP/1.0 clients may send none.
fn with_authority(mut request: Request<WasiBody>) -> Request<WasiBody> {
    if request.uri().authority().is_none() && !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    }
    request
}
