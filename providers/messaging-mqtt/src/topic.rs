//! Subjects as MQTT topics: `.` is `/`, `*` is `+`, `>` is `#`. What a level of a topic holds that a token cannot is escaped as
//! `%` and two hexadecimal digits, and an empty level is `%`, so that every topic of every device has a subject.

/// The topic, or filter, of a subject or pattern.
pub(crate) fn from_subject(subject: &str) -> String {
    let levels = subject.split('.').map(|token| match token {
        "*" => "+".to_owned(),
        ">" => "#".to_owned(),
        token => unescape(token),
    });
    levels.collect::<Vec<_>>().join("/")
}

/// The subject of a topic.
pub(crate) fn to_subject(topic: &str) -> String {
    topic.split('/').map(escape).collect::<Vec<_>>().join(".")
}

fn escape(level: &str) -> String {
    if level.is_empty() {
        return "%".to_owned();
    }
    let is_wildcard = level == "*" || level == ">";
    let mut token = String::with_capacity(level.len());
    for character in level.chars() {
        let is_special = matches!(character, '.' | '%') || is_wildcard;
        if is_special || character.is_whitespace() || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                token.push_str(&format!("%{byte:02X}"));
            }
        } else {
            token.push(character);
        }
    }
    token
}

/// What [`escape`] escaped; anything else stays as it is.
fn unescape(token: &str) -> String {
    if token == "%" {
        return String::new();
    }
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = digits
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        rest = match byte {
            Some(byte) => {
                bytes.push(byte);
                after.get(2..).unwrap_or_default()
            }
            None => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_subject_that_leads_back() {
        for (topic, subject) in [
            ("sensors/hall/temperature", "sensors.hall.temperature"),
            ("/a//b/", "%.a.%.b.%"),
            ("v1.5/x y/100%", "v1%2E5.x%20y.100%25"),
            ("*/>/ü", "%2A.%3E.ü"),
        ] {
            assert_eq!(to_subject(topic), subject);
            assert_eq!(from_subject(subject), topic);
            assert!(messaging::subject::check(subject).is_ok(), "{subject}");
        }
    }

    #[test]
    fn wildcards_are_those_of_mqtt() {
        assert_eq!(from_subject("sensors.*.>"), "sensors/+/#");
    }
}
