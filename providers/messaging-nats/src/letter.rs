//! Messages as NATS has them, and as components see them.

use std::str::FromStr as _;

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use messaging::{Failure, Message};

/// The headers of a message; none where there are none.
///
/// # Errors
/// [`Failure::Invalid`]: NATS cannot carry one of them.
pub(crate) fn headers(message: &Message) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        let invalid = || Failure::Invalid(format!("NATS cannot carry the header `{name}`"));
        let header = HeaderName::from_str(name).map_err(|_| invalid())?;
        headers.append(header, HeaderValue::from_str(value).map_err(|_| invalid())?);
    }
    Ok(headers)
}

/// What came in.
pub(crate) fn received(message: async_nats::Message) -> Message {
    let headers = message.headers.iter().flat_map(HeaderMap::iter);
    let headers = headers.flat_map(|(name, values)| {
        values.iter().map(move |value| (name.to_string(), value.to_string()))
    });
    Message {
        subject: message.subject.to_string(),
        headers: headers.collect(),
        body: message.payload,
        reply_to: message.reply.map(|subject| subject.to_string()),
    }
}
