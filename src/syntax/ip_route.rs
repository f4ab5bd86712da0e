//! What `ip -j route` and `ip -j -6 route` print: a node's main routing table.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// the addresses that it is for
    pub net: IpNet,
    /// what becomes of packets to them
    pub way: Way,
    /// of several routes for one range, the one with the lowest metric counts
    pub metric: u32,
}

/// What becomes of a packet on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// it leaves on this interface
    Device(Box<str>),
    /// it is for the node itself
    Local,
    /// it is discarded
    Discard,
}

/// A route as `ip` prints it; fields that do not matter here are left out.
#[derive(Deserialize)]
struct Printed {
    dst: String,
    dev: Option<Box<str>>,
    #[serde(rename = "type")]
    kind: Option<String>,
    metric: Option<u32>,
    gateway: Option<String>,
    #[serde(default)]
    nexthops: Vec<NextHop>,
}

#[derive(Deserialize)]
struct NextHop {
    dev: Option<Box<str>>,
    gateway: Option<String>,
}

/// Reads the output of one of the commands. `ip` prints `default` for both families, so the family of
/// such a route is that of its gateway, else that of the other routes; alone it is IPv4.
///
/// # Errors
///
/// A text that says what is wrong with the input.
pub fn parse(text: &str) -> Result<Vec<Route>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let printed: Vec<Printed> = serde_json::from_str(text)
        .map_err(|error| format!("this is not what `ip -j route` prints: {error}"))?;
    let others_are_v6 = printed.iter().any(|route| route.dst.contains(':'));
    printed.into_iter().map(|route| one(route, others_are_v6)).collect()
}

fn one(route: Printed, others_are_v6: bool) -> Result<Route, String> {
    let hop = route.nexthops.into_iter().next();
    let gateway = route.gateway.or_else(|| hop.as_ref().and_then(|hop| hop.gateway.clone()));
    let net = match &*route.dst {
        "default" => {
            let v6 = gateway.map_or(others_are_v6, |gateway| gateway.contains(':'));
            if v6 {
                IpNet::from(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0))
            } else {
                IpNet::from(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))
            }
        }
        text => text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| format!("`{text}` is no destination of a route"))?
            .trunc(),
    };
    let way = match route.kind.as_deref() {
        Some("blackhole" | "unreachable" | "prohibit" | "throw") => Way::Discard,
        Some("local") => Way::Local,
        _ => match route.dev.or_else(|| hop.and_then(|hop| hop.dev)) {
            Some(device) => Way::Device(device),
            None => return Err(format!("the route to `{}` has no device", route.dst)),
        },
    };
    Ok(Route { net, way, metric: route.metric.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read() {
        let text = r#"[
            {"dst": "default", "gateway": "10.0.0.1", "dev": "eth0", "protocol": "static", "flags": []},
            {"dst": "10.244.0.5", "dev": "cali1", "scope": "link"},
            {"type": "blackhole", "dst": "10.244.0.0/26", "flags": []},
            {"dst": "172.16.0.0/12", "nexthops": [{"gateway": "10.0.0.2", "dev": "eth1", "weight": 1}], "metric": 20}
        ]"#;
        let routes = parse(text).unwrap();
        let shown: Vec<_> = routes.iter().map(|r| (r.net.to_string(), r.way.clone(), r.metric)).collect();
        let device = |name: &str| Way::Device(name.into());
        assert_eq!(
            shown,
            [
                ("0.0.0.0/0".to_owned(), device("eth0"), 0),
                ("10.244.0.5/32".to_owned(), device("cali1"), 0),
                ("10.244.0.0/26".to_owned(), Way::Discard, 0),
                ("172.16.0.0/12".to_owned(), device("eth1"), 20),
            ]
        );
    }

    #[test]
    fn a_default_route_is_of_the_family_of_its_table() {
        let routes =
            parse(r#"[{"dst": "fe80::/64", "dev": "eth0"}, {"dst": "default", "dev": "eth0"}]"#).unwrap();
        assert_eq!(routes[1].net.to_string(), "::/0");
    }

    #[test]
    fn what_is_no_table_of_routes_is_an_error() {
        assert!(parse("").unwrap().is_empty());
        for text in ["{}", "[{}]", r#"[{"dst": "x", "dev": "eth0"}]"#, r#"[{"dst": "10.0.0.0/8"}]"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
