//! How plain scalars resolve: YAML 1.1 as go-yaml v2 does it, and JSON.
//!
//! Both kubectl and calicoctl turn YAML into JSON with `sigs.k8s.io/yaml` over go-yaml v2 before
//! they decode it (`calicoctl/calicoctl/commands/resourceloader/resourceloader.go:120`, v3.32.1),
//! so a value here is what a JSON consumer sees behind that: `80.0` and `8e1` are the integer 80,
//! `010` is 8, `yes` is true, and a date is a string. The table is go-yaml's `resolve.go` (v2).

use super::tree::{Style, Value};
use std::borrow::Cow;

/// What go-yaml makes of a plain scalar that is a number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Int(i64),
    /// an integer beyond `i64`
    Unsigned(u64),
    Float(f64),
}

/// Resolves a YAML plain scalar.
pub fn resolve(text: &str) -> Value<'_> {
    match text.as_bytes().first() {
        None => Value::Null,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => match number(text) {
            None => Value::Str(text),
            Some(Number::Int(int)) => Value::Int(int),
            Some(Number::Unsigned(int)) => Value::Float(int as f64),
            // JSON writes a whole number without its fraction, so the consumer sees an integer
            Some(Number::Float(float)) if float.fract() == 0.0 && float.abs() < I64_LIMIT => {
                Value::Int(float as i64)
            }
            Some(Number::Float(float)) => Value::Float(float),
        },
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => word(text),
        Some(_) => Value::Str(text),
    }
}

/// 2^63: whole floats below it are exact as `i64`.
const I64_LIMIT: f64 = 9_223_372_036_854_775_808.0;

fn word(text: &str) -> Value<'_> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "true" | "True" | "TRUE" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        "false" | "False" | "FALSE" => Value::Bool(false),
        "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => Value::Str(text),
    }
}

fn number(text: &str) -> Option<Number> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(Number::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Some(Number::Float(f64::INFINITY));
        }
        "-.inf" | "-.Inf" | "-.INF" => return Some(Number::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    // underscores are taken out of what begins with a digit or a sign, not of what begins with a dot
    if text.starts_with('.') {
        return float(text).map(Number::Float);
    }
    let plain: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    integer(&plain).or_else(|| float(&plain).map(Number::Float))
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`, which takes no sign.
fn integer(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // `from_str_radix` would take a second sign
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if text.starts_with('-') {
        0i64.checked_sub_unsigned(magnitude).map(Number::Int)
    } else if let Ok(int) = i64::try_from(magnitude) {
        Some(Number::Int(int))
    } else if text.starts_with('+') {
        None
    } else {
        Some(Number::Unsigned(magnitude))
    }
}

/// go-yaml's `yamlStyleFloat`: `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, within range.
fn float(text: &str) -> Option<f64> {
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole = digits(rest);
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let len = digits(fraction);
        if whole + len == 0 {
            return None;
        }
        rest = &fraction[len..];
    } else if whole == 0 {
        return None;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let len = digits(exponent);
        if len == 0 {
            return None;
        }
        rest = &exponent[len..];
    }
    if !rest.is_empty() {
        return None;
    }
    // a number beyond f64 is no float to go-yaml: `915e32883` stays text
    text.parse().ok().filter(|float: &f64| float.is_finite())
}

/// Resolves a JSON literal (number, `true`, `false`, `null`).
pub fn resolve_json(text: &str) -> Value<'_> {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        _ => match text.parse() {
            Ok(int) => Value::Int(int),
            Err(_) => text.parse().map_or(Value::Str(text), Value::Float),
        },
    }
}

/// The string that a Go field of type string gets from a scalar: `sigs.k8s.io/yaml` converts
/// numbers and booleans where the target is a string. `None` for null, which sets nothing.
pub fn as_go_string(text: &str, style: Style) -> Option<Cow<'_, str>> {
    if style == Style::Text {
        return Some(text.into());
    }
    match resolve(text) {
        Value::Str(text) => Some(text.into()),
        Value::Bool(value) => Some(if value { "true" } else { "false" }.into()),
        Value::Int(_) | Value::Float(_) => Some(match number(text) {
            Some(Number::Int(int)) => int.to_string().into(),
            Some(Number::Unsigned(int)) => int.to_string().into(),
            Some(Number::Float(float)) => format_float(float).into(),
            None => text.into(),
        }),
        Value::Null | Value::Seq | Value::Map => None,
    }
}

/// Whether go-yaml resolves a plain scalar to an integer, not to a float that is whole.
pub(super) fn is_integer(text: &str) -> bool {
    matches!(number(text), Some(Number::Int(_) | Number::Unsigned(_)))
}

