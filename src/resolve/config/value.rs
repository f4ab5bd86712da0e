//! How Felix reads the text of a parameter (`felix/config/param_types.go`, v3.32.1).
//!
//! Every reader gives the value, or a text that says what would be right.

use super::FailsafePort;
use crate::syntax::cidr;
use ipnet::IpNet;
use std::net::IpAddr;

/// `true`, `1`, `yes`, `y`, `t`, and their opposites, in any case.
pub fn boolean(raw: &str) -> Result<bool, String> {
    match raw.to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "t" => Ok(true),
        "false" | "0" | "no" | "n" | "f" => Ok(false),
        _ => Err("expected `true` or `false`".into()),
    }
}

/// One of a list of words, in any case; its index.
pub fn one_of(raw: &str, words: &[&str]) -> Result<usize, String> {
    words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(raw))
        .ok_or_else(|| format!("expected one of `{}`", words.join("`, `")))
}

/// An integer as Go's `ParseInt` with base 0 reads it, within bounds.
pub fn integer(raw: &str, min: i64, max: i64) -> Result<i64, String> {
    let value = go_int(raw).ok_or("expected an integer")?;
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(format!("expected an integer from {min} to {max}"))
    }
}

/// Go's `strconv.ParseInt(raw, 0, 64)`: sign, `0x`, `0o`, `0b` or a leading `0` for octal, and
/// underscores between digits (but only where a base prefix allows them).
pub fn go_int(raw: &str) -> Option<i64> {
    let (negative, digits) = match raw.as_bytes().first()? {
        b'-' => (true, &raw[1..]),
        b'+' => (false, &raw[1..]),
        _ => (false, raw),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits, prefixed) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..], true),
        [b'0', b'b', ..] => (2, &lower[2..], true),
        [b'0', b'o', ..] => (8, &lower[2..], true),
        [b'0', _, ..] => (8, &lower[1..], true),
        _ => (10, &lower[..], false),
    };
    let underscores_fit =
        !digits.contains("__") && !digits.ends_with('_') && (prefixed || !digits.starts_with('_'));
    if digits.is_empty() || !underscores_fit || digits.contains(['+', '-']) {
        return None;
    }
    let magnitude = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// A mask of mark bits: 32 bits with at least two set.
pub fn mark_mask(raw: &str) -> Result<u32, String> {
    let mask = go_int(raw).and_then(|value| u32::try_from(value).ok());
    mask.filter(|mask| mask.count_ones() >= 2)
        .ok_or_else(|| "expected a 32-bit mask with at least 2 bits set".into())
}

/// An IPv4 address.
pub fn ipv4(raw: &str) -> Result<IpAddr, String> {
    raw.parse().map(IpAddr::V4).map_err(|_| "expected an IPv4 address".into())
}

/// CIDRs or addresses, separated by commas.
pub fn cidrs(raw: &str) -> Result<Vec<IpNet>, String> {
    raw.split(',')
        .map(|item| item.trim_matches(' '))
        .filter(|item| !item.is_empty())
        .map(|item| {
            cidr::parse_or_address(item)
                .map(|cidr| cidr.net)
                .ok_or_else(|| format!("`{item}` is neither a CIDR nor an address"))
        })
        .collect()
}

/// A port or a range of ports `first:last`.
pub fn port_range(raw: &str) -> Result<(u16, u16), String> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let range = match raw.split_once(':') {
        Some((first, last)) => port(first).zip(port(last)).filter(|(first, last)| first <= last),
        None => port(raw).map(|single| (single, single)),
    };
    range.ok_or_else(|| format!("`{raw}` is no port and no range `first:last`"))
}

/// Ranges of ports, separated by commas.
pub fn port_ranges(raw: &str) -> Result<Vec<(u16, u16)>, String> {
    raw.split(',').map(port_range).collect()
}

/// Failsafe ports: `port`, `protocol:port` or `protocol:net:port`, separated by commas, an IPv6
/// net in brackets.
pub fn failsafe_ports(raw: &str) -> Result<Vec<FailsafePort>, String> {
    raw.split(',')
        .map(|item| item.trim_matches(' '))
        .filter(|item| !item.is_empty())
        .map(failsafe_port)
        .collect()
}

