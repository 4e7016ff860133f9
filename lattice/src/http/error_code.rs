//! Why an HTTP exchange failed, in `wasi:http`'s words, so that guests of both versions get their own error.

use super::head::record;
use crate::call::{CallError, Status};
use crate::types::Type;
use crate::value::{Decode, DecodeError, Encode, Fault, Reader, Writer};

/// Details of a DNS failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsError {
    /// The response code's name: `NXDOMAIN`.
    pub rcode: Option<String>,
    /// The extended error's number.
    pub info_code: Option<u16>,
}

/// Details of a TLS alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsAlert {
    /// The alert's number.
    pub alert_id: Option<u8>,
    /// For people.
    pub alert_message: Option<String>,
}

/// Which field was too large.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSize {
    /// Its name.
    pub field_name: Option<String>,
    /// Its bytes.
    pub field_size: Option<u32>,
}

/// Writes the enum, its names, its type and its encoding from one list.
macro_rules! error_codes {
    ($($name:ident $wit:literal $(($field:ident: $payload:ty))?,)*) => {
        /// The cases of `wasi:http/types.error-code`, in its order.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("{}", self.name())]
        #[allow(missing_docs, reason = "the cases are wasi:http's own")]
        pub enum ErrorCode {
            $($name $(($payload))?,)*
        }

        #[derive(Clone, Copy)]
        enum Case {
            $($name,)*
        }

        const CASES: &[(&str, Case)] = &[$(($wit, Case::$name),)*];

        impl ErrorCode {
            /// The name of the case, as WIT has it.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $wit,)*
                }
            }

            pub(super) fn wire_type() -> Type {
                Type::Variant(vec![
                    $(($wit.to_owned(), None::<Type>$(.or(Some(<$payload>::wire_type())))?),)*
                ])
            }
        }

        impl Encode for ErrorCode {
            fn encode(&self, writer: &mut Writer) {
                match self {
                    $(Self::$name $(($field))? => {
                        writer.leb_u(Case::$name as u64);
                        $($field.encode(writer);)?
                    })*
                }
            }
        }

        impl Decode for ErrorCode {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let index = reader.case(CASES.len())?;
                let Some((_, case)) = CASES.get(index) else {
                    return Err(reader.error(Fault::NoSuchCase(index as u64)));
                };
                Ok(match case {
                    $(Case::$name => Self::$name $((<$payload>::decode(reader)?))?,)*
                })
            }
        }
    };
}

error_codes! {
    DnsTimeout "DNS-timeout",
    DnsError "DNS-error" (error: DnsError),
    DestinationNotFound "destination-not-found",
    DestinationUnavailable "destination-unavailable",
    DestinationIpProhibited "destination-IP-prohibited",
    DestinationIpUnroutable "destination-IP-unroutable",
    ConnectionRefused "connection-refused",
    ConnectionTerminated "connection-terminated",
    ConnectionTimeout "connection-timeout",
    ConnectionReadTimeout "connection-read-timeout",
    ConnectionWriteTimeout "connection-write-timeout",
    ConnectionLimitReached "connection-limit-reached",
    TlsProtocolError "TLS-protocol-error",
    TlsCertificateError "TLS-certificate-error",
    TlsAlertReceived "TLS-alert-received" (alert: TlsAlert),
    HttpRequestDenied "HTTP-request-denied",
    HttpRequestLengthRequired "HTTP-request-length-required",
    HttpRequestBodySize "HTTP-request-body-size" (bytes: Option<u64>),
    HttpRequestMethodInvalid "HTTP-request-method-invalid",
    HttpRequestUriInvalid "HTTP-request-URI-invalid",
    HttpRequestUriTooLong "HTTP-request-URI-too-long",
    HttpRequestHeaderSectionSize "HTTP-request-header-section-size" (bytes: Option<u32>),
    HttpRequestHeaderSize "HTTP-request-header-size" (field: Option<FieldSize>),
    HttpRequestTrailerSectionSize "HTTP-request-trailer-section-size" (bytes: Option<u32>),
    HttpRequestTrailerSize "HTTP-request-trailer-size" (field: FieldSize),
    HttpResponseIncomplete "HTTP-response-incomplete",
    HttpResponseHeaderSectionSize "HTTP-response-header-section-size" (bytes: Option<u32>),
    HttpResponseHeaderSize "HTTP-response-header-size" (field: FieldSize),
    HttpResponseBodySize "HTTP-response-body-size" (bytes: Option<u64>),
    HttpResponseTrailerSectionSize "HTTP-response-trailer-section-size" (bytes: Option<u32>),
    HttpResponseTrailerSize "HTTP-response-trailer-size" (field: FieldSize),
    HttpResponseTransferCoding "HTTP-response-transfer-coding" (coding: Option<String>),
    HttpResponseContentCoding "HTTP-response-content-coding" (coding: Option<String>),
    HttpResponseTimeout "HTTP-response-timeout",
    HttpUpgradeFailed "HTTP-upgrade-failed",
    HttpProtocolError "HTTP-protocol-error",
    LoopDetected "loop-detected",
    ConfigurationError "configuration-error",
    InternalError "internal-error" (message: Option<String>),
}

/// What the caller of a request over a link learns when the link failed it.
impl From<CallError> for ErrorCode {
    fn from(error: CallError) -> Self {
        match error.status {
            Status::Unavailable | Status::Draining => Self::DestinationUnavailable,
            Status::NotFound => Self::DestinationNotFound,
            Status::Denied => Self::HttpRequestDenied,
            Status::Overloaded => Self::ConnectionLimitReached,
            Status::Deadline => Self::HttpResponseTimeout,
            Status::Cancelled | Status::Lost => Self::ConnectionTerminated,
            Status::TypeMismatch
            | Status::Trapped
            | Status::BadFrame
            | Status::Unsupported
            | Status::Gone => Self::InternalError(Some(error.message)),
        }
    }
}

/// The WIT type that a payload is written as.
trait Wire {
    fn wire_type() -> Type;
}

/// Each record as its fields, in order.
macro_rules! payload {
    ($name:ident { $($field:ident $wit:literal: $ty:ty,)* }) => {
        impl Wire for $name {
            fn wire_type() -> Type {
                record([$(($wit, <$ty>::wire_type())),*])
            }
        }

        impl Encode for $name {
            fn encode(&self, writer: &mut Writer) {
                $(self.$field.encode(writer);)*
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: Decode::decode(reader)?),* })
            }
        }
    };
}

payload!(DnsError { rcode "rcode": Option<String>, info_code "info-code": Option<u16>, });
payload!(TlsAlert { alert_id "alert-id": Option<u8>, alert_message "alert-message": Option<String>, });
payload!(FieldSize { field_name "field-name": Option<String>, field_size "field-size": Option<u32>, });

macro_rules! primitive {
    ($($ty:ty => $wire:ident,)*) => {
        $(impl Wire for $ty {
            fn wire_type() -> Type {
                Type::$wire
            }
        })*
    };
}

primitive! { u8 => U8, u16 => U16, u32 => U32, u64 => U64, String => String, }

impl<T: Wire> Wire for Option<T> {
    fn wire_type() -> Type {
        Type::Option(Box::new(T::wire_type()))
    }
}
