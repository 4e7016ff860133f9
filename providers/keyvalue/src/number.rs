//! How counters are kept: as decimal text of a 64-bit signed integer, so that `get` shows a number that any language
//! reads, and a counter may be set with `set`. Redis keeps them so too.

use bytes::Bytes;

use crate::backend::Failure;

/// `value` plus `delta`: the sum, and the text of it to store. No value counts as 0.
///
/// # Errors
/// The value is no number, or the sum is out of range; nothing may be stored then.
pub fn add(value: Option<&[u8]>, delta: i64) -> Result<(i64, Bytes), Failure> {
    let number = value.map_or(Some(0), |text| std::str::from_utf8(text).ok()?.parse::<i64>().ok());
    let number = number.ok_or_else(|| Failure::Other("the value is not a number".to_owned()))?;
    let sum = number.checked_add(delta);
    let sum = sum.ok_or_else(|| Failure::Other("the sum is out of range".to_owned()))?;
    Ok((sum, sum.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_text() {
        assert_eq!(add(None, 3).unwrap(), (3, "3".into()));
        assert_eq!(add(Some(b"-4"), 3).unwrap(), (-1, "-1".into()));
        for bad in [&b""[..], b"x", b"1.5", b"\xff", b"9223372036854775807"] {
            add(Some(bad), 1).unwrap_err();
        }
    }
}
