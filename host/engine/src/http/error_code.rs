//! `wasi:http`'s errors, as wasmtime has them and as a link carries them: the same cases, twice.

use wasmtime_wasi_http::Error;
use wicker_lattice::http::{DnsError, ErrorCode, FieldSize, TlsAlert};

/// Both directions from one list: the cases that carry nothing, and those that carry one value.
macro_rules! cases {
    (plain { $($plain:ident,)* } sized { $($sized:ident,)* }) => {
        /// For the wire.
        pub(super) fn to_wire(error: Error) -> ErrorCode {
            match error {
                $(Error::$plain => ErrorCode::$plain,)*
                $(Error::$sized(value) => ErrorCode::$sized(value),)*
                Error::DnsError { rcode, info_code } => ErrorCode::DnsError(DnsError { rcode, info_code }),
                Error::TlsAlertReceived { alert_id, alert_message } => {
                    ErrorCode::TlsAlertReceived(TlsAlert { alert_id, alert_message })
                }
                Error::HttpRequestHeaderSize { field_name, field_size } => {
                    ErrorCode::HttpRequestHeaderSize(Some(FieldSize { field_name, field_size }))
                }
                Error::HttpRequestTrailerSize { field_name, field_size } => {
                    ErrorCode::HttpRequestTrailerSize(FieldSize { field_name, field_size })
                }
                Error::HttpResponseHeaderSize { field_name, field_size } => {
                    ErrorCode::HttpResponseHeaderSize(FieldSize { field_name, field_size })
                }
                Error::HttpResponseTrailerSize { field_name, field_size } => {
                    ErrorCode::HttpResponseTrailerSize(FieldSize { field_name, field_size })
                }
                Error::Connect(_) => ErrorCode::ConnectionRefused,
                Error::Tls(_) => ErrorCode::TlsProtocolError,
                Error::Hyper(_) => ErrorCode::HttpProtocolError,
                other => ErrorCode::InternalError(Some(other.to_string())),
            }
        }

        /// For a guest.
        pub(super) fn from_wire(code: ErrorCode) -> Error {
            match code {
                $(ErrorCode::$plain => Error::$plain,)*
                $(ErrorCode::$sized(value) => Error::$sized(value),)*
                ErrorCode::DnsError(DnsError { rcode, info_code }) => Error::DnsError { rcode, info_code },
                ErrorCode::TlsAlertReceived(TlsAlert { alert_id, alert_message }) => {
                    Error::TlsAlertReceived { alert_id, alert_message }
                }
                ErrorCode::HttpRequestHeaderSize(field) => {
                    let FieldSize { field_name, field_size } = field.unwrap_or_default();
                    Error::HttpRequestHeaderSize { field_name, field_size }
                }
                ErrorCode::HttpRequestTrailerSize(FieldSize { field_name, field_size }) => {
                    Error::HttpRequestTrailerSize { field_name, field_size }
                }
                ErrorCode::HttpResponseHeaderSize(FieldSize { field_name, field_size }) => {
                    Error::HttpResponseHeaderSize { field_name, field_size }
                }
                ErrorCode::HttpResponseTrailerSize(FieldSize { field_name, field_size }) => {
                    Error::HttpResponseTrailerSize { field_name, field_size }
                }
            }
        }
    };
}

cases! {
    plain {
        DnsTimeout,
        DestinationNotFound,
        DestinationUnavailable,
        DestinationIpProhibited,
        DestinationIpUnroutable,
        ConnectionRefused,
        ConnectionTerminated,
        ConnectionTimeout,
        ConnectionReadTimeout,
        ConnectionWriteTimeout,
        ConnectionLimitReached,
        TlsProtocolError,
        TlsCertificateError,
        HttpRequestDenied,
        HttpRequestLengthRequired,
        HttpRequestMethodInvalid,
        HttpRequestUriInvalid,
        HttpRequestUriTooLong,
        HttpResponseIncomplete,
        HttpResponseTimeout,
        HttpUpgradeFailed,
        HttpProtocolError,
        LoopDetected,
        ConfigurationError,
    }
    sized {
        HttpRequestBodySize,
        HttpRequestHeaderSectionSize,
        HttpRequestTrailerSectionSize,
        HttpResponseHeaderSectionSize,
        HttpResponseBodySize,
        HttpResponseTrailerSectionSize,
        HttpResponseTransferCoding,
        HttpResponseContentCoding,
        InternalError,
    }
}
