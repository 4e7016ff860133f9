//! Which file a request's path is for: pure.

use percent_encoding::percent_decode_str;

/// The name of a file, relative and without `.` or `..`; of a folder it ends with `/`, or is empty. `None`: no file can have it.
pub(crate) fn name(path: &str, under: &str) -> Option<String> {
    let rest = path.strip_prefix(under.trim_end_matches('/'))?;
    let rest = match rest {
        "" => "",
        rest => rest.strip_prefix('/')?,
    };
    let mut parts = Vec::new();
    for part in rest.split('/') {
        let part = percent_decode_str(part).decode_utf8().ok()?;
        let is_hidden = part.starts_with('.') && part != ".well-known";
        // A separator that was written as something else, of whichever system.
        if is_hidden || part.contains(['/', '\\', '\0']) {
            return None;
        }
        parts.push(part.into_owned());
    }
    let inner = parts.len().saturating_sub(1);
    let has_gap = parts.iter().take(inner).any(String::is_empty);
    (!has_gap).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_their_place() {
        for (path, under, expected) in [
            ("/", "", Some("")),
            ("/a/b.css", "", Some("a/b.css")),
            ("/a/", "/", Some("a/")),
            ("/site/a", "/site", Some("a")),
            ("/site", "/site/", Some("")),
            ("/sitemap", "/site", None),
            ("/gr%C3%BCn%20x.png", "", Some("gr\u{fc}n x.png")),
            ("/.well-known/acme", "", Some(".well-known/acme")),
            ("/../etc/passwd", "", None),
            ("/a/%2e%2e/%2e%2e/etc/passwd", "", None),
            ("/..%2f..%2fetc/passwd", "", None),
            ("/a%2fb", "", None),
            ("/a%5c..%5cb", "", None),
            ("/a%00b", "", None),
            ("//etc/passwd", "", None),
            ("/a//b", "", None),
            ("/.git/config", "", None),
            ("/a/./b", "", None),
            ("/%ff", "", None),
        ] {
            assert_eq!(name(path, under).as_deref(), expected, "{path} under {under}");
        }
    }
}
