//! What went wrong with a request, in `wasi:http`'s words.

use std::error::Error;
use std::io;

use wicker_provider::lattice::http::{DnsError, ErrorCode, TlsAlert};

use crate::connector::ConnectError;

/// The error code that says best why `error` happened: the deepest cause that means something.
pub(crate) fn code(error: &(dyn Error + 'static)) -> ErrorCode {
    let mut causes = Some(error);
    let mut best = None;
    while let Some(cause) = causes {
        best = one(cause).or(best);
        causes = cause.source();
        // An I/O error hides the error that it wraps.
        if causes.is_none()
            && let Some(io) = cause.downcast_ref::<io::Error>()
        {
            causes = io.get_ref().map(|inner| inner as &(dyn Error + 'static));
        }
    }
    best.unwrap_or_else(|| ErrorCode::InternalError(Some(error.to_string())))
}

fn one(error: &(dyn Error + 'static)) -> Option<ErrorCode> {
    if let Some(error) = error.downcast_ref::<ConnectError>() {
        return Some(of_connect(error));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return of_http(error);
    }
    error.downcast_ref::<io::Error>().and_then(of_io)
}

fn of_connect(error: &ConnectError) -> ErrorCode {
    match error {
        ConnectError::NotPublic { .. } => ErrorCode::DestinationIpProhibited,
        ConnectError::Lookup { .. } => {
            let rcode = Some("NXDOMAIN".to_owned());
            ErrorCode::DnsError(DnsError { rcode, info_code: None })
        }
        ConnectError::NoAddress { .. } => ErrorCode::DestinationNotFound,
        ConnectError::Connect { .. } => ErrorCode::DestinationUnavailable,
        ConnectError::Timeout { .. } => ErrorCode::ConnectionTimeout,
    }
}

fn of_tls(error: &rustls::Error) -> ErrorCode {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            ErrorCode::TlsCertificateError
        }
        rustls::Error::AlertReceived(alert) => ErrorCode::TlsAlertReceived(TlsAlert {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        }),
        _ => ErrorCode::TlsProtocolError,
    }
}

fn of_http(error: &hyper::Error) -> Option<ErrorCode> {
    if error.is_parse_too_large() {
        Some(ErrorCode::HttpResponseHeaderSectionSize(None))
    } else if error.is_parse() {
        Some(ErrorCode::HttpProtocolError)
    } else if error.is_timeout() {
        Some(ErrorCode::HttpResponseTimeout)
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Some(ErrorCode::ConnectionTerminated)
    } else {
        None
    }
}

fn of_io(error: &io::Error) -> Option<ErrorCode> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(ErrorCode::ConnectionRefused),
        io::ErrorKind::TimedOut => Some(ErrorCode::ConnectionTimeout),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            Some(ErrorCode::DestinationIpUnroutable)
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(ErrorCode::ConnectionTerminated),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deepest_cause_that_means_something_wins() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let address = "192.0.2.1:80".parse().unwrap();
        let error = ConnectError::Connect { address, source: refused };
        assert_eq!(code(&error), ErrorCode::ConnectionRefused);
        let odd = ConnectError::Connect { address, source: io::Error::other("odd") };
        assert_eq!(code(&odd), ErrorCode::DestinationUnavailable);
    }

    #[test]
    fn error_inside_an_io_error_is_found() {
        let tls = rustls::Error::NoCertificatesPresented;
        assert_eq!(code(&io::Error::other(tls)), ErrorCode::TlsCertificateError);
        let text = io::Error::other("odd");
        assert_eq!(code(&text), ErrorCode::InternalError(Some("odd".to_owned())));
    }
}
