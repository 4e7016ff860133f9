//! Requests that a guest sends, through `wasi:http/outgoing-handler@0.2` or `wasi:http/client@0.3`: each becomes a call
//! of `wicker:http/handler` over the component's link. What no link carries is denied.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderName, Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};
use wicker_lattice::call::{Call, CallError, Status};
use wicker_lattice::http::{HANDLE, decode_response, encode_request, interface, type_hash};
use wicker_lattice::id::CallId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::Binding;

use super::error_code::from_wire;
use super::streams;
use crate::instance::CallScope;
use crate::log::{Level, Origin};
use crate::wasi::{Denial, Template};

/// Bytes that a guest may hand over in one write to a body.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// Writes that may wait for the reader of a body.
const CHUNKS_MAX: usize = 4;

/// What the import of either version leads by: a link of one serves both.
static IMPORTS: LazyLock<Vec<InterfaceKey>> = LazyLock::new(|| {
    let names = ["wasi:http/outgoing-handler@0.2", "wasi:http/client@0.3"];
    names.iter().filter_map(|name| name.parse().ok()).collect()
});

/// A call under way: its response, and what goes on after it.
type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for CallScope {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        static FILTER: LazyLock<ForbiddenHeaderFilter> =
            LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));
        Arc::clone(&FILTER)
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        CHUNKS_MAX
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let template = Arc::clone(&self.template);
        let binding = match self.http_link() {
            Ok(binding) => binding.clone(),
            Err(error) => {
                template.deny(Denial::Http(&error.message));
                return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
            }
        };
        let call = self.http_call(request, options, &binding);
        Box::new(async move {
            let response =
                send(&binding, call).await.map_err(|error| refused(&template, error))??;
            let done: Box<dyn Future<Output = _> + Send> = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

impl CallScope {
    fn http_link(&self) -> Result<&Binding, CallError> {
        let source = &self.template.actor().id;
        let mut tried = IMPORTS.iter().map(|import| self.links.resolve(source, import));
        let first = tried.next().unwrap_or_else(|| self.links.resolve(source, &interface()));
        first.or_else(|error| tried.find_map(Result::ok).ok_or(error))
    }

    fn http_call(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        binding: &Binding,
    ) -> Call {
        let (parts, body) = request.into_parts();
        let ends = self.deadline.get();
        Call {
            id: CallId::generate(),
            target: binding.target.clone(),
            source: self.template.actor().id.clone(),
            link: binding.link.clone(),
            interface: interface(),
            function: HANDLE.into(),
            type_hash: type_hash(),
            deadline: timeout(options).map_or(ends, |own| ends.min(Instant::now() + own)),
            trace: self.trace,
            fence: self.template.actor().fence,
            params: encode_request(&parts.into()),
            streams: streams::split(body),
        }
    }
}

/// How long a guest wants to wait for the head of the response, if it says so.
fn timeout(options: Option<RequestOptions>) -> Option<Duration> {
    let options = options?;
    Some(options.first_byte_timeout? + options.connect_timeout.unwrap_or_default())
}

/// Makes the call. The outer error is the link's, the inner one the target's.
async fn send(
    binding: &Binding,
    call: Call,
) -> Result<Result<Response<WasiBody>, Error>, CallError> {
    let reply = binding.invoke.invoke(call).await?;
    let head = decode_response(&reply.results).map_err(|error| {
        CallError::new(Status::BadFrame, format!("cannot read an HTTP response: {error}"))
    })?;
    match head {
        Err(code) => Ok(Err(from_wire(code))),
        Ok(head) => {
            let body = streams::join(reply.streams)?.map_err(|error| {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "response body ended early"
                );
                Error::ConnectionTerminated
            });
            Ok(Ok(Response::from_parts(head.into(), body.boxed_unsync())))
        }
    }
}

/// What a guest is told of a link that failed it; its log is told more. Each refusal may be of another host, so each
/// is logged.
fn refused(template: &Template, error: CallError) -> Error {
    let text = match error.status {
        Status::Denied => format!("denied: an outgoing HTTP request. {}", error.message),
        _ => format!("an outgoing HTTP request failed: {error}"),
    };
    template.guest_line(Origin::Engine, Level::Warn, &text);
    from_wire(error.into())
}
