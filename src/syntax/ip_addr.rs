//! What `ip -j addr` prints: a node's interfaces and their addresses.

use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;

/// An interface of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// e.g. `eth0`
    pub name: Box<str>,
    /// its addresses with their prefix lengths, host bits kept
    pub addresses: Vec<IpNet>,
    /// those of them that mean something on the node or on the link only (`scope`)
    pub near: Vec<IpAddr>,
}

#[derive(Deserialize)]
struct Link {
    ifname: Option<String>,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<IpAddr>,
    prefixlen: Option<u8>,
    scope: Option<String>,
}

/// Reads the output of `ip -j addr`: interfaces in their order, each with its addresses.
///
/// # Errors
///
/// A text that says what is wrong and where, if this is not such output.
pub fn parse(text: &str) -> Result<Vec<Interface>, String> {
    let links: Vec<Link> =
        serde_json::from_str(text).map_err(|error| format!("not the output of `ip -j addr`: {error}"))?;
    let mut interfaces = Vec::new();
    for link in links {
        // `ip` prints an empty object for links that a filter left out
        let Some(name) = link.ifname else { continue };
        let (mut addresses, mut near) = (Vec::new(), Vec::new());
        for address in link.addr_info {
            let (Some(local), Some(length)) = (address.local, address.prefixlen) else { continue };
            let net = IpNet::new(local, length).map_err(|_| {
                format!("interface `{name}`: `{local}` cannot have a prefix of {length} bits")
            })?;
            addresses.push(net);
            if matches!(address.scope.as_deref(), Some("host" | "link")) {
                near.push(local);
            }
        }
        // a veth's name may carry its peer: `cali1234@if3`
        let name = name.split('@').next().unwrap_or_default().into();
        interfaces.push(Interface { name, addresses, near });
    }
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_keep_their_order_and_host_bits() {
        let text = r#"[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},
            {}, {"ifname":"eth0@if5","addr_info":[{"local":"10.0.0.11","prefixlen":24},{"local":"fd00::b","prefixlen":64}]},
            {"ifname":"eth1"}]"#;
        let interfaces = parse(text).unwrap();
        let names: Vec<_> = interfaces.iter().map(|i| &*i.name).collect();
        assert_eq!(names, ["lo", "eth0", "eth1"]);
        let addresses: Vec<_> = interfaces[1].addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.11/24", "fd00::b/64"]);
    }

    #[test]
    fn other_text_is_refused_with_a_reason() {
        assert!(parse("").unwrap_err().contains("ip -j addr"));
        assert!(parse("{}").unwrap_err().contains("line 1 column"));
        assert!(parse(r#"[{"ifname":"a","addr_info":[{"local":"10.0.0.1","prefixlen":33}]}]"#).is_err());
    }
}
