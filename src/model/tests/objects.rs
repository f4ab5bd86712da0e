//! All other kinds.

use super::{lower_one, stored, verdict, verdicts};
use crate::model::calico::FieldValue;
use crate::model::core::TransportProtocol;
use crate::model::{Outcome, Resource};

fn v3(kind: &'static str) -> impl Fn(&str) -> String {
    move |spec| {
        format!("{{apiVersion: projectcalico.org/v3, kind: {kind}, metadata: {{name: x}}, spec: {{{spec}}}}}")
    }
}

fn crd(kind: &'static str) -> impl Fn(&str) -> String {
    move |spec| v3(kind)(spec).replace("projectcalico.org/v3", "crd.projectcalico.org/v1")
}

#[test]
fn pods() {
    let text = "
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: a}, deletionTimestamp: x, annotations: {other: x, cni.projectcalico.org/podIP: 10.0.0.9/32}}
spec:
  initContainers: [{name: i, ports: [{name: init, containerPort: 1}]}]
  nodeName: n1
  serviceAccountName: sa
  hostNetwork: true
  containers: [{name: c, unknown: {deep: x}, ports: [{containerPort: 53, protocol: UDP, hostPort: 5353, name: dns}]}]
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}
";
    let Resource::Pod(pod) = stored(text) else { panic!("no Pod") };
    assert_eq!(
        (&*pod.name, &*pod.namespace, &*pod.node, &*pod.service_account),
        ("p", "default", "n1", "sa")
    );
    assert!(pod.host_network && pod.deleting);
    assert_eq!(pod.status_ips.len(), 2);
    assert_eq!(pod.annotations.iter().collect::<Vec<_>>(), [("cni.projectcalico.org/podIP", "10.0.0.9/32")]);
    // init containers come last, wherever they are written
    assert_eq!((&*pod.ports[0].name, pod.ports[0].host_port), ("dns", 5353));
    assert_eq!(
        (pod.ports[0].protocol, pod.ports[1].protocol),
        (TransportProtocol::Udp, TransportProtocol::Tcp)
    );
}

#[test]
fn pods_with_mistakes() {
    let pod = |inside: &str| format!("{{apiVersion: v1, kind: Pod, {inside}}}");
    verdicts(
        pod,
        &[
            ("metadata: {name: p}", "stored"),
            ("metadata: {name: p, labels: {a: 1}}", "refused: wrong-type"),
            ("metadata: {name: 5}", "refused: wrong-type"),
            (
                "metadata: {name: p}, spec: {containers: [{ports: [{containerPort: 70000}]}]}",
                "refused: bad-port",
            ),
            ("metadata: {generateName: p-}", "malformed: malformed-object"),
            ("spec: {}", "malformed: malformed-object"),
            ("metadata: [p]", "malformed: malformed-object"),
            ("metadata: {name: p}, spec: 5, status: []", "stored"),
        ],
    );
}

#[test]
fn namespaces_accounts_and_nodes() {
    let text = "{apiVersion: v1, kind: Namespace, metadata: {name: x, namespace: ignored, labels: {a: b}}}";
    let Resource::Namespace(namespace) = stored(text) else { panic!("no Namespace") };
    assert_eq!((&*namespace.meta.namespace, namespace.meta.labels.get("a")), ("", Some("b")));
    let Resource::ServiceAccount(account) =
        stored("{apiVersion: v1, kind: ServiceAccount, metadata: {name: s}}")
    else {
        panic!("no ServiceAccount")
    };
    assert_eq!(&*account.meta.namespace, "default");
    let text = "{apiVersion: v1, kind: Node, metadata: {name: x}, spec: {podCIDR: 10.0.1.0/24, podCIDRs: [10.0.1.0/24, 'fd00::/64']}, \
                status: {addresses: [{type: Hostname, address: n}]}}";
    let Resource::Node(node) = stored(text) else { panic!("no Node") };
    assert_eq!((node.pod_cidrs.len(), &*node.addresses[0].kind), (2, "Hostname"));
    assert_eq!(verdict(&text.replace("10.0.1.0/24", "10.0.1.0")), "refused: bad-net bad-net");
}

#[test]
fn services() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: s, namespace: web}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.1
  externalIPs: [192.0.2.1]
  externalTrafficPolicy: Local
  healthCheckNodePort: 30001
  loadBalancerSourceRanges: [' 198.51.100.0/24']
  selector: {app: a}
  ports: [{name: http, port: 80, targetPort: web, nodePort: 30000}, {port: 53, protocol: UDP}]
