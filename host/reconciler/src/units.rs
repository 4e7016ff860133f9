//! Sizes and durations as people write them: `64MiB`, `5s`.

/// Reads a size in bytes: a whole number and `B`, `KiB`, `MiB` or `GiB` (`KB`, `MB`, `GB` are powers of 1000).
///
/// # Errors
/// What was expected, for a diagnostic's help.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, &'static str> {
    let factors = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    parse(text, &factors).ok_or("write a whole number and its unit: 64MiB, 1GiB")
}

/// Reads a duration, in milliseconds: a whole number and `ms`, `s`, `m` or `h`.
///
/// # Errors
/// What was expected, for a diagnostic's help.
pub(crate) fn parse_millis(text: &str) -> Result<u64, &'static str> {
    let factors = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    parse(text, &factors).ok_or("write a whole number and its unit: 500ms, 5s, 2m")
}

fn parse(text: &str, factors: &[(&str, u64)]) -> Option<u64> {
    let (digits, factor) =
        factors.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let digits = digits.trim_end();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_need_a_unit() {
        for (text, expected) in [
            ("64MiB", Some(64 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("10KB", Some(10_000)),
            ("512B", Some(512)),
            ("64", None),
            ("-1MiB", None),
            ("1.5GiB", None),
            ("99999999999GiB", None),
            ("MiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("2m", Some(120_000)),
            ("5", None),
            ("s", None),
        ] {
            assert_eq!(parse_millis(text).ok(), expected, "{text}");
        }
    }
}
