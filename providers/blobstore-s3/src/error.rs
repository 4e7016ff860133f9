//! What goes wrong at the endpoint, in the terms of the interface.

use blobstore::blobs::Error;

/// What a failure of the endpoint is for a caller.
pub(crate) fn failed(attempt: &str, error: object_store::Error) -> Error {
    use object_store::Error as Cause;
    let text = format!("{attempt}: {error}");
    match error {
        Cause::NotFound { .. } => Error::NoSuchObject,
        Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => {
            Error::Unavailable(format!("the endpoint refuses the link: {text}"))
        }
        _ => Error::Unavailable(text),
    }
}