status: {loadBalancer: {ingress: [{ip: 203.0.113.1}, {hostname: lb.example.com}]}}
";
    let Resource::Service(service) = stored(text) else { panic!("no Service") };
    assert_eq!(
        (&*service.kind, service.external_local, service.internal_local),
        ("LoadBalancer", true, false)
    );
    assert_eq!(service.load_balancer_ips.len(), 1);
    assert_eq!(service.load_balancer_source_ranges[0].value.to_string(), "198.51.100.0/24");
    assert_eq!(service.health_check_node_port.as_ref().map(|p| p.value), Some(30001));
    assert_eq!((&*service.ports[0].target_port, service.ports[0].node_port), ("web", Some(30000)));
    assert_eq!((service.ports[1].protocol, service.ports[1].node_port), (TransportProtocol::Udp, None));
    let headless = "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: None}}";
    let Resource::Service(service) = stored(headless) else { panic!("no Service") };
    assert_eq!((service.cluster_ips.len(), &*service.kind), (0, "ClusterIP"));
    assert_eq!(verdict(&headless.replace("None", "nonsense")), "refused: bad-address");
    assert_eq!(verdict(&headless.replace("clusterIP: None", "ports: [{name: x}]")), "refused: missing-field");
}

#[test]
fn endpoints_and_slices() {
    let text = "{apiVersion: v1, kind: Endpoints, metadata: {name: s}, subsets: [{addresses: [{ip: 10.0.0.1}], \
                notReadyAddresses: [{ip: 10.0.0.2}], ports: [{port: 80}]}]}";
    let Resource::Endpoints(endpoints) = stored(text) else { panic!("no Endpoints") };
    assert_eq!((endpoints.subsets[0].addresses.len(), endpoints.subsets[0].ports[0].port), (1, Some(80)));
    let text = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, endpoints: [\
                {addresses: [10.0.0.1]}, {addresses: [example.com], conditions: {ready: false, terminating: true}, nodeName: n}], \
                ports: [{name: '', port: null}]}";
    let Resource::EndpointSlice(slice) = stored(text) else { panic!("no EndpointSlice") };
    let [first, second] = slice.endpoints.as_slice() else { panic!("two endpoints") };
    assert!(first.ready && first.serving && !first.terminating);
    assert!(!second.ready && !second.serving && second.terminating && second.addresses.is_empty());
    assert_eq!(slice.ports[0].port, None);
}

#[test]
fn kube_proxy_is_configured_in_a_config_map_or_alone() {
    let fields = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n\
                  nodePortAddresses: [10.0.0.0/8]\niptables: {masqueradeBit: 15}\n";
    let Resource::KubeProxy(alone) = stored(fields) else { panic!("no KubeProxyConfiguration") };
    assert_eq!((&*alone.mode, alone.masquerade_bit, alone.localhost_node_ports), ("ipvs", 15, true));
    let nets: Vec<String> = alone.node_port_addresses.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.0.0.0/8"]);
    for (is, wrong) in [("10.0.0.0/8", "10.0.0.0/33"), ("mode: ipvs", "mode: userspace")] {
        assert_eq!(verdict(&fields.replace(is, wrong)), "stored: kube-proxy-configuration", "{wrong}");
    }
    let map = |name: &str, text: &str| {
        let text: String = text.lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: kube-system}}\ndata:\n  \
             kubeconfig.conf: 'apiVersion: v1'\n  config.conf: |\n{text}"
        )
    };
    let Resource::KubeProxy(inside) = stored(&map("kube-proxy", fields)) else {
        panic!("none in the ConfigMap")
    };
    assert_eq!((&*inside.mode, &*inside.meta.name), ("ipvs", "kube-proxy"));
    // others are passed over, and so is one that cannot be read, but not in silence
    assert_eq!(verdict(&map("coredns", fields)), "passed over");
    let broken = map("kube-proxy", &format!("{fields}iptables: [\n"));
    let said: Vec<&str> = lower_one(&broken).diagnostics.iter().map(|own| own.id).collect();
    assert_eq!(said, ["kube-proxy-configuration"]);
}

