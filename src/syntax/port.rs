//! Ports as Calico writes them: `80`, `8000:8080`, or a name.
//!
//! `api/pkg/lib/numorstring/port.go`, v3.32.1.

use std::fmt;

/// A port of a rule, borrowed from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortText<'t> {
    /// first and last port, equal for a single one
    Range(u16, u16),
    /// a name of 1 to 128 of `[a-zA-Z0-9_.-]`
    Name(&'t str),
}

/// Why a text is no port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// a number above 65535
    OutOfRange,
    /// `first:last` with first above last
    Reversed,
    /// neither number, range nor a name
    BadName,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::OutOfRange => "ports go from 0 to 65535",
            Error::Reversed => "the range ends before it begins",
            Error::BadName => {
                "a port is a number, `first:last`, or a name of letters, digits, `_`, `.` and `-`"
            }
        })
    }
}

/// Parses the text of a port.
pub fn parse(text: &str) -> Result<PortText<'_>, Error> {
    if is_digits(text) {
        let port = number(text)?;
        return Ok(PortText::Range(port, port));
    }
    if let Some((first, last)) = text.split_once(':')
        && is_digits(first)
        && is_digits(last)
    {
        let (first, last) = (number(first)?, number(last)?);
        return if first > last { Err(Error::Reversed) } else { Ok(PortText::Range(first, last)) };
    }
    let named = (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if named { Ok(PortText::Name(text)) } else { Err(Error::BadName) }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn number(digits: &str) -> Result<u16, Error> {
    digits.parse().map_err(|_| Error::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ranges_and_names() {
        assert_eq!(parse("080"), Ok(PortText::Range(80, 80)));
        assert_eq!(parse("0:65535"), Ok(PortText::Range(0, 65535)));
        assert_eq!(parse("30000-32767"), Ok(PortText::Name("30000-32767")));
        assert_eq!(parse("http_1.x"), Ok(PortText::Name("http_1.x")));
    }

    #[test]
    fn what_is_no_port() {
        assert_eq!(parse("65536"), Err(Error::OutOfRange));
        assert_eq!(parse("99999999999999999999999"), Err(Error::OutOfRange));
        assert_eq!(parse("9:8"), Err(Error::Reversed));
        assert_eq!(parse("1:2:3"), Err(Error::BadName));
        assert_eq!(parse(""), Err(Error::BadName));
        assert_eq!(parse(&"a".repeat(129)), Err(Error::BadName));
    }
}
