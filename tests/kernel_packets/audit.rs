//! What `audit` says of services, against the real kernel with kube-proxy's DNAT: from the internet, private networks,
//! other nodes, pods and the node itself, to every load balancer address, external IP, node port and health check port,
//! with one endpoint at a time where there are several.
//!
//! kube-proxy's rules are written here from the manifests' services and endpoints, not by what the program derives.

use super::common::root;
use super::frame;
use super::lab::Lab;
use super::proxy::{self, Service};
use super::record::{Record, Records};
use super::setup::restore_more;
use super::{INSIDE, again_inside, kernel_is_here};
use netpolc::audit::exposure::{Exposure, Reached, Verdict};
use netpolc::audit::nodes::Given;
use netpolc::audit::targets::{Kind, Target};
use netpolc::audit::walk::End;
use netpolc::audit::ways::Way;
use netpolc::audit::zones::Whose;
use netpolc::audit::{self, Audit, Request};
use netpolc::felix;
use netpolc::ir::{ConntrackStates, Family};
use netpolc::kernel::packet::{Packet, number};
use netpolc::model::{InvalidMode, Resources, collect, lower};
use netpolc::resolve::Cluster;
use netpolc::source::{self, Input, Options};
use netpolc::syntax::{ip_addr, ip_route};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What the CNI plugin `portmap` writes for the pod of `fixtures/audit/hosts.yaml`.
const HOST_PORTS: &str = "*nat
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-DN-proxy - [0:0]
-A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-I POSTROUTING 1 -j CNI-HOSTPORT-MASQ
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-DNAT -p tcp -m multiport --destination-ports 8443,6060 -j CNI-DN-proxy
-A CNI-DN-proxy -p tcp --dport 8443 -s 10.244.1.30/32 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-proxy -p tcp --dport 8443 -s 127.0.0.1 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-proxy -p tcp --dport 8443 -j DNAT --to-destination 10.244.1.30:443
-A CNI-DN-proxy -p tcp --dport 6060 -d 10.0.0.11 -s 10.244.1.30/32 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-proxy -p tcp --dport 6060 -d 10.0.0.11 -s 127.0.0.1 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-proxy -p tcp --dport 6060 -d 10.0.0.11 -j DNAT --to-destination 10.244.1.30:6060
COMMIT
";

/// Sources of each kind that are tried for each answer.
const SOURCES: usize = 3;

#[test]
fn audits_are_what_the_kernel_does() {
    if std::env::var_os(INSIDE).is_some() {
        return std::thread::spawn(compare).join().expect("the kernel and audit agree");
    }
    if kernel_is_here() {
        again_inside("audit::audits_are_what_the_kernel_does");
    }
}

/// A cluster, its node whose rules are measured, and what is known of that.
struct Measured {
    name: String,
    manifests: Vec<PathBuf>,
    node: String,
    given: Given,
}

