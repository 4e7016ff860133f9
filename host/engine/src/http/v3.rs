//! `wasi:http/handler@0.3`: an async function from request to response, whose bodies are streams of the component
//! model. The store's event loop moves them, so it runs until the body has been read and every task of the guest ended.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::bindings::{Service, ServiceIndices};
use wasmtime_wasi_http::{Error, FieldMap, WasiBody, WasiHttpView as _, p3};

use super::exchange::{Head, Run};
use super::job::{self, Job};
use crate::instance::{Guest, Live};

/// Runs a guest from its instantiation to its end.
pub(super) fn run(job: Job, indices: ServiceIndices) -> Run {
    Box::pin(async move {
        let Job { program, start, warm, request, is_encrypted, head, permit } = job;
        let scheme = if is_encrypted { Scheme::HTTPS } else { Scheme::HTTP };
        let mut live = start.live(&program).await?;
        let result = handle(&mut live, &indices, (scheme, request), head).await;
        let end = job::end(live, &warm, result);
        drop(permit);
        end
    })
}

async fn handle(
    Live { store, instance }: &mut Live,
    indices: &ServiceIndices,
    (scheme, request): (Scheme, Request<WasiBody>),
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let service = indices.load(&mut *store, instance)?;
    let headers = |guest: &mut Guest, headers| FieldMap::new_immutable(guest.http().hooks, headers);
    let (parts, body) = request.into_parts();
    let authority = authority(&parts);
    let (request, transmission) = p3::Request::new(
        parts.method,
        Some(scheme),
        authority,
        parts.uri.path_and_query().cloned(),
        headers(store.data_mut(), parts.headers),
        None,
        body,
    );
    store
        .run_concurrent(async |accessor| {
            let ended = answer(&service, accessor, request, transmission, head).await?;
            // The sender is dropped with the body: an error, and what is waited for.
            _ = ended.await;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            wasmtime::error::Ok(())
        })
        .await?
}

/// Has the guest answer; what is returned resolves once the body has been read or thrown away.
async fn answer(
    service: &Service,
    accessor: &Accessor<Guest>,
    request: p3::Request,
    transmission: impl Future<Output = Result<(), Error>> + Send + 'static,
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<oneshot::Receiver<()>> {
    let (ending, ended) = oneshot::channel();
    let answer = match service.handle(accessor, request).await? {
        Ok(response) => {
            let response = accessor.with(|access| response.into_http(access, transmission))?;
            Ok(response.map(|body| Ending { body, _ending: ending }.boxed_unsync()))
        }
        Err(code) => Err(code.into()),
    };
    // Nobody listens any more only where this guest is about to be dropped.
    let _: Result<(), Head> = head.send(answer);
    Ok(ended)
}

fn authority(parts: &http::request::Parts) -> Option<Authority> {
    let stated = parts.uri.authority().cloned();
    stated.or_else(|| Authority::try_from(parts.headers.get(HOST)?.as_bytes()).ok())
}

/// A body whose end is waited for.
struct Ending {
    body: WasiBody,
    _ending: oneshot::Sender<()>,
}

impl Body for Ending {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
