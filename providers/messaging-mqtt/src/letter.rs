//! Messages as MQTT carries them: headers are user properties, `reply-to` is the response topic.

use messaging::{Failure, Message, subject};
use rumqttc::v5::mqttbytes::v5::{Publish, PublishProperties};

use crate::topic;

/// The user property that says which message it is: the same for each delivery.
pub(crate) const ID: &str = "Wicker-Id";

/// Bytes of one property at most: MQTT writes their lengths in two.
const PROPERTY_BYTES_MAX: usize = u16::MAX as usize;

/// What is sent beside the topic and the body.
///
/// # Errors
/// [`Failure::Invalid`]: a header that is none.
pub(crate) fn properties(message: &Message, id: &str) -> Result<PublishProperties, Failure> {
    let mut user_properties = Vec::with_capacity(message.headers.len() + 1);
    for (name, value) in &message.headers {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        let is_value = value.len() <= PROPERTY_BYTES_MAX && !value.contains(['\r', '\n', '\0']);
        if !is_name || name.contains(':') || name.len() > PROPERTY_BYTES_MAX || !is_value {
            return Err(Failure::Invalid(format!("`{name}` is no header")));
        }
        user_properties.push((name.clone(), value.clone()));
    }
    if !message.headers.iter().any(|(name, _)| name == ID) {
        user_properties.push((ID.to_owned(), id.to_owned()));
    }
    message.reply_to.as_deref().map_or(Ok(()), subject::check)?;
    Ok(PublishProperties {
        response_topic: message.reply_to.as_deref().map(topic::from_subject),
        user_properties,
        ..PublishProperties::default()
    })
}

/// A message that came in, and which one it is, if its sender says so.
pub(crate) fn received(publish: &Publish) -> (Message, Option<String>) {
    let properties = publish.properties.clone().unwrap_or_default();
    let of_id = |(name, value): &(String, String)| (name == ID).then(|| value.clone());
    let id = properties.user_properties.iter().find_map(of_id);
    let headers = properties.user_properties.into_iter().filter(|(name, _)| name != ID).collect();
    let message = Message {
        subject: topic::to_subject(&String::from_utf8_lossy(&publish.topic)),
        body: publish.payload.clone(),
        reply_to: properties.response_topic.as_deref().map(topic::to_subject),
        headers,
    };
    (message, id)
}