fn measured() -> Vec<Measured> {
    let mut all = Vec::new();
    for node in ["10.176.48.67", "10.176.48.78"] {
        let addresses = read(&root().join(format!("fixtures/iks/node/{node}/ip-addr.json")));
        let interfaces = Some(ip_addr::parse(&addresses).expect("addresses"));
        let given = Given { interfaces, routes: None };
        let manifests = vec![root().join("fixtures/iks/cluster")];
        all.push(Measured { name: format!("iks at {node}"), manifests, node: node.to_owned(), given });
    }
    for story in [&["web"][..], &["web", "guard"], &["local"], &["hosts"], &["outside"]] {
        let files = [&["cluster"], story].concat();
        let file = |name: &&str| root().join(format!("fixtures/audit/{name}.yaml"));
        all.push(Measured {
            name: files.join(", "),
            manifests: files.iter().map(file).collect(),
            node: "worker-1".to_owned(),
            given: Given::default(),
        });
    }
    let asked = |path: &Path| {
        let text = path.to_string_lossy();
        text.contains("/services/") || text.contains("/real/iks-")
    };
    for case in super::common::recorded().into_iter().filter(|path| asked(path)) {
        let routes = ["ip-route.json", "ip-route6.json"]
            .into_iter()
            .flat_map(|name| ip_route::parse(&read(&case.join("golden").join(name))).expect("routes"));
        let interfaces = ip_addr::parse(&read(&case.join("golden/ip-addr.json"))).expect("addresses");
        all.push(Measured {
            name: case.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            manifests: vec![case.join("cluster.yaml")],
            node: read(&case.join("node")).trim().to_owned(),
            given: Given { interfaces: Some(interfaces), routes: Some(routes.collect()) },
        });
    }
    all
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn resources(manifests: &[PathBuf]) -> Resources {
    let inputs: Vec<Input> = manifests.iter().cloned().map(Input::Path).collect();
    let read = source::read(&inputs, &Options::default(), |object| lower(object, Default::default()));
    collect(read.values, InvalidMode::Skip, Default::default()).resources
}

fn compare() {
    super::measure::stay_on_one_processor();
    let (mut sent, mut answers, mut wrong) = (0, 0, Vec::new());
    let mut seen: BTreeMap<(Kind, Verdict), usize> = BTreeMap::new();
    for case in measured() {
        let resources = resources(&case.manifests);
        let cluster = Cluster::new(&resources);
        let given = [(case.node.clone(), case.given.clone())].into();
        let request = Request { node: Some(&case.node), given, ..Request::default() };
        let audit = audit::run(&cluster, &request);
        let node = &audit.nodes[audit.entered.start];
        let compiled = felix::render(&node.view);
        // each endpoint of a service has its turn
        let services = services(&resources, &case.node);
        let pods =
            resources.pools.first().map_or("10.0.0.0/8".to_owned(), |pool| pool.cidr.value.to_string());
        let own = node_address(&resources, &case.node);
        let rounds = services.iter().map(|(_, own)| own.all.len()).max().unwrap_or_default().max(1);
        for round in 0..rounds {
            let loaded: Vec<Service> =
                services.iter().map(|(_, own)| with_one_endpoint(own, round)).collect();
            let mut lab = Lab::new(&node.view, &node.routes, &compiled);
            restore_more(&proxy::rules(&loaded, &pods, &own));
            if case.name.contains("hosts") {
                restore_more(HOST_PORTS);
            }
            for exposure in &audit.exposures {
                let target = &audit.targets[exposure.target];
                // kube-proxy's rules are written for IPv4
                if target.kind.is_range() || exposure.family == Family::V6 {
                    continue;
                }
                let endpoint =
                    services.iter().find(|((of, port), _)| *of == *target.of && *port == *target.port_name);
                let endpoint = endpoint.and_then(|(_, own)| turn(own, round));
                for question in questions(&audit, exposure, target, endpoint) {
                    let was = question.ask(&mut lab);
                    sent += 1;
                    answers += 1;
                    *seen.entry((target.kind, exposure.verdict)).or_default() += 1;
                    if was != question.passes {
                        wrong.push(format!(
                            "{}: {} from {} ({} on {}) to {} port {}, endpoint {:?}: audit says {}, the kernel {}",
                            case.name,
                            target.of,
                            question.source,
                            audit.zones[exposure.zone].name,
                            exposure.way.name(),
                            question.destination,
                            question.port,
                            question.endpoint,
                            question.passes,
                            was
                        ));
                    }
                }
            }
        }
    }
    super::say(&format!("{sent} packets for {answers} answers of audit, {} differ; {seen:?}", wrong.len()));
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(20)].join("\n"));
    let asked = |kind: Kind, verdict: Verdict| seen.contains_key(&(kind, verdict));
    for kind in [Kind::LoadBalancer, Kind::NodePort, Kind::HealthCheck] {
        for verdict in [Verdict::Open, Verdict::Blocked, Verdict::Restricted] {
            assert!(asked(kind, verdict), "no {kind:?} is {verdict:?}");
        }
    }
    for kind in [Kind::ExternalIp, Kind::HostPort, Kind::OutsideService, Kind::OutsideEndpoint] {
        assert!(seen.keys().any(|(own, _)| *own == kind), "no {kind:?} was asked for");
    }
}

