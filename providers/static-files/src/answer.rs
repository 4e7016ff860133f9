//! What a request is answered with.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use wicker_provider::lattice::call::{ByteStream, CallError};
use wicker_provider::lattice::http::{RequestHead, ResponseHead};

use crate::source::Entry;
use crate::{Site, path};

/// What a folder is answered with, unless the config says otherwise.
const INDEX: &str = "index.html";

type Answer = (ResponseHead, Vec<ByteStream>);

/// Answers one request.
pub(crate) async fn to(site: &Site, request: &RequestHead) -> Result<Answer, CallError> {
    if request.method != Method::GET && request.method != Method::HEAD {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED);
        set(&mut answer.0.headers, header::ALLOW, "GET, HEAD");
        return Ok(answer);
    }
    let (path, query) =
        request.path_with_query.as_ref().map_or(("/", None), |all| (all.path(), all.query()));
    let Some(name) = path::name(path, &site.config.under) else {
        return Ok(plain(StatusCode::NOT_FOUND));
    };
    let index = site.config.index.as_deref().unwrap_or(INDEX);
    let is_folder = name.is_empty() || name.ends_with('/');
    let name = if is_folder { format!("{name}{index}") } else { name };
    if let Some(entry) = site.source.find(&name).await? {
        return file(site, request, (&name, entry)).await;
    }
    // A folder without its slash: what its index refers to would be looked for beside it.
    if !is_folder && site.source.find(&format!("{name}/{index}")).await?.is_some() {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let mut answer = plain(StatusCode::PERMANENT_REDIRECT);
        set(&mut answer.0.headers, header::LOCATION, &format!("{path}/{query}"));
        return Ok(answer);
    }
    Ok(plain(StatusCode::NOT_FOUND))
}

async fn file(
    site: &Site,
    request: &RequestHead,
    (name, entry): (&str, Entry),
) -> Result<Answer, CallError> {
    let mut headers = about(name, &entry, site.config.max_age);
    if is_known(&request.headers, &entry) {
        headers.remove(header::CONTENT_TYPE);
        return Ok((ResponseHead { status: StatusCode::NOT_MODIFIED, headers }, nothing()));
    }
    let size = entry.size;
    let (status, start, length) = match wanted(&request.headers, &entry) {
        Wanted::All => (StatusCode::OK, 0, size),
        Wanted::Part(start, end) => {
            set(&mut headers, header::CONTENT_RANGE, &format!("bytes {start}-{end}/{size}"));
            (StatusCode::PARTIAL_CONTENT, start, end - start + 1)
        }
        Wanted::Nothing => {
            let mut answer = plain(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut answer.0.headers, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(answer);
        }
    };
    headers.insert(header::CONTENT_LENGTH, length.into());
    let streams = if request.method == Method::HEAD || length == 0 {
        nothing()
    } else {
        vec![site.source.read(entry, start, length).await?, ByteStream::from_bytes(Bytes::new())]
    };
    Ok((ResponseHead { status, headers }, streams))
}

/// What is said of a file however much of it is sent.
fn about(name: &str, entry: &Entry, max_age: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let is_text = mime.type_() == "text"
        || matches!(mime.essence_str(), "application/json" | "application/javascript");
    let charset = if is_text { "; charset=utf-8" } else { "" };
    set(&mut headers, header::CONTENT_TYPE, &format!("{mime}{charset}"));
    set(&mut headers, header::ETAG, &entry.etag);
    set(&mut headers, header::LAST_MODIFIED, &httpdate::fmt_http_date(UNIX_EPOCH + entry.modified));
    set(&mut headers, header::ACCEPT_RANGES, "bytes");
    set(&mut headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let cache = if max_age == 0 { "no-cache".to_owned() } else { format!("max-age={max_age}") };
    set(&mut headers, header::CACHE_CONTROL, &cache);
    headers
}

/// Whether the client has this version already.
fn is_known(headers: &HeaderMap, entry: &Entry) -> bool {
    let mut tags = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    if tags.peek().is_some() {
        let own = opaque(&entry.etag);
        return tags
            .flat_map(|list| list.split(','))
            .any(|tag| tag.trim() == "*" || opaque(tag.trim()) == own);
    }
    let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    since.and_then(seconds).is_some_and(|since| entry.modified.as_secs() <= since)
}

/// A tag without what says that it is weak.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// A date of HTTP, which has no parts of a second, in seconds since 1970.
fn seconds(date: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(date).ok()?;
    Some(date.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs())
}

/// How much of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// From the first of these bytes to the second, which is included.
    Part(u64, u64),
    /// What it does not have.
    Nothing,
}

fn wanted(headers: &HeaderMap, entry: &Entry) -> Wanted {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same = text(header::IF_RANGE).is_none_or(|condition| {
        // Parts of two versions must not be put together: a weak tag does not do.
        let is_tag = condition == entry.etag && !condition.starts_with("W/");
        is_tag || seconds(condition) == Some(entry.modified.as_secs())
    });
    match text(header::RANGE) {
        Some(range) if is_same => part(range, entry.size),
        _ => Wanted::All,
    }
}

/// One range; several, and what is none, are answered with everything.
fn part(range: &str, size: u64) -> Wanted {
    let Some(range) = range.trim().strip_prefix("bytes=") else { return Wanted::All };
    let Some((first, last)) = range.split_once('-') else { return Wanted::All };
    let number = |text: &str| text.trim().parse::<u64>();
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            Ok(0) => Wanted::Nothing,
            Ok(_) if size == 0 => Wanted::Nothing,
            Ok(last) => Wanted::Part(size.saturating_sub(last), size - 1),
            Err(_) => Wanted::All,
        },
        (first, last) => {
            let (Ok(first), Ok(last)) =
                (number(first), if last.is_empty() { Ok(u64::MAX) } else { number(last) })
            else {
                return Wanted::All;
            };
            match first {
                _ if last < first => Wanted::All,
                first if first >= size => Wanted::Nothing,
                first => Wanted::Part(first, last.min(size - 1)),
            }
        }
    }
}

/// An answer without a file.
fn plain(status: StatusCode) -> Answer {
    let mut headers = HeaderMap::new();
    let text = if status.is_client_error() { format!("{status}\n") } else { String::new() };
    set(&mut headers, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    headers.insert(header::CONTENT_LENGTH, text.len().into());
    let body = vec![ByteStream::from_bytes(text.into()), ByteStream::from_bytes(Bytes::new())];
    (ResponseHead { status, headers }, body)
}

fn nothing() -> Vec<ByteStream> {
    vec![ByteStream::from_bytes(Bytes::new()), ByteStream::from_bytes(Bytes::new())]
}

/// What no header can hold is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_what_is_none_is_not() {
        for (range, size, expected) in [
            ("bytes=0-0", 10, Wanted::Part(0, 0)),
            ("bytes=2-5", 10, Wanted::Part(2, 5)),
            ("bytes=2-", 10, Wanted::Part(2, 9)),
            ("bytes=2-100", 10, Wanted::Part(2, 9)),
            ("bytes=-3", 10, Wanted::Part(7, 9)),
            ("bytes=-100", 10, Wanted::Part(0, 9)),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=-1", 0, Wanted::Nothing),
            ("bytes=5-2", 10, Wanted::All),
            ("bytes=0-1,3-4", 10, Wanted::All),
            ("lines=0-1", 10, Wanted::All),
            ("bytes=x-y", 10, Wanted::All),
        ] {
            assert_eq!(part(range, size), expected, "{range} of {size}");
        }
    }
}
