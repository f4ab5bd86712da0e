//! What a target says.

use super::option::Opt;
use super::values;
use crate::ir::{Action, ConnectionMark, MarkSpelling, RejectWith, Translation};

/// Targets that change nothing that rules look at.
const NEUTRAL: [&str; 18] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNSECMARK",
    "DSCP",
    "HL",
    "IDLETIMER",
    "LED",
    "LOG",
    "NFLOG",
    "RATEEST",
    "SECMARK",
    "TCPMSS",
    "TEE",
    "TOS",
    "TRACE",
    "TTL",
    "ULOG",
];

/// The action of a target with its options. `raw` is all of it as it is written, and stays where it is
/// not understood. `is_chain`: there is a chain of this name, and no option.
pub(super) fn read(name: &str, options: &[Opt<'_>], raw: &str, is_chain: bool) -> Action {
    let verbatim = || match NEUTRAL.contains(&name) {
        true => Action::Neutral(raw.into()),
        false => Action::Other(raw.into()),
    };
    if options.is_empty() {
        match name {
            "ACCEPT" => return Action::Accept,
            "DROP" => return Action::Drop,
            "RETURN" => return Action::Return,
            _ if is_chain => return Action::Jump(name.into()),
            _ => {}
        }
    }
    let read = match name {
        "REJECT" => reject(options),
        "MARK" => mark(options),
        "NOTRACK" if options.is_empty() => Some(Action::NoTrack),
        "CT" if matches!(options, [Opt { name: "notrack", values, .. }] if values.is_empty()) => {
            Some(Action::NoTrack)
        }
        "CT" if !options.is_empty() && options.iter().all(is_for_later) => Some(Action::Neutral(raw.into())),
        "LOG" => log(options),
        "NFLOG" => nflog(options),
        "CONNMARK" => connection_mark(options).map(Action::ConnectionMark),
        "DNAT" => translation(options, Some("to-destination"), None).map(Action::Dnat),
        "SNAT" => translation(options, Some("to-source"), None).map(Action::Snat),
        "REDIRECT" => translation(options, None, Some("to-ports")).map(Action::Redirect),
        "MASQUERADE" => translation(options, None, Some("to-ports")).map(Action::Masquerade),
        "NETMAP" => netmap(options),
        "DSCP" => dscp(options),
        _ => None,
    };
    read.unwrap_or_else(verbatim)
}

/// An option of CT that says nothing about this packet: who expects more connections, who is told, and how long a
/// connection is remembered.
fn is_for_later(option: &Opt<'_>) -> bool {
    matches!(option.name, "helper" | "ctevents" | "expevents" | "timeout")
}

/// The one value of an option that is not negated.
fn value<'w>(option: &Opt<'w>) -> Option<&'w str> {
    match option.values[..] {
        [value] if !option.negated => Some(value),
        _ => None,
    }
}

/// The value of the option of this name; `None` if there is none, or more than one.
fn only<'w>(options: &[Opt<'w>], name: &str) -> Option<&'w str> {
    let mut found = options.iter().filter(|option| option.name == name);
    found.next().filter(|_| found.next().is_none()).and_then(value)
}

