//! What a target says.

use super::option::Opt;
use super::values;
use crate::ir::{Action, MarkSpelling, RejectWith};

/// Targets that change nothing that rules look at.
const NEUTRAL: [&str; 14] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "DSCP",
    "HL",
    "IDLETIMER",
    "LED",
    "LOG",
    "NFLOG",
    "TCPMSS",
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
        "LOG" => log(options),
        "NFLOG" => nflog(options),
        "DNAT" => dnat(options),
        "SNAT" => snat(options),
        "MASQUERADE" => masquerade(options),
        "DSCP" => dscp(options),
        _ => None,
    };
    read.unwrap_or_else(verbatim)
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
    let text = value(option)?;
    let (value, mask, spelling) = match option.name {
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
    };
    Some(Action::Mark { value, mask, spelling })
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

fn dnat(options: &[Opt<'_>]) -> Option<Action> {
    let [option] = options else { return None };
    let ("to-destination", (address, port)) = (option.name, values::endpoint(value(option)?)?) else {
        return None;
    };
    let port = match port {
        Some(port) => Some(values::decimal(port)?),
        None => None,
    };
    Some(Action::Dnat { address, port })
}

fn snat(options: &[Opt<'_>]) -> Option<Action> {
    let random_fully = random(options, 1)?;
    let (address, ports) = values::endpoint(only(options, "to-source")?)?;
    let ports = match ports {
        Some(range) => Some(values::dashed_range(range)?),
        None => None,
    };
    Some(Action::Snat { address, ports, random_fully })
}

fn masquerade(options: &[Opt<'_>]) -> Option<Action> {
    let ports = match only(options, "to-ports") {
        Some(range) => Some(values::dashed_range(range)?),
        None => None,
    };
    let random_fully = random(options, usize::from(ports.is_some()))?;
    Some(Action::Masquerade { ports, random_fully })
}

/// Whether there is `--random-fully`; `None` if there is anything else than it and `others` options.
fn random(options: &[Opt<'_>], others: usize) -> Option<bool> {
    let asks = |option: &&Opt<'_>| option.name == "random-fully" && option.values.is_empty();
    match options.len().checked_sub(others)? {
        0 => Some(false),
        1 => options.iter().any(|option| asks(&option)).then_some(true),
        _ => None,
    }
}

fn dscp(options: &[Opt<'_>]) -> Option<Action> {
    let [option] = options else { return None };
    let ("set-dscp", number) = (option.name, values::number(value(option)?)?) else { return None };
    Some(Action::Dscp(u8::try_from(number).ok().filter(|number| *number < 64)?))
}
