//! Values of options: addresses, ports, marks, states.

use crate::ir::{Address, ConntrackStates, MarkSpelling};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fd00::/8` or a single address. `Err` for what is no address;
/// `Ok(None)` for a mask with holes, which is nothing that has a length.
pub(super) fn address(text: &str) -> Result<Option<Address>, ()> {
    let Some((host, mask)) = text.split_once('/') else {
        return text.parse().map(|host| Some(Address::Host(host))).map_err(|_| ());
    };
    let host: IpAddr = host.parse().map_err(|_| ())?;
    if is_digits(mask) {
        let length = mask.parse().map_err(|_| ())?;
        return IpNet::new(host, length).map(|net| Some(Address::Net(net))).map_err(|_| ());
    }
    let mask: IpAddr = mask.parse().map_err(|_| ())?;
    if mask.is_ipv4() != host.is_ipv4() {
        return Err(());
    }
    Ok(ipnet::ip_mask_to_prefix(mask).ok().and_then(|length| IpNet::new(host, length).ok()).map(Address::Net))
}

/// Digits and nothing else.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A decimal number without sign.
pub(super) fn decimal<N: std::str::FromStr>(text: &str) -> Option<N> {
    if is_digits(text) { text.parse().ok() } else { None }
}

/// `80,8000:8080`
pub(super) fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
    text.split(',')
        .map(|range| match range.split_once(':') {
            Some((first, last)) => Some((decimal(first)?, decimal(last)?)),
            None => decimal(range).map(|port| (port, port)),
        })
        .collect()
}

/// `80`, `80:90`, `:90` or `80:`
pub(super) fn open_range(text: &str) -> Option<(u16, u16)> {
    match text.split_once(':') {
        None => decimal(text).map(|port| (port, port)),
        Some(("", "")) => None,
        Some(("", last)) => Some((0, decimal(last)?)),
        Some((first, "")) => Some((decimal(first)?, u16::MAX)),
        Some((first, last)) => Some((decimal(first)?, decimal(last)?)),
    }
}

/// `80` or `80-90`
pub(super) fn dashed_range(text: &str) -> Option<(u16, u16)> {
    match text.split_once('-') {
        None => decimal(text).map(|port| (port, port)),
        Some((first, last)) => Some((decimal(first)?, decimal(last)?)),
    }
}

/// A number of 32 bits, decimal or with `0x`.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => decimal(text),
    }
}

/// `value/mask` or `value`, and how the value is spelled.
pub(super) fn mark(text: &str) -> Option<(u32, u32, MarkSpelling)> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (value, number(mask)?),
        None => (text, u32::MAX),
    };
    let spelling = if value == "0" { MarkSpelling::Clear } else { MarkSpelling::Hex };
    Some((number(value)?, mask, spelling))
}

/// `NEW,ESTABLISHED`
pub(super) fn states(text: &str) -> Option<ConntrackStates> {
    text.split(',').try_fold(ConntrackStates(0), |all, word| {
        let state = ConntrackStates::NAMES.iter().find(|(name, _)| *name == word)?;
        Some(all.or(state.1))
    })
}

/// `address` or `address:port`, an IPv6 address with a port in brackets; what comes after the colon.
pub(super) fn endpoint(text: &str) -> Option<(IpAddr, Option<&str>)> {
    if let Some(inside) = text.strip_prefix('[') {
        let (host, port) = inside.split_once(']')?;
        let host: std::net::Ipv6Addr = host.parse().ok()?;
        return match port {
            "" => Some((host.into(), None)),
            port => Some((host.into(), Some(port.strip_prefix(':')?))),
        };
    }
    if let Ok(host) = text.parse() {
        return Some((host, None));
    }
    let (host, port) = text.split_once(':')?;
    let host: Ipv4Addr = host.parse().ok()?;
    Some((host.into(), Some(port)))
}
