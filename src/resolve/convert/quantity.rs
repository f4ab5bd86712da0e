//! Kubernetes' quantities, as far as whole numbers are asked of them.
//!
//! `k8s.io/apimachinery/pkg/api/resource/quantity.go`: a signed decimal number with a suffix
//! (`m`, `k`, `Mi`, …) or a decimal exponent; fractions round away from zero.

/// The whole number that a quantity stands for, rounded away from zero and held within `i64`.
pub fn whole(text: &str) -> Option<i64> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (base, exponent) = scale(suffix)?;
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    // more digits than these are beyond the limits of every caller, and of i64
    if digits.len() > 30 {
        return Some(if negative { i64::MIN } else { i64::MAX });
    }
    let value: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let magnitude = match base {
        Base::Ten => shift(value, exponent - i32::try_from(fraction.len()).ok()?),
        Base::Two => {
            let scaled = value.checked_shl(u32::try_from(exponent).ok()?).filter(|s| s >> exponent == value);
            scaled.and_then(|scaled| shift(scaled, -i32::try_from(fraction.len()).ok()?))
        }
    };
    let magnitude = magnitude.and_then(|m| i64::try_from(m).ok()).unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

#[derive(Clone, Copy)]
enum Base {
    Ten,
    Two,
}

fn scale(suffix: &str) -> Option<(Base, i32)> {
    Some(match suffix {
        "" => (Base::Ten, 0),
        "n" => (Base::Ten, -9),
        "u" => (Base::Ten, -6),
        "m" => (Base::Ten, -3),
        "k" => (Base::Ten, 3),
        "M" => (Base::Ten, 6),
        "G" => (Base::Ten, 9),
        "T" => (Base::Ten, 12),
        "P" => (Base::Ten, 15),
        "E" => (Base::Ten, 18),
        "Ki" => (Base::Two, 10),
        "Mi" => (Base::Two, 20),
        "Gi" => (Base::Two, 30),
        "Ti" => (Base::Two, 40),
        "Pi" => (Base::Two, 50),
        "Ei" => (Base::Two, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            (Base::Ten, exponent.parse().ok()?)
        }
    })
}

/// `value * 10^exponent`, rounded up; `None` beyond 128 bits.
fn shift(value: u128, exponent: i32) -> Option<u128> {
    if value == 0 {
        return Some(0);
    }
    match 10u128.checked_pow(exponent.unsigned_abs()) {
        Some(factor) if exponent >= 0 => value.checked_mul(factor),
        Some(factor) => Some(value.div_ceil(factor)),
        None if exponent >= 0 => None,
        None => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("1k", Some(1000)),
            ("1.5k", Some(1500)),
            ("1Ki", Some(1024)),
            ("0.5Ki", Some(512)),
            ("1500m", Some(2)),
            ("1n", Some(1)),
            ("1e3", Some(1000)),
            ("1E-1", Some(1)),
            ("2E", Some(2_000_000_000_000_000_000)),
            (".5", Some(1)),
            ("5.", Some(5)),
            ("+7", Some(7)),
            ("-7", Some(-7)),
            ("100Ei", Some(i64::MAX)),
            ("1e300", Some(i64::MAX)),
            ("99999999999999999999999999999999999", Some(i64::MAX)),
            ("", None),
            ("-", None),
            (".", None),
            ("1.2.3", None),
            ("1 k", None),
            ("1K", None),
            ("ten", None),
            ("1e", None),
            ("1e+", None),
            ("é", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }
}
