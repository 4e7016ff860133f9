//! The `traceparent` header of W3C Trace Context.

use http::HeaderMap;
use wicker_lattice::call::TraceContext;

/// What the client's `traceparent` says; `None` where there is none that makes sense.
#[must_use]
pub fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let header = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = header.split('-');
    let (version, trace_id, span_id, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may add parts; the first has four.
    let is_known = version == "00" && parts.next().is_none();
    let is_later = version != "00" && version != "ff" && version.len() == 2;
    if !is_known && !is_later {
        return None;
    }
    let (trace_id, span_id) = (hex::<16>(trace_id)?, hex::<8>(span_id)?);
    let [flags] = hex::<1>(flags)?;
    let is_valid = trace_id != [0; 16] && span_id != [0; 8];
    is_valid.then_some(TraceContext { trace_id, span_id, flags })
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(value).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(header: &str) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", header.parse().unwrap());
        trace_of(&headers)
    }

    #[test]
    fn trace_context_is_read() {
        let expect = TraceContext {
            trace_id: *b"\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c",
            span_id: *b"\xb7\xad\x6b\x71\x69\x20\x33\x31",
            flags: 1,
        };
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace(header), Some(expect));
        assert_eq!(trace(&header.replacen("00", "cc", 1).replace("-01", "-01-more")), Some(expect));
    }

    #[test]
    fn nonsense_is_no_trace() {
        for header in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace(header), None, "{header}");
        }
    }
}