#[test]
fn controllers_and_calico_node() {
    let text = |kind: &str, spec: &str| {
        format!("{{apiVersion: {kind}, metadata: {{name: calico-node}}, spec: {spec}}}")
    };
    let template = "{template: {metadata: {labels: {app: a}}, spec: {containers: [{name: calico-node, image: i:v3.32.1, env: [\
                    {name: FELIX_A, value: '1'}, {name: NODENAME, valueFrom: {fieldRef: {}}}, {name: FELIX_A, value: '2'}, {name: E}]}]}}}";
    let Resource::CalicoNode(node) = stored(&text("apps/v1, kind: DaemonSet", template)) else {
        panic!("no calico-node")
    };
    let env: Vec<_> = node.env.iter().map(|(n, v)| (&*n.value, v.as_ref().map(|v| &*v.value))).collect();
    assert_eq!(env, [("NODENAME", None), ("FELIX_A", Some("2")), ("E", Some(""))]);
    let Resource::Controller(controller) = stored(&text("apps/v1, kind: Deployment", template)) else {
        panic!("no Controller")
    };
    assert_eq!((&*controller.kind, controller.pod_labels.get("app")), ("Deployment", Some("a")));
    let job = format!("{{jobTemplate: {{spec: {template}}}}}");
    let Resource::Controller(cron) = stored(&text("batch/v1, kind: CronJob", &job)) else {
        panic!("no Controller")
    };
    assert_eq!(cron.pod_labels.get("app"), Some("a"));
    // a DaemonSet of that name without that container is one like any other
    assert!(matches!(stored(&text("apps/v1, kind: DaemonSet", "{}")), Resource::Controller(_)));
}

#[test]
fn tiers() {
    let Resource::Tier(tier) = stored(&v3("Tier")("defaultAction: Pass")) else { panic!("no Tier") };
    assert_eq!((tier.order, tier.default_pass), (Some(1e6), true));
    verdicts(v3("Tier"), &[("defaultAction: Allow", "rejected: wrong-value"), ("order: 1e3", "stored")]);
    let named = |name: &str| v3("Tier")("order: 5").replace("name: x", &format!("name: {name}"));
    verdicts(
        named,
        &[
            ("a.b", "rejected: bad-name"),
            ("default", "rejected: bad-tier"),
            ("kube-admin", "rejected: bad-tier schema-rule"),
        ],
    );
    let builtin = v3("Tier")("order: 1000000").replace("name: x", "name: default");
    assert_eq!(verdict(&builtin), "stored");
    assert_eq!(
        verdict("{apiVersion: crd.projectcalico.org/v1, kind: Tier, metadata: {name: t}}"),
        "refused: missing-field"
    );
}

#[test]
fn network_sets() {
    let text = v3("GlobalNetworkSet")("nets: [10.1.2.3, 10.9.9.9/16, 'fd00::1/64']");
    let Resource::NetworkSet(set) = stored(&text) else { panic!("no set") };
    let nets: Vec<_> = set.nets.iter().map(|n| n.value.to_string()).collect();
    assert_eq!(nets, ["10.1.2.3/32", "10.9.0.0/16", "fd00::/64"]);
    assert!(set.global && set.meta.namespace.is_empty());
    verdicts(
        v3("NetworkSet"),
        &[
            ("nets: [nonsense]", "rejected: wrong-value"),
            ("nets: [a], extra: 1", "rejected: wrong-value unknown-field"),
        ],
    );
    verdicts(
        crd("NetworkSet"),
        &[("nets: [nonsense]", "stored: ignored-net"), ("extra: 1", "stored: pruned-field")],
    );
    let labelled = text.replace("name: x", "name: x, labels: {projectcalico.org/namespace: x}");
    assert_eq!(verdict(&labelled), "rejected: bad-label");
}

#[test]
fn host_endpoints() {
    let text = v3("HostEndpoint")(
        "node: n1, interfaceName: eth0, expectedIPs: [10.0.0.1], profiles: [p], ports: [{name: http, protocol: TCP, port: 80}]",
    );
    let Resource::HostEndpoint(endpoint) = stored(&text) else { panic!("no HostEndpoint") };
    assert_eq!((&*endpoint.node, &*endpoint.interface, endpoint.ports[0].port), ("n1", "eth0", 80));
    verdicts(
        v3("HostEndpoint"),
        &[
            ("node: n1, interfaceName: '*'", "stored"),
            ("node: n1", "rejected: missing-field"),
            ("interfaceName: eth0", "rejected: missing-field"),
            ("node: '<node>', expectedIPs: ['<ip>']", "rejected: wrong-value wrong-value"),
            ("node: n1, interfaceName: a-name-of-16-chr", "rejected: wrong-value"),
            (
                "node: n1, interfaceName: eth0, ports: [{name: HTTP, protocol: ICMP, port: 1}]",
                "rejected: bad-name bad-protocol",
            ),
            (
                "node: n1, interfaceName: eth0, ports: [{name: a, protocol: TCP, port: 0}]",
                "rejected: wrong-value",
            ),
        ],
    );
    verdicts(
        crd("HostEndpoint"),
        &[
            ("node: n1", "stored: schema-rule"),
            ("node: n1, expectedIPs: [nonsense]", "stored: ignored-address"),
            (
                "node: n1, interfaceName: eth0, ports: [{name: a, protocol: TCP, port: 65536}]",
                "refused: wrong-value",
            ),
        ],
    );
}

