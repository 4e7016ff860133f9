//! Names of WIT packages, interfaces and functions, and the keys under which compatible versions meet.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Serialize};

/// An interface as a component names it: `wasi:keyvalue/store@0.2.0-draft`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName {
    /// `wasi`.
    pub namespace: String,
    /// `keyvalue`.
    pub package: String,
    /// `store`.
    pub interface: String,
    /// `0.2.0-draft`.
    pub version: Option<Version>,
}

/// An interface under its compatibility key: `wasi:http/types@0.2`, `wasi:keyvalue/store@0.2.0-draft`.
///
/// Two interfaces with one key may be linked: `1.x` meets `1.y`, `0.2.x` meets `0.2.y`, prereleases only themselves.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceKey(Arc<str>);

/// A package under its compatibility key: `wasi:keyvalue@0.2.0-draft`. What a link covers unless it is narrower.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageKey(Arc<str>);

impl InterfaceName {
    /// The key under which this name meets compatible ones.
    #[must_use]
    pub fn key(&self) -> InterfaceKey {
        let version = self.version.as_ref().map(|v| format!("@{}", compatible(v)));
        let Self { namespace, package, interface, .. } = self;
        InterfaceKey(
            format!("{namespace}:{package}/{interface}{}", version.unwrap_or_default()).into(),
        )
    }
}

/// The part of a version that decides what it is compatible with (the component model's rule).
fn compatible(version: &Version) -> String {
    if !version.pre.is_empty() {
        version.to_string()
    } else if version.major > 0 {
        version.major.to_string()
    } else if version.minor > 0 {
        format!("0.{}", version.minor)
    } else {
        format!("0.0.{}", version.patch)
    }
}

impl InterfaceKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The package that this interface belongs to.
    #[must_use]
    pub fn package(&self) -> PackageKey {
        let (path, version) = split_version(&self.0);
        let package = path.split_once('/').map_or(path, |(package, _)| package);
        PackageKey(format!("{package}{version}").into())
    }

    /// The interface's own name: `store`.
    #[must_use]
    pub fn interface(&self) -> &str {
        let (path, _) = split_version(&self.0);
        path.split_once('/').map_or(path, |(_, interface)| interface)
    }
}

impl PackageKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `("wasi:http/types", "@0.2")`; the version is empty where there is none.
fn split_version(text: &str) -> (&str, &str) {
    text.find('@').map_or((text, ""), |at| text.split_at(at))
}

impl FromStr for InterfaceName {
    type Err = ParseInterfaceError;

    fn from_str(text: &str) -> Result<Self, ParseInterfaceError> {
        let error = || ParseInterfaceError { text: text.to_owned() };
        let (path, version) = split_version(text);
        let (namespace, rest) = path.split_once(':').ok_or_else(error)?;
        let (package, interface) = rest.split_once('/').ok_or_else(error)?;
        if ![namespace, package, interface].into_iter().all(is_kebab) {
            return Err(error());
        }
        let version = match version.strip_prefix('@') {
            Some(version) => Some(Version::parse(version).map_err(|_| error())?),
            None => None,
        };
        let (namespace, package, interface) =
            (namespace.to_owned(), package.to_owned(), interface.to_owned());
        Ok(Self { namespace, package, interface, version })
    }
}

impl FromStr for InterfaceKey {
    type Err = ParseInterfaceError;

    /// Accepts a full name as well, and reduces it to its key.
    fn from_str(text: &str) -> Result<Self, ParseInterfaceError> {
        if let Ok(name) = text.parse::<InterfaceName>() {
            return Ok(name.key());
        }
        let (path, version) = split_version(text);
        let full = format!("{path}{version}{}", if version.contains('.') { ".0" } else { ".0.0" });
        full.parse::<InterfaceName>()
            .map(|name| name.key())
            .map_err(|_| ParseInterfaceError { text: text.to_owned() })
    }
}

impl FromStr for PackageKey {
    type Err = ParseInterfaceError;

    fn from_str(text: &str) -> Result<Self, ParseInterfaceError> {
        let (path, version) = split_version(text);
        format!("{path}/any{version}")
            .parse::<InterfaceKey>()
            .map(|key| key.package())
            .map_err(|_| ParseInterfaceError { text: text.to_owned() })
    }
}

/// WIT's kebab-case names, loosely: letters, digits and inner hyphens.
fn is_kebab(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.namespace, self.package, self.interface)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseInterfaceError;

            fn try_from(text: String) -> Result<Self, ParseInterfaceError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    };
}

text_form!(InterfaceName);
text_form!(InterfaceKey);
text_form!(PackageKey);

impl fmt::Display for InterfaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PackageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not the name of an interface or package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{text}` as an interface: expected namespace:package/interface@version")]
pub struct ParseInterfaceError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_versions_share_a_key() {
        for (name, key) in [
            ("wasi:http/types@0.2.3", "wasi:http/types@0.2"),
            ("wasi:http/types@0.2.12", "wasi:http/types@0.2"),
            ("wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/store@0.2.0-draft"),
            ("a:b/c@1.4.0", "a:b/c@1"),
            ("a:b/c@0.0.7", "a:b/c@0.0.7"),
            ("a:b/c", "a:b/c"),
        ] {
            let parsed: InterfaceName = name.parse().unwrap();
            assert_eq!(parsed.key().as_str(), key);
            assert_eq!(key.parse::<InterfaceKey>().unwrap().as_str(), key);
        }
    }

    #[test]
    fn package_of_an_interface_keeps_its_version() {
        let key: InterfaceKey = "wasi:keyvalue/store@0.2.0-draft".parse().unwrap();
        assert_eq!(key.package().as_str(), "wasi:keyvalue@0.2.0-draft");
        assert_eq!("wasi:http@0.2.3".parse::<PackageKey>().unwrap().as_str(), "wasi:http@0.2");
    }
}