fn failsafe_port(item: &str) -> Result<FailsafePort, String> {
    let wrong = || format!("`{item}` is not `protocol:port`, `protocol:net:port` or `port`");
    let mut text = item.to_owned();
    let mut net = None;
    if let (Some(start), Some(end)) = (item.find('['), item.find("]:")) {
        net = Some(item.get(start + 1..end).ok_or_else(wrong)?.to_owned());
        text = format!("{}{}", &item[..start], &item[end + 2..]);
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (protocol, port) = match parts[..] {
        [port] => ("tcp", port),
        [protocol, port] => (protocol, port),
        [protocol, range, port] => {
            net = Some(range.to_owned());
            (protocol, port)
        }
        _ => return Err(wrong()),
    };
    let protocol = protocol.to_lowercase();
    if protocol != "tcp" && protocol != "udp" {
        return Err(format!("`{item}`: the protocol must be tcp or udp"));
    }
    let port = port.parse().map_err(|_| wrong())?;
    let net = match net.filter(|net| !net.is_empty()) {
        Some(text) => Some(
            cidr::parse_or_address(&text)
                .map(|cidr| cidr.net)
                .ok_or_else(|| format!("`{text}` is neither a CIDR nor an address"))?,
        ),
        None => None,
    };
    Ok(FailsafePort { protocol: protocol.into(), net, port })
}

/// Names of interfaces, separated by commas.
pub fn interface_names(raw: &str) -> Result<Vec<Box<str>>, String> {
    let name = |name: &str| (1..=15).contains(&name.len()) && name.bytes().all(is_interface_byte);
    if raw.split(',').all(name) {
        Ok(raw.split(',').map(Into::into).collect())
    } else {
        Err("expected names of interfaces, separated by commas".into())
    }
}

fn is_interface_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// A name or pattern of an interface, as `--out-interface` takes it.
pub fn interface_pattern(raw: &str) -> Result<Box<str>, String> {
    let fits = (1..=15).contains(&raw.len())
        && raw.bytes().all(|b| b.is_ascii_alphanumeric() || b":._+-".contains(&b));
    if fits {
        Ok(raw.into())
    } else {
        Err("expected the name of an interface, perhaps with `+` at the end".into())
    }
}

/// `N/second`, `N/minute`, `N/hour` or `N/day` with N up to 9999; empty for no limit.
pub fn log_rate(raw: &str) -> Result<Box<str>, String> {
    let fits = raw.is_empty()
        || raw.split_once('/').is_some_and(|(count, unit)| {
            matches!(unit, "second" | "minute" | "hour" | "day")
                && (1..=4).contains(&count.len())
                && !count.starts_with('0')
                && count.bytes().all(|b| b.is_ascii_digit())
        });
    if fits { Ok(raw.into()) } else { Err("expected a rate such as `10/minute`".into()) }
}

/// A DSCP value: 0 to 63, or a name such as `EF` or `AF11`.
pub fn dscp(raw: &str) -> Result<u8, String> {
    let digits = !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| raw.parse::<u8>().ok()).flatten().filter(|value| *value < 64);
    number
        .or_else(|| dscp_name(raw))
        .ok_or_else(|| "expected a DSCP value from 0 to 63, or a name such as `EF`".into())
}

/// The value of a DSCP name, in any case (`api/pkg/lib/numorstring/dscp.go`, v3.32.1).
pub fn dscp_name(name: &str) -> Option<u8> {
    let name = name.to_ascii_uppercase();
    let digit = |at: usize| name.as_bytes().get(at).filter(|b| b.is_ascii_digit()).map(|b| b - b'0');
    match name.as_str() {
        "DF" => Some(0),
        "EF" => Some(46),
        text if text.starts_with("CS") && text.len() == 3 => {
            digit(2).filter(|class| *class <= 6).map(|class| class * 8)
        }
        text if text.starts_with("AF") && text.len() == 4 => {
            let (class, drop) = (digit(2)?, digit(3)?);
            ((1..=4).contains(&class) && (1..=3).contains(&drop)).then(|| class * 8 + drop * 2)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_as_go_reads_them() {
        let cases = [
            ("10", Some(10)),
            ("-3", Some(-3)),
            ("0x1F", Some(31)),
            ("010", Some(8)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("0x_ff", Some(255)),
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("", None),
            ("08", None),
            ("1.5", None),
            ("9223372036854775808", None),
        ];
        for (text, value) in cases {
            assert_eq!(go_int(text), value, "{text}");
        }
    }

    #[test]
    fn failsafe_ports_have_three_forms() {
        let ports = failsafe_ports("22, udp:53,TCP:10.0.0.0/8:443,tcp:[fd00::/8]:6443").unwrap();
        let shown: Vec<_> = ports
            .iter()
            .map(|p| format!("{} {:?} {}", p.protocol, p.net.map(|n| n.to_string()), p.port))
            .collect();
        assert_eq!(
            shown,
            ["tcp None 22", "udp None 53", "tcp Some(\"10.0.0.0/8\") 443", "tcp Some(\"fd00::/8\") 6443"]
        );
        for wrong in ["sctp:1", "tcp:70000", "a:b:c:d", "tcp:nonsense:1", "]:["] {
            assert!(failsafe_ports(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dscp_values_have_names() {
        assert_eq!(dscp("23"), Ok(23));
        assert_eq!(dscp("ef"), Ok(46));
        assert_eq!(dscp("AF23"), Ok(22));
        assert_eq!(dscp("CS5"), Ok(40));
        assert!(dscp("64").is_err() && dscp("AF44").is_err());
    }
}
