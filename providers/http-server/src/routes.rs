//! Which target a request is for: by host, then by path.
//!
//! An exact host wins over `*.suffix` (the longest first), and that over routes for any host; among the routes of a
//! host the longest path wins. A host whose paths do not match leaves the request to the less exact ones. A path
//! matches whole segments: `/api` is for `/api` and `/api/x`, not for `/apix`. Paths are compared as they come:
//! nothing is decoded, no `..` is resolved.
//!
//! A table never changes: whoever learns of a new route builds another.

use std::borrow::Cow;
use std::collections::HashMap;

use wicker_provider::http::host_of;

/// All routes of one listener, each with a target of type `T`.
#[derive(Debug, Clone)]
pub struct Routes<T> {
    exact: HashMap<Box<str>, Paths<T>>,
    suffix: HashMap<Box<str>, Paths<T>>,
    any: Paths<T>,
}

/// One host's routes, the longest path first.
#[derive(Debug, Clone)]
struct Paths<T>(Vec<(Box<str>, T)>);

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), suffix: HashMap::new(), any: Paths::default() }
    }
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Routes<T> {
    /// Adds a route. `host` is a name, `*.` and a name, or `None` for every host; `path` starts with `/`.
    ///
    /// Where the same host and path were claimed before, the first claim stands, and this says `false`.
    pub fn claim(&mut self, host: Option<&str>, path: &str, target: T) -> bool {
        let paths = match host.map(canonical) {
            None => &mut self.any,
            Some(host) => match host.strip_prefix("*.") {
                Some(suffix) => self.suffix.entry(suffix.into()).or_default(),
                None => self.exact.entry(host.into()).or_default(),
            },
        };
        paths.claim(path, target)
    }

    /// The target of a request, if any.
    #[must_use]
    pub fn find<B>(&self, request: &http::Request<B>) -> Option<&T> {
        let path = request.uri().path();
        if self.exact.is_empty() && self.suffix.is_empty() {
            return self.any.find(path);
        }
        self.find_for(host_of(request), path)
    }

    /// The target of a request for `host` (without port) and `path`.
    #[must_use]
    pub fn find_for(&self, host: Option<&str>, path: &str) -> Option<&T> {
        let named = host.map(canonical).and_then(|host| self.find_named(&host, path));
        named.or_else(|| self.any.find(path))
    }

    fn find_named(&self, host: &str, path: &str) -> Option<&T> {
        let exact = self.exact.get(host).and_then(|paths| paths.find(path));
        exact.or_else(|| {
            let suffixes = host.match_indices('.').filter_map(|(dot, _)| host.get(dot + 1..));
            suffixes.filter_map(|suffix| self.suffix.get(suffix)).find_map(|paths| paths.find(path))
        })
    }
}

impl<T> Paths<T> {
    fn claim(&mut self, path: &str, target: T) -> bool {
        // `/api/` and `/api` are one route, and so are `/` and the empty path.
        let path = path.trim_end_matches('/');
        // Longest first; among paths of one length the order does not matter, as only one can match.
        let at = self.0.partition_point(|(other, _)| other.len() > path.len());
        let is_taken = self.0.iter().any(|(other, _)| **other == *path);
        if !is_taken {
            self.0.insert(at, (path.into(), target));
        }
        !is_taken
    }

    fn find(&self, path: &str) -> Option<&T> {
        let (_, target) = self.0.iter().find(|(prefix, _)| covers(prefix, path))?;
        Some(target)
    }
}

/// Whether `prefix`, which has no `/` at its end, is `path` or some of its first segments.
fn covers(prefix: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    prefix.is_empty() || rest.is_empty() || rest.starts_with('/')
}

/// Host names are compared in lower case, without the dot that ends a full name.
fn canonical(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn table() -> Routes<&'static str> {
        let mut routes = Routes::default();
        for (host, path, target) in [
            (Some("shop.example.com"), "/", "shop"),
            (Some("shop.example.com"), "/api", "shop api"),
            (Some("api.example.com"), "/v1", "api v1"),
            (Some("*.example.com"), "/", "any of example.com"),
            (Some("*.eu.example.com"), "/", "any of eu"),
            (None, "/health", "health"),
            (None, "/", "rest"),
        ] {
            assert!(routes.claim(host, path, target));
        }
        routes
    }

    #[test]
    fn exact_host_then_longest_suffix_then_any_and_the_longest_path() {
        let routes = table();
        let check = |host: &str, path: &str, expect: &str| {
            assert_eq!(routes.find_for(Some(host), path), Some(&expect), "{host}{path}");
        };
        check("shop.example.com", "/", "shop");
        check("SHOP.example.com.", "/api/x", "shop api");
        check("shop.example.com", "/apix", "shop");
        check("shop.example.com", "/health", "shop");
        check("api.example.com", "/v1", "api v1");
        check("api.example.com", "/v2", "any of example.com");
        check("a.eu.example.com", "/", "any of eu");
        check("a.b.eu.example.com", "/", "any of eu");
        check("example.com", "/health/live", "health");
        check("other.org", "/", "rest");
        assert_eq!(routes.find_for(None, "*"), Some(&"rest"));
    }

    #[test]
    fn second_claim_of_a_route_is_refused() {
        let mut routes = table();
        assert!(!routes.claim(Some("Shop.Example.com"), "/api/", "thief"));
        assert_eq!(routes.find_for(Some("shop.example.com"), "/api"), Some(&"shop api"));
    }

    fn hosts() -> impl Strategy<Value = String> {
        prop_oneof![Just("a.b.c"), Just("b.c"), Just("c"), Just("x.b.c"), Just("x.y.b.c")]
            .prop_map(str::to_owned)
    }

    fn patterns() -> impl Strategy<Value = Option<String>> {
        (hosts(), 0..3_u8).prop_map(|(host, kind)| match kind {
            0 => None,
            1 => Some(host),
            _ => Some(format!("*.{host}")),
        })
    }

    fn paths() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![Just("a"), Just("ab"), Just("b")], 0..4)
            .prop_map(|segments| format!("/{}", segments.join("/")))
    }

    /// How well a route fits a request; `None` where it does not.
    fn rank(pattern: Option<&str>, prefix: &str, host: &str, path: &str) -> Option<(usize, usize)> {
        let host_rank = match pattern {
            None => 0,
            Some(pattern) if pattern == host => usize::MAX,
            Some(pattern) => {
                let suffix = pattern.strip_prefix('*')?;
                host.ends_with(suffix).then_some(suffix.len())?
            }
        };
        let segments = |path: &str| -> Vec<String> {
            path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect()
        };
        let (prefix, path) = (segments(prefix), segments(path));
        path.starts_with(&prefix).then_some((host_rank, prefix.len()))
    }

    proptest! {
        #[test]
        fn table_finds_the_route_that_fits_best(
            claims in proptest::collection::vec((patterns(), paths()), 0..12),
            host in hosts(),
            path in paths(),
            slash in any::<bool>(),
        ) {
            let path = if slash && path != "/" { format!("{path}/") } else { path };
            let mut routes = Routes::default();
            for (i, (pattern, prefix)) in claims.iter().enumerate() {
                routes.claim(pattern.as_deref(), prefix, i);
            }
            let ranked = claims.iter().enumerate().filter_map(|(i, (pattern, prefix))| {
                Some((rank(pattern.as_deref(), prefix, &host, &path)?, i))
            });
            // The first claim of the best rank.
            let best = ranked.max_by_key(|(rank, i)| (*rank, std::cmp::Reverse(*i)));
            prop_assert_eq!(routes.find_for(Some(&host), &path).copied(), best.map(|(_, i)| i));
        }
    }
}