fn reject(options: &[Opt<'_>]) -> Option<Action> {
    let with = match options {
        [] => RejectWith::PortUnreachable,
        [option] if option.name == "reject-with" => match value(option)? {
            "icmp-port-unreachable" | "icmp6-port-unreachable" => RejectWith::PortUnreachable,
            "tcp-reset" => RejectWith::TcpReset,
            other => RejectWith::Error(RejectWith::ERRORS.into_iter().find(|error| *error == other)?),
        },
        _ => return None,
    };
    Some(Action::Reject(with))
}

fn mark(options: &[Opt<'_>]) -> Option<Action> {
    let [option] = options else { return None };
    let (value, mask, spelling) = set_mark(option)?;
    Some(Action::Mark { value, mask, spelling })
}

/// An option that sets a mark: bits to set or turn over, bits to replace.
fn set_mark(option: &Opt<'_>) -> Option<(u32, u32, MarkSpelling)> {
    let text = value(option)?;
    Some(match option.name {
        "set-xmark" => values::mark(text)?,
        // replaces the bits of the value, too
        "set-mark" => {
            let (value, mask, spelling) = values::mark(text)?;
            (value, mask | value, spelling)
        }
        "or-mark" => {
            let bits = values::number(text)?;
            (bits, bits, MarkSpelling::Hex)
        }
        "and-mark" => (0, !values::number(text)?, MarkSpelling::Hex),
        "xor-mark" => (values::number(text)?, 0, MarkSpelling::Hex),
        _ => return None,
    })
}

fn connection_mark(options: &[Opt<'_>]) -> Option<ConnectionMark> {
    if let [option] = options
        && let Some((value, mask, _)) = set_mark(option)
    {
        return Some(ConnectionMark::Set { value, mask });
    }
    let (way, masks) = options.split_first()?;
    let mask = |name: &str| match masks.iter().any(|option| option.name == name) {
        true => only(masks, name).and_then(values::number),
        false => Some(u32::MAX),
    };
    let known = |option: &Opt<'_>| matches!(option.name, "nfmask" | "ctmask" | "mask");
    if !way.values.is_empty() || way.negated || !masks.iter().all(known) {
        return None;
    }
    let both = mask("mask")?;
    let (packet_mask, connection_mask) = (mask("nfmask")? & both, mask("ctmask")? & both);
    match way.name {
        "save-mark" => Some(ConnectionMark::Save { packet_mask, connection_mask }),
        "restore-mark" => Some(ConnectionMark::Restore { packet_mask, connection_mask }),
        _ => None,
    }
}

/// As Felix logs: level 5, and a prefix that ends in a colon and a space.
fn log(options: &[Opt<'_>]) -> Option<Action> {
    let (2, "5") = (options.len(), only(options, "log-level")?) else { return None };
    let prefix = only(options, "log-prefix")?.strip_suffix(": ")?;
    Some(Action::Log { prefix: prefix.into() })
}

fn nflog(options: &[Opt<'_>]) -> Option<Action> {
    let group = only(options, "nflog-group");
    let prefix = only(options, "nflog-prefix")?;
    let (size, range) = match (only(options, "nflog-size"), only(options, "nflog-range")) {
        (Some(size), None) => (size, false),
        (None, Some(size)) => (size, true),
        _ => return None,
    };
    if options.len() != 2 + usize::from(group.is_some()) {
        return None;
    }
    Some(Action::NfLog {
        // 0 is the default and is not printed
        group: group.map_or(Some(0), values::decimal)?,
        prefix: prefix.into(),
        size: values::decimal(size)?,
        range,
    })
}

/// A translation that must say where to, or may name ports.
fn translation(options: &[Opt<'_>], to: Option<&str>, ports: Option<&str>) -> Option<Box<Translation>> {
    let mut made = Translation::default();
    if let Some(name) = to {
        (made.addresses, made.ports) = values::endpoints(only(options, name)?)?;
    }
    for option in options {
        let flag = match option.name {
            name if Some(name) == to => continue,
            name if Some(name) == ports => {
                made.ports = Some(values::dashed_range(only(options, name)?)?);
                continue;
            }
            "random" => &mut made.random,
            "random-fully" => &mut made.random_fully,
            "persistent" => &mut made.persistent,
            _ => return None,
        };
        if option.negated || !option.values.is_empty() || std::mem::replace(flag, true) {
            return None;
        }
    }
    Some(made.into())
}

/// Only networks that have a length.
fn netmap(options: &[Opt<'_>]) -> Option<Action> {
    let ("to", [option]) = (options.first()?.name, options) else { return None };
    let net = values::address(value(option)?).ok()??.net();
    Some(Action::NetMap(net)).filter(|_| net == net.trunc())
}

fn dscp(options: &[Opt<'_>]) -> Option<Action> {
    let [option] = options else { return None };
    let ("set-dscp", number) = (option.name, values::number(value(option)?)?) else { return None };
    Some(Action::Dscp(u8::try_from(number).ok().filter(|number| *number < 64)?))
}
