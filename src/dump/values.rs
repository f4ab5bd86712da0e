//! Values of options: addresses, ports, marks, states.

use crate::ir::{Address, ConntrackStates, MarkSpelling};
use ipnet::IpNet;
use std::net::IpAddr;

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

/// `80` or `80-90`, which does not end before it begins
pub(super) fn dashed_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (decimal(first)?, decimal(last)?);
    (first <= last).then_some((first, last))
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

/// Addresses and ports to choose from.
type Endpoints = (Option<(IpAddr, IpAddr)>, Option<(u16, u16)>);

/// `address`, `first-last`, either with `:port` or `:first-last` after it, or only that; IPv6 addresses
/// that have ports are in brackets.
pub(super) fn endpoints(text: &str) -> Option<Endpoints> {
    // the colon before ports, if there are any
    let (addresses, ports) = match (text.strip_prefix('['), text.rsplit_once(':')) {
        (Some(inside), _) => {
            let (addresses, rest) = inside.split_once(']')?;
            (addresses, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        (None, Some((before, after))) if !before.contains(':') => (before, Some(after)),
        (None, _) => (text, None),
    };
    let ports = match ports {
        Some(ports) => Some(dashed_range(ports)?),
        None => None,
    };
    if addresses.is_empty() {
        return ports.map(|ports| (None, Some(ports)));
    }
    let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
    let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    let is_range = first.is_ipv4() == last.is_ipv4() && first <= last;
    is_range.then_some((Some((first, last)), ports))
}