#[test]
fn pools() {
    let Resource::IpPool(pool) = stored(&v3("IPPool")("cidr: 10.0.0.0/16, natOutgoing: true")) else {
        panic!("no pool")
    };
    assert_eq!((&*pool.ipip_mode, &*pool.vxlan_mode, pool.allowed_uses.len()), ("Never", "Never", 2));
    let Resource::IpPool(pool) = stored(&crd("IPPool")("cidr: 10.0.0.0/16")) else { panic!("no pool") };
    assert_eq!((&*pool.ipip_mode, &*pool.vxlan_mode, pool.allowed_uses.len()), ("", "", 0));
    verdicts(
        v3("IPPool"),
        &[
            // host bits are cleared before anybody looks
            ("cidr: 10.0.0.1/16", "stored"),
            ("cidr: 10.0.0.1", "rejected: wrong-value"),
            ("natOutgoing: true", "rejected: missing-field"),
            ("cidr: ''", "rejected: bad-pool"),
            ("cidr: 10.0.0.0/16, ipipMode: Always, vxlanMode: Always", "rejected: bad-pool"),
            ("cidr: 'fd00::/64', ipipMode: Always", "rejected: bad-pool"),
            ("cidr: 10.0.0.0/28", "rejected: bad-pool"),
            ("cidr: 10.0.0.0/28, disabled: true", "stored"),
            ("cidr: 10.0.0.0/16, blockSize: 19", "rejected: bad-pool"),
            ("cidr: 169.254.0.0/16", "rejected: bad-pool"),
            ("cidr: 10.0.0.0/16, allowedUses: [LoadBalancer, Tunnel]", "rejected: bad-pool"),
            ("cidr: 10.0.0.0/16, nodeSelector: 'a ='", "rejected: bad-selector"),
            ("cidr: 10.0.0.0/16, ipipMode: always", "rejected: wrong-value"),
        ],
    );
    verdicts(
        crd("IPPool"),
        &[("cidr: 10.0.0.0/16, ipipMode: Always, vxlanMode: Always", "stored: schema-rule")],
    );
}

#[test]
fn felix_configurations() {
    let text = v3("FelixConfiguration")(
        "logSeverityScreen: Info, IPTABLESMARKMASK: 16711680, failsafeInboundHostPorts: [{protocol: tcp, port: 22}], \
         failsafeOutboundHostPorts: [], externalNodesList: [10.0.0.0/8], ipv6Support: false, routeTableRange: {min: 1, max: 9}",
    );
    let Outcome::Stored(resource) = lower_one(&text).outcome else { panic!("not stored") };
    let Resource::FelixConfiguration(configuration) = resource else { panic!("no FelixConfiguration") };
    let get =
        |name: &str| configuration.fields.iter().find(|(n, _)| &*n.value == name).map(|(_, v)| v.clone());
    assert_eq!(get("iptablesMarkMask"), Some(FieldValue::Int(16_711_680)));
    let tcp_22 = vec![("protocol".into(), "tcp".into()), ("port".into(), "22".into())];
    assert_eq!(get("failsafeInboundHostPorts"), Some(FieldValue::Maps(vec![tcp_22])));
    assert_eq!(get("failsafeOutboundHostPorts"), Some(FieldValue::List(Vec::new())));
    assert_eq!(get("ipv6Support"), Some(FieldValue::Bool(false)));
    // what is filled in
    assert_eq!(get("floatingIPs"), Some(FieldValue::String("Disabled".into())));
    assert_eq!(get("nftablesMode"), Some(FieldValue::String("Auto".into())));
    verdicts(
        v3("FelixConfiguration"),
        &[
            ("interfacePrefx: cali", "rejected: unknown-field"),
            ("defaultEndpointToHostAction: drop", "rejected: wrong-value"),
            ("iptablesFilterDenyAction: Reject", "stored"),
            ("iptablesMarkMask: 4294901760", "stored: schema-rule"),
            ("iptablesMarkMask: 4294967296", "rejected: wrong-value"),
            ("ipv6Support: 'false'", "rejected: wrong-type"),
            ("reportingInterval: 30", "rejected: wrong-type"),
            ("reportingInterval: 30 s", "rejected: wrong-value"),
            ("natOutgoingAddress: 'fd00::1'", "rejected: bad-felix-configuration"),
            ("natPortRange: '9:8'", "rejected: wrong-value"),
            ("kubeNodePortRanges: [http]", "rejected: bad-felix-configuration"),
            ("kubeNodePortRanges: [1,2,3,4,5,6,7,8]", "rejected: bad-felix-configuration"),
            ("externalNodesList: ['fd00::/8']", "rejected: bad-felix-configuration"),
            ("failsafeInboundHostPorts: [{protocol: tcp, port: 70000}]", "rejected: wrong-value"),
            ("routeTableRange: {min: 0, max: 300}", "rejected: bad-felix-configuration"),
            ("routeTableRanges: [{min: 1, max: 100000}]", "rejected: bad-felix-configuration"),
            ("logPrefix: 'a;b'", "stored: schema-rule"),
        ],
    );
    verdicts(
        crd("FelixConfiguration"),
        &[
            ("defaultEndpointToHostAction: drop", "stored"),
            ("defaultEndpointToHostAction: nothing", "refused: wrong-value"),
            ("iptablesMarkMask: 4294901760", "refused: wrong-value"),
            ("iptablesMarkMask: -1", "never in sync: never-in-sync"),
            ("failsafeInboundHostPorts: [{port: 70000}]", "never in sync: never-in-sync"),
            ("failsafeInboundHostPorts: [{protocol: tcp}]", "refused: missing-field"),
            ("interfacePrefx: cali", "stored: pruned-field"),
        ],
    );
    let Resource::FelixConfiguration(stored) = stored(&crd("FelixConfiguration")("bpfEnabled: false")) else {
        panic!()
    };
    assert!(!stored.fields.iter().any(|(name, _)| &*name.value == "floatingIPs"));
}

