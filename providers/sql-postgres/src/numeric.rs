//! PostgreSQL's exact numbers: from its digits of base 10,000 to text, with every digit.

use std::fmt::Write as _;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// Reads a `numeric` in its binary form; `None` if it is none.
pub(crate) fn read(raw: &[u8]) -> Option<String> {
    let mut words = raw.chunks_exact(2).filter_map(|pair| {
        let pair: [u8; 2] = pair.try_into().ok()?;
        Some(u16::from_be_bytes(pair))
    });
    let count = words.next()?;
    let weight = i32::from(words.next()?.cast_signed());
    let sign = words.next()?;
    let scale = usize::from(words.next()?);
    let digits: Vec<u16> = words.collect();
    match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITY => return Some("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Some("-Infinity".to_owned()),
        _ if digits.len() != usize::from(count) => return None,
        _ => {}
    }
    let digit = |at: i32| {
        let at = usize::try_from(at).ok();
        at.and_then(|at| digits.get(at)).copied().unwrap_or_default()
    };
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    // Writing into a string cannot fail.
    let _ = write!(text, "{}", if weight < 0 { 0 } else { digit(0) });
    for at in 1..=weight {
        let _ = write!(text, "{:04}", digit(at));
    }
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        let mut at = weight + 1;
        while text.len() < end {
            let _ = write!(text, "{:04}", digit(at));
            at += 1;
        }
        text.truncate(end);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[i32], text: &str) {
        let low = |word: &i32| u16::try_from(word & 0xffff).unwrap_or_default().to_be_bytes();
        let raw: Vec<u8> = words.iter().flat_map(low).collect();
        assert_eq!(read(&raw).as_deref(), Some(text));
    }

    #[test]
    fn every_digit_is_there() {
        check(&[0, 0, 0, 0], "0");
        check(&[0, 0, 0, 2], "0.00");
        check(&[2, 0, 0, 2, 12, 5_000], "12.50");
        check(&[1, 1, 0, 0, 3], "30000");
        check(&[2, 1, 0x4000, 0, 1, 234], "-10234");
        check(&[1, -2, 0, 8, 1], "0.00000001");
        check(&[0, 0, 0xc000, 0], "NaN");
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        assert_eq!(read(&[0, 2, 0, 0, 0, 0, 0, 0, 0, 1]), None);
        assert_eq!(read(&[0, 2]), None);
    }
}