/// The ports of services as kube-proxy would see them from a node, each with the service and the port's name.
fn services(resources: &Resources, node: &str) -> Vec<((String, String), Service)> {
    let mut all = Vec::new();
    for service in resources.services.iter().filter(|own| !own.cluster_ips.is_empty()) {
        let of = format!("{}/{}", service.meta.namespace, service.meta.name);
        let v4 = |list: &[netpolc::diagnostic::Spanned<IpAddr>]| -> Vec<String> {
            list.iter().map(|own| own.value).filter(IpAddr::is_ipv4).map(|own| own.to_string()).collect()
        };
        let Some(cluster_ip) = v4(&service.cluster_ips).into_iter().next() else { continue };
        for (place, port) in service.ports.iter().enumerate() {
            let (mut endpoints, mut here) = (Vec::new(), Vec::new());
            let is_own = |slice: &&netpolc::model::core::EndpointSlice| {
                let labels = &slice.meta.labels;
                slice.meta.namespace == service.meta.namespace
                    && labels.get("kubernetes.io/service-name") == Some(&*service.meta.name)
            };
            for slice in resources.endpoint_slices.iter().filter(is_own) {
                for number in
                    slice.ports.iter().filter(|own| own.name == port.name).filter_map(|own| own.port)
                {
                    for endpoint in slice.endpoints.iter().filter(|own| own.ready) {
                        let at = (endpoint.addresses[0].to_string(), number);
                        here.extend((*endpoint.node == *node).then(|| at.clone()));
                        endpoints.push(at);
                    }
                }
            }
            // without slices the control plane copies what is written by hand
            let by_hand = |own: &&netpolc::model::core::Endpoints| {
                endpoints.is_empty()
                    && own.meta.namespace == service.meta.namespace
                    && own.meta.name == service.meta.name
            };
            let copied: Vec<(String, u16)> = resources
                .endpoints
                .iter()
                .filter(by_hand)
                .flat_map(|own| &own.subsets)
                .flat_map(|subset| {
                    let numbers =
                        subset.ports.iter().filter(|own| own.name == port.name).filter_map(|own| own.port);
                    numbers.flat_map(|number| {
                        subset.addresses.iter().map(move |own| (own.value.to_string(), number))
                    })
                })
                .collect();
            endpoints.extend(copied);
            let name = format!("{}{place}", &of[of.len().saturating_sub(9)..]).replace('/', "-");
            let load_balancers = v4(&service.load_balancer_ips);
            all.push((
                (of.clone(), port.name.to_string()),
                Service {
                    name: name.trim_start_matches('-').to_owned(),
                    cluster_ip: cluster_ip.clone(),
                    external_ips: v4(&service.external_ips),
                    load_balancers: BTreeSet::from_iter(load_balancers).into_iter().collect(),
                    protocol: format!("{:?}", port.protocol).to_lowercase(),
                    port: port.port,
                    node_port: port.node_port,
                    external_local: service.external_local,
                    internal_local: service.internal_local,
                    ranges: service
                        .load_balancer_source_ranges
                        .iter()
                        .map(|net| net.value.to_string())
                        .collect(),
                    health_port: service.health_check_node_port.as_ref().map(|port| port.value),
                    all: endpoints,
                    here,
                },
            ));
        }
    }
    all
}

/// The endpoint whose turn it is: of those that outsiders get, where there are such.
fn turn(service: &Service, round: usize) -> Option<(IpAddr, u16)> {
    let all = &service.all;
    let (address, port) = all.get(round % all.len().max(1))?;
    Some((address.parse().expect("an address"), *port))
}

/// A service with no other endpoint than that; nodes that have none keep having none.
fn with_one_endpoint(service: &Service, round: usize) -> Service {
    let Some((address, port)) = turn(service, round) else { return service.clone() };
    let one = (address.to_string(), port);
    let here = if service.here.contains(&one) { vec![one.clone()] } else { Vec::new() };
    Service { all: vec![one], here, ..service.clone() }
}

fn node_address(resources: &Resources, node: &str) -> String {
    let node = resources.nodes.iter().find(|own| *own.meta.name == *node).expect("the node");
    let address = node.addresses.iter().find(|own| &*own.kind == "InternalIP").expect("an address");
    address.address.to_string()
}

/// One packet, and whether it passes this node.
struct Question<'q> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    port: u16,
    /// where it comes in; "" from the node
    interface: &'q str,
    endpoint: Option<(IpAddr, u16)>,
    passes: bool,
}

