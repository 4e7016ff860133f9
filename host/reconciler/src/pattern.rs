//! Interfaces and packages as people write them: with or without interface, with or without version.

use std::fmt;
use std::str::FromStr;

use wicker_lattice::interface::{InterfaceKey, InterfaceName, PackageKey};

/// What a user wrote to mean some interfaces: `wasi:keyvalue`, `wasi:keyvalue/store`, `shop:cart@1`,
/// `wasi:keyvalue/store@0.2.0-draft`. What is left out matches everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacePattern {
    package: String,
    interface: Option<String>,
    /// At its compatibility key: `0.2` for `0.2.3`.
    version: Option<String>,
}

impl InterfacePattern {
    /// Whether `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &InterfaceName) -> bool {
        self.matches_key(&name.key())
    }

    /// Whether the interface under `key` is meant.
    #[must_use]
    pub fn matches_key(&self, key: &InterfaceKey) -> bool {
        let (path, version) = split(key.as_str());
        let package = path.split('/').next().unwrap_or_default();
        self.package == package
            && self.interface.as_deref().is_none_or(|interface| interface == key.interface())
            && self.version.as_deref().is_none_or(|wanted| Some(wanted) == version)
    }

    /// Whether it names one interface, and not a whole package.
    #[must_use]
    pub fn is_interface(&self) -> bool {
        self.interface.is_some()
    }

    /// Whether it holds a version.
    #[must_use]
    pub fn has_version(&self) -> bool {
        self.version.is_some()
    }

    /// The package meant, taking the version as it stands (none, where none was written).
    #[must_use]
    pub fn package(&self) -> Option<PackageKey> {
        self.versioned(&self.package).parse().ok()
    }

    /// The interface meant, where one is named.
    #[must_use]
    pub fn interface(&self) -> Option<InterfaceKey> {
        let interface = self.interface.as_ref()?;
        self.versioned(&format!("{}/{interface}", self.package)).parse().ok()
    }

    fn versioned(&self, path: &str) -> String {
        match &self.version {
            Some(version) => format!("{path}@{version}"),
            None => path.to_owned(),
        }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('@').map_or((text, None), |(path, version)| (path, Some(version)))
}

impl FromStr for InterfacePattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, ParsePatternError> {
        let error = || ParsePatternError { text: text.to_owned() };
        let (path, _) = split(text);
        let (package, interface) = match path.split_once('/') {
            Some((package, interface)) => (package, Some(interface.to_owned())),
            None => (path, None),
        };
        // The keys' own parsers know what a name and a version are, and reduce the version.
        let key = match &interface {
            Some(_) => text.parse::<InterfaceKey>().map_err(|_| error())?.as_str().to_owned(),
            None => text.parse::<PackageKey>().map_err(|_| error())?.as_str().to_owned(),
        };
        let version = split(&key).1.map(str::to_owned);
        Ok(Self { package: package.to_owned(), interface, version })
    }
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        if let Some(interface) = &self.interface {
            write!(f, "/{interface}")?;
        }
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

/// A text means no interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read `{text}` as an interface or package: expected namespace:package, /interface and @version as needed"
)]
pub struct ParsePatternError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_matches_everything() {
        let name: InterfaceName = "wasi:keyvalue/store@0.2.0-draft".parse().unwrap();
        for (pattern, expected) in [
            ("wasi:keyvalue", true),
            ("wasi:keyvalue/store", true),
            ("wasi:keyvalue@0.2.0-draft", true),
            ("wasi:keyvalue/store@0.2.0-draft", true),
            ("wasi:keyvalue/atomics", false),
            ("wasi:keyvalue@0.2.0-draft2", false),
            ("wasi:key", false),
        ] {
            let pattern: InterfacePattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&name), expected, "{pattern}");
        }
    }

    #[test]
    fn versions_meet_at_their_key() {
        let name: InterfaceName = "wasi:http/handler@0.3.1".parse().unwrap();
        assert!("wasi:http@0.3.0".parse::<InterfacePattern>().unwrap().matches(&name));
        assert!("wasi:http@0.3".parse::<InterfacePattern>().unwrap().matches(&name));
        assert!(!"wasi:http@0.2".parse::<InterfacePattern>().unwrap().matches(&name));
    }

    #[test]
    fn what_is_no_interface_is_refused() {
        for text in ["", "keyvalue", "wasi:", "wasi:keyvalue@x", "wasi:keyvalue/", "a/b"] {
            assert!(text.parse::<InterfacePattern>().is_err(), "{text}");
        }
    }
}
