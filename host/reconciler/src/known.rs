//! Interfaces that Wicker itself knows: which the host serves without a link, and which are served by default.

use wicker_lattice::interface::{InterfaceKey, InterfaceName};
use wicker_lattice::{blobs, http};

/// Packages of `wasi` that every host serves natively: their resources never cross a link.
const HOST_PACKAGES: [&str; 8] =
    ["io", "clocks", "random", "cli", "filesystem", "sockets", "config", "logging"];

/// The imports of `wasi:http` by which a component sends requests (0.2, then 0.3).
const HTTP_IMPORTS: [&str; 4] = ["outgoing-handler", "client", "incoming-handler", "handler"];

/// The imports of `wasi:blobstore` by which a component reaches blobs.
const BLOB_IMPORTS: [&str; 2] = ["blobstore", "container"];

/// Whether the host serves this import by itself, so that no link can.
#[must_use]
pub fn is_host_served(name: &InterfaceName) -> bool {
    let interface = name.interface.as_str();
    match (name.namespace.as_str(), name.package.as_str()) {
        ("wasi", "http") => !HTTP_IMPORTS.contains(&interface),
        ("wasi", "blobstore") => !BLOB_IMPORTS.contains(&interface),
        ("wasi", package) => HOST_PACKAGES.contains(&package),
        ("wicker" | "wasmcloud", package) => package == "secrets",
        _ => false,
    }
}

/// Whether blobs are reached through this import, by streams of the host: the link leads to `wicker:blobstore`.
#[must_use]
pub fn is_blob_import(name: &InterfaceName) -> bool {
    name.namespace == "wasi"
        && name.package == "blobstore"
        && BLOB_IMPORTS.contains(&name.interface.as_str())
}

/// Whether requests leave through this import.
#[must_use]
pub fn is_http_import(name: &InterfaceName) -> bool {
    name.namespace == "wasi"
        && name.package == "http"
        && HTTP_IMPORTS.contains(&name.interface.as_str())
}

/// Whether requests are answered by this export.
#[must_use]
pub fn is_http_export(name: &InterfaceName) -> bool {
    let InterfaceName { namespace, package, interface, .. } = name;
    match (namespace.as_str(), package.as_str()) {
        ("wasi", "http") => interface == "incoming-handler" || interface == "handler",
        ("wicker", "http") => interface == "handler",
        _ => false,
    }
}

/// Whether a schedule can call this export.
#[must_use]
pub fn is_schedule_export(name: &InterfaceName) -> bool {
    name.namespace == "wicker" && name.package == "schedule" && name.interface == "handler"
}

/// What a call through this import asks for.
#[must_use]
pub fn wire_import(name: &InterfaceName) -> InterfaceKey {
    match name {
        name if is_http_import(name) => http::interface(),
        name if is_blob_import(name) => blobs::interface(),
        name => name.key(),
    }
}

/// What a call of this export asks for.
#[must_use]
pub fn wire_export(name: &InterfaceName) -> InterfaceKey {
    if is_http_export(name) { http::interface() } else { name.key() }
}

/// The builtin provider that serves an import for which nobody made a link.
#[must_use]
pub fn default_provider(import: &InterfaceName) -> Option<&'static str> {
    if is_http_import(import) {
        return Some("http-client");
    }
    match (import.namespace.as_str(), import.package.as_str()) {
        ("wasi", "keyvalue") => Some("keyvalue-redb"),
        ("wasmcloud" | "wicker", "messaging") => Some("messaging-memory"),
        ("wicker", "sql") => Some("sql-sqlite"),
        ("wasi" | "wicker", "blobstore") => Some("blobstore-fs"),
        _ => None,
    }
}