fn questions<'q>(
    audit: &'q Audit,
    exposure: &'q Exposure,
    target: &'q Target,
    endpoint: Option<(IpAddr, u16)>,
) -> Vec<Question<'q>> {
    let entered = &audit.nodes[exposure.node];
    let zone = &audit.zones[exposure.zone];
    let candidates: Vec<IpAddr> = match exposure.way {
        Way::Pods => entered.view.workloads.iter().flat_map(|pod| &pod.addresses).copied().collect(),
        Way::Host => {
            entered.view.interfaces.iter().flat_map(|own| &own.addresses).map(|net| net.addr()).collect()
        }
        Way::Interface(_) => {
            // those who get in, those beside them, and others of the zone
            let mut all: Vec<IpAddr> = Vec::new();
            for net in exposure.sources.iter().take(SOURCES) {
                all.extend([net.network(), net.broadcast()]);
                all.extend(beside(net.broadcast(), 1));
                all.extend(beside(net.network(), -1));
            }
            let given = ["192.0.2.9", "8.8.8.8", "10.0.0.99", "10.90.12.30", "192.168.3.4", "2001:db8::9"];
            all.extend(given.iter().map(|text| text.parse::<IpAddr>().expect("an address")));
            all.extend(zone.nets.iter().filter(|_| zone.whose != Whose::Nets).take(8).map(|net| net.addr()));
            all
        }
    };
    let is_of_family = |address: &IpAddr| address.is_ipv4() == (exposure.family == Family::V4);
    let is_in_zone = |address: &IpAddr| {
        !matches!(exposure.way, Way::Interface(_))
            || (zone.nets.iter().any(|net| net.contains(address))
                && !zone.without.iter().any(|net| net.contains(address)))
    };
    let comes_this_way = |address: &IpAddr| match &exposure.way {
        Way::Interface(name) => {
            let way = netpolc::kernel::route::Routes::new(&entered.interfaces, &entered.routes);
            matches!(way.way(exposure.family, number(*address)),
                Some(netpolc::syntax::ip_route::Way::Device(device)) if **device == **name)
        }
        _ => !address.is_loopback(),
    };
    let sources: BTreeSet<IpAddr> =
        candidates.into_iter().filter(is_of_family).filter(is_in_zone).filter(comes_this_way).collect();
    let destinations: Vec<IpAddr> = match target.address {
        Some(address) => vec![address],
        None => {
            let own = entered.view.interfaces.iter().flat_map(|own| &own.addresses).map(|net| net.addr());
            own.filter(is_of_family).filter(|address| !address.is_loopback()).collect()
        }
    };
    let mut questions = Vec::new();
    for source in &sources {
        let interface = match &exposure.way {
            Way::Interface(name) => &**name,
            Way::Host => "",
            Way::Pods => {
                let of = |pod: &&netpolc::resolve::view::WorkloadEndpoint| pod.addresses.contains(source);
                let pod = entered.view.workloads.iter().find(of).expect("a pod");
                &*pod.interface
            }
        };
        for destination in &destinations {
            // audit asks whether some address of the node does; those that do are told
            let at = exposure.at.is_empty() || exposure.at.contains(destination);
            if target.address.is_none() && !at {
                continue;
            }
            let is_of_source = |own: &&Reached| {
                own.sources.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(source)))
            };
            let ends: Vec<&Reached> = exposure
                .ends
                .iter()
                .filter(is_of_source)
                .filter(|own| endpoint.is_none() || own.to.is_none() || own.to == endpoint)
                .collect();
            let passing: BTreeSet<bool> = ends.iter().map(|own| passes(own, exposure.node)).collect();
            // where one source has both, its port or the node's address decides
            let [passes] = passing.iter().copied().collect::<Vec<bool>>()[..] else { continue };
            questions.push(Question {
                source: *source,
                destination: *destination,
                protocol: target.protocol,
                port: target.ports.0,
                interface,
                endpoint,
                passes,
            });
        }
    }
    questions
}

/// Whether packets leave the first node, or somebody there gets them.
fn passes(end: &Reached, node: usize) -> bool {
    match &end.end {
        End::Blocked { node: at, .. } | End::NoRoute(at) => {
            *at != node || end.hops.first().is_some_and(|hop| !hop.out.is_empty())
        }
        End::Pod { .. } | End::Node(_) | End::Outside { .. } | End::Lost(_) => true,
    }
}

fn beside(address: IpAddr, step: i64) -> Option<IpAddr> {
    match address {
        IpAddr::V4(own) => {
            Some(std::net::Ipv4Addr::from(u32::from(own).checked_add_signed(step as i32)?).into())
        }
        IpAddr::V6(own) => {
            Some(std::net::Ipv6Addr::from(u128::from(own).checked_add_signed(step.into())?).into())
        }
    }
}

impl Question<'_> {
    /// Sends it; gives whether it passes.
    fn ask(&self, lab: &mut Lab) -> bool {
        lab.forget_connections();
        let family = if self.source.is_ipv4() { Family::V4 } else { Family::V6 };
        let packet = Packet {
            family,
            source: number(self.source),
            destination: number(self.destination),
            protocol: self.protocol,
            source_port: 40_001,
            destination_port: self.port,
            syn: true,
            in_interface: self.interface,
            out_interface: "",
            mark: 0,
            connection_mark: 0,
            state: ConntrackStates::INVALID,
            untracked: false,
        };
        let mut records = Records(vec![Record::default()]);
        let bytes = frame::build(&packet, 1, false);
        match self.interface {
            "" => {
                let sent = lab.originate(family, packet.destination, &bytes, &mut records);
                records.0[0].refused = !sent;
            }
            interface => lab.arrive(interface, family, &bytes, &mut records),
        }
        lab.settle(&mut records);
        let outcome = records.0[0].outcome(self.interface.is_empty());
        ["forwarded", "sent", "delivered"].iter().any(|word| outcome.starts_with(word))
    }
}