/// The JSON key that `sigs.k8s.io/yaml` makes of a plain YAML key; `None` for null, which it refuses.
pub(super) fn key_string(text: &str) -> Option<Cow<'_, str>> {
    match as_go_string(text, Style::Plain)? {
        Cow::Owned(text) if text == "+Inf" => Some(".inf".into()),
        Cow::Owned(text) if text == "-Inf" => Some("-.inf".into()),
        Cow::Owned(text) if text == "NaN" => Some(".nan".into()),
        other => Some(other),
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`.
fn format_float(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    // the shortest digits that read back the same, as `d.ddde-7`
    let shortest = format!("{value:e}");
    let Some((mantissa, exponent)) = shortest.split_once('e') else {
        return shortest;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // 'g' without a precision decides as if it were 6
    if (-4..6).contains(&exponent) {
        format!("{value}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_go_yaml_v2_does() {
        use Value::{Bool, Float, Int, Null, Str};
        let table = [
            ("", Null),
            ("~", Null),
            ("null", Null),
            ("Null", Null),
            ("NULL", Null),
            ("nULL", Str("nULL")),
            ("y", Bool(true)),
            ("Y", Bool(true)),
            ("yes", Bool(true)),
            ("On", Bool(true)),
            ("TRUE", Bool(true)),
            ("n", Bool(false)),
            ("No", Bool(false)),
            ("OFF", Bool(false)),
            ("False", Bool(false)),
            ("tRUE", Str("tRUE")),
            ("yEs", Str("yEs")),
            ("yesterday", Str("yesterday")),
            ("0", Int(0)),
            ("-0", Int(0)),
            ("80", Int(80)),
            ("+80", Int(80)),
            ("010", Int(8)),
            ("00", Int(0)),
            ("0o17", Int(15)),
            ("0x1F", Int(31)),
            ("-0x1f", Int(-31)),
            ("0b101", Int(5)),
            ("0x", Str("0x")),
            ("1_000", Int(1000)),
            ("0x_0A_74_AE", Int(685_230)),
            ("_1", Str("_1")),
            ("++1", Str("++1")),
            ("0x-1", Str("0x-1")),
            ("08", Int(8)),
            ("09.5", Float(9.5)),
            ("-", Str("-")),
            ("+", Str("+")),
            ("9223372036854775807", Int(i64::MAX)),
            ("-9223372036854775808", Int(i64::MIN)),
            ("18446744073709551615", Float(u64::MAX as f64)),
            ("1e400", Str("1e400")),
            ("80.0", Int(80)),
            ("8e1", Int(80)),
            ("1.", Int(1)),
            (".5", Float(0.5)),
            ("-.5", Float(-0.5)),
            ("6.8523e+5", Int(685_230)),
            ("685.230_15e+03", Float(685_230.15)),
            ("1e-3", Float(0.001)),
            (".", Str(".")),
            ("..5", Str("..5")),
            ("1e", Str("1e")),
            ("1.2.3.4", Str("1.2.3.4")),
            (".5_0", Str(".5_0")),
            ("915e32883", Str("915e32883")),
            ("5d4f8c7b9", Str("5d4f8c7b9")),
            (".inf", Float(f64::INFINITY)),
            ("-.Inf", Float(f64::NEG_INFINITY)),
            ("inf", Str("inf")),
            ("infinity", Str("infinity")),
            ("NaN", Str("NaN")),
            ("+.nan", Str("+.nan")),
            ("2015-01-01", Str("2015-01-01")),
            ("2015-02-24T18:19:39Z", Str("2015-02-24T18:19:39Z")),
            ("1:1", Str("1:1")),
            ("10.0.0.0/8", Str("10.0.0.0/8")),
            ("<<", Str("<<")),
            ("80:90", Str("80:90")),
            ("0.0.0.0/0", Str("0.0.0.0/0")),
            ("::/0", Str("::/0")),
            ("1e1000000000000", Str("1e1000000000000")),
        ];
        for (text, value) in table {
            assert_eq!(resolve(text), value, "{text:?}");
        }
        assert!(matches!(resolve(".nan"), Float(f) if f.is_nan()));
    }

    #[test]
    fn string_fields_get_what_sigs_yaml_makes() {
        let table = [
            ("80", "80"),
            ("yes", "true"),
            ("off", "false"),
            ("010", "8"),
            ("0x1F", "31"),
            ("1_0", "10"),
            ("1e6", "1e+06"),
            ("100000.0", "100000"),
            ("1234567.0", "1.234567e+06"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("16777217.0", "1.6777216e+07"),
            ("1e300", "+Inf"),
            ("2.5e-7", "2.5e-07"),
            ("18446744073709551615", "18446744073709551615"),
            (".nan", "NaN"),
            ("-.inf", "-Inf"),
            ("1.5", "1.5"),
            ("abc", "abc"),
            ("2015-01-01", "2015-01-01"),
        ];
        for (text, string) in table {
            assert_eq!(as_go_string(text, Style::Plain).as_deref(), Some(string), "{text:?}");
            assert_eq!(as_go_string(text, Style::Text).as_deref(), Some(text));
        }
        assert_eq!(as_go_string("null", Style::Plain), None);
        assert_eq!(as_go_string("null", Style::Text).as_deref(), Some("null"));
        assert_eq!(as_go_string("1e2", Style::Json).as_deref(), Some("100"));
    }

    #[test]
    fn keys_become_strings() {
        for (text, key) in [("yes", "true"), ("010", "8"), (".inf", ".inf"), ("1.50", "1.5"), ("a", "a")] {
            assert_eq!(key_string(text).as_deref(), Some(key));
        }
        assert_eq!(key_string("~"), None);
    }

    #[test]
    fn json_literals() {
        assert_eq!(resolve_json("80"), Value::Int(80));
        assert_eq!(resolve_json("80.0"), Value::Float(80.0));
        assert_eq!(resolve_json("-1e2"), Value::Float(-100.0));
        assert_eq!(resolve_json("9223372036854775808"), Value::Float(9_223_372_036_854_775_808.0));
        assert_eq!(resolve_json("true"), Value::Bool(true));
        assert_eq!(resolve_json("null"), Value::Null);
    }
}