#[test]
fn other_configurations() {
    let default = |text: String| text.replace("name: x", "name: default");
    let text =
        default(v3("BGPConfiguration")("serviceClusterIPs: [{cidr: 10.96.0.0/12}], asNumber: '64512'"));
    let Resource::BgpConfiguration(bgp) = stored(&text) else { panic!("no BGPConfiguration") };
    assert_eq!(&*bgp.service_cluster_ips[0], "10.96.0.0/12");
    verdicts(
        v3("BGPConfiguration"),
        &[
            ("serviceClusterIPs: [{cidr: 10.96.0.0/12}]", "rejected: bad-bgp-configuration"),
            ("serviceClusterIPs: [{cidr: 10.96.0.1/12}]", "rejected: wrong-value"),
            ("asNumber: x", "rejected: wrong-value"),
        ],
    );
    let text = v3("ClusterInformation")("calicoVersion: v3.32.1, clusterType: k8s");
    let Resource::ClusterInformation(information) = stored(&text) else { panic!("no ClusterInformation") };
    assert_eq!(&*information.calico_version.value, "v3.32.1");
    verdicts(
        v3("KubeControllersConfiguration"),
        &[
            ("controllers: {node: {hostEndpoint: {autoCreate: Enabled}}}", "passed over"),
            (
                "controllers: {node: {hostEndpoint: {templates: [{annotations: {a: b}}]}}}",
                "rejected: unknown-field",
            ),
        ],
    );
    assert_eq!(verdict(&v3("Profile")("egress: []")), "rejected: profile-not-writable");
    assert_eq!(
        verdict(&v3("Profile")("{}").replace("name: x", "name: kns.web").replace("{{}}", "{}")),
        "passed over"
    );
}

#[test]
fn kinds_that_are_none() {
    verdicts(
        |head| format!("{{{head}, metadata: {{name: x}}}}"),
        &[
            ("kind: Pod", "malformed: malformed-object"),
            ("apiVersion: v1", "malformed: malformed-object"),
            ("apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolcy", "malformed: unknown-kind"),
            ("apiVersion: v1, kind: policy", "malformed: unsupported-kind"),
            (
                "apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy",
                "refused: unsupported-kind",
            ),
            ("apiVersion: measure/v1, kind: NodeInterfaces", "passed over"),
            ("apiVersion: v1, kind: ConfigMap", "passed over"),
        ],
    );
    let lowered = lower_one("{apiVersion: measure/v1, kind: NodeInterfaces}");
    assert!(matches!(lowered.outcome, Outcome::PassedOver));
    assert_eq!(&*lowered.subject.unwrap().kind_and_group(), "NodeInterfaces.measure");
}
