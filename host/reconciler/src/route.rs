//! Routes as people write them: `/`, `/api`, `shop.example.com`, `*.example.com/api`.

/// Reads a route: the host (`None`: every host) and the path prefix, both in their one normal form.
///
/// # Errors
/// What was expected, for a diagnostic's help.
pub fn parse(text: &str) -> Result<(Option<String>, String), &'static str> {
    if text.contains("://") {
        return Err("leave the scheme away: HOST/PATH, /PATH or HOST");
    }
    let (host, path) = match text.find('/') {
        Some(at) => text.split_at(at),
        None => (text, "/"),
    };
    Ok((parse_host(host)?, parse_path(path)?))
}

/// Writes a route as [`parse`] reads it.
#[must_use]
pub fn print(host: Option<&str>, path: &str) -> String {
    match (host, path) {
        (Some(host), "/") => host.to_owned(),
        (Some(host), path) => format!("{host}{path}"),
        (None, path) => path.to_owned(),
    }
}

fn parse_host(host: &str) -> Result<Option<String>, &'static str> {
    if host.is_empty() {
        return Ok(None);
    }
    if host.contains(':') {
        return Err("leave the port away: a route answers on every listener");
    }
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_host = name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    });
    if is_host {
        return Ok(Some(host.to_ascii_lowercase()));
    }
    Err("a host is a name (shop.example.com), `*.` and a name, or left out for every host")
}

fn parse_path(path: &str) -> Result<String, &'static str> {
    if path.contains(['*', '?', '#', '{', ' ']) {
        return Err("a path is a plain prefix: /api answers /api and everything below it");
    }
    if path.contains("//") {
        return Err("a path has no empty parts");
    }
    let trimmed = path.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_have_one_normal_form() {
        for (text, host, path) in [
            ("/", None, "/"),
            ("/api/", None, "/api"),
            ("Shop.example.com", Some("shop.example.com"), "/"),
            ("shop.example.com/api/v1", Some("shop.example.com"), "/api/v1"),
            ("*.example.com/", Some("*.example.com"), "/"),
        ] {
            let expected = (host.map(str::to_owned), path.to_owned());
            assert_eq!(parse(text).unwrap(), expected, "{text}");
            assert_eq!(parse(&print(host, path)).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_no_listener_could_match_is_refused() {
        for text in ["http://a/", "a:80/", "/api/*", "a..b/", "*", "/a//b", "/a?b", "*.*.com/"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
