//! An HTTP client for tests: pooled, so that thousands of requests do not run out of ports.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// An HTTP/1.1 client. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Web(Client<HttpConnector, Full<Bytes>>);

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text, trimmed.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }
}

impl Default for Web {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

impl Web {
    /// `GET http://<address><path>`.
    ///
    /// # Errors
    /// The connection was refused, reset or closed before the whole answer was there.
    pub async fn get(&self, address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
        self.send(address, Request::get(format!("http://{address}{path}")).body(Full::default())?)
            .await
    }

    /// `POST http://<address><path>` with a body.
    ///
    /// # Errors
    /// As [`Web::get`].
    pub async fn post(
        &self,
        address: SocketAddr,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        self.send(address, Request::post(format!("http://{address}{path}")).body(Full::new(body))?)
            .await
    }

    /// Any request, and its whole answer.
    ///
    /// # Errors
    /// As [`Web::get`].
    pub async fn request(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        let (head, body) = self.0.request(request).await.context("no answer")?.into_parts();
        let body = body.collect().await.context("the answer broke off")?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    /// The bytes of the body of `GET http://<address><path>`, counted as they come and thrown away.
    ///
    /// # Errors
    /// As [`Web::get`].
    pub async fn download(&self, address: SocketAddr, path: &str) -> anyhow::Result<u64> {
        self.count(address, path, u64::MAX).await
    }

    /// The same, but leaves when so many bytes have come.
    ///
    /// # Errors
    /// As [`Web::get`].
    pub async fn leave_after(
        &self,
        address: SocketAddr,
        path: &str,
        bytes: u64,
    ) -> anyhow::Result<u64> {
        self.count(address, path, bytes).await
    }

    async fn count(&self, address: SocketAddr, path: &str, enough: u64) -> anyhow::Result<u64> {
        let request = Request::get(format!("http://{address}{path}")).body(Full::default())?;
        let response =
            self.0.request(request).await.with_context(|| format!("no answer from {address}"))?;
        let (mut body, mut bytes) = (response.into_body(), 0);
        while bytes < enough
            && let Some(frame) = body.frame().await
        {
            let frame = frame.context("the answer broke off")?;
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(bytes)
    }

    async fn send(
        &self,
        address: SocketAddr,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<Answer> {
        let response =
            self.0.request(request).await.with_context(|| format!("no answer from {address}"))?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the answer broke off")?.to_bytes();
        Ok(Answer { status, body })
    }
}
