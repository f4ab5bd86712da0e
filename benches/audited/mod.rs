//! A cluster to audit: workers with a private and a public interface, and services that a guard leaves open in part.

use std::fmt::Write;

/// Endpoints of each service.
const ENDPOINTS: usize = 4;

/// A cluster with so many nodes and services, as YAML. Every service has a load balancer's address and a node port, and
/// pods on four nodes; node ports of the first half are for an office only.
pub fn cluster(nodes: usize, services: usize) -> String {
    let mut text = String::from(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: shop}\n---\n\
         apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: pool}\n\
         spec: {cidr: 10.244.0.0/16, natOutgoing: true, ipipMode: Never, nodeSelector: all()}\n---\n",
    );
    let mut add = |object: String| writeln!(text, "{object}\n---").expect("memory");
    for node in 0..nodes {
        add(format!(
            "apiVersion: v1\nkind: Node\nmetadata:\n  name: worker-{node}\n  annotations: \
             {{projectcalico.org/IPv4Address: 10.0.{node}.11/16}}\nstatus:\n  addresses:\n  - \
             {{type: InternalIP, address: 10.0.{node}.11}}\n  - {{type: ExternalIP, address: 203.0.{node}.11}}"
        ));
        for (interface, role) in [("eth0", "private"), ("eth1", "public")] {
            add(format!(
                "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: worker-{node}-{role}, labels: \
                 {{role: {role}}}}}\nspec: {{node: worker-{node}, interfaceName: {interface}}}"
            ));
        }
    }
    let policy = |name: &str, spec: String| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {spec}"
        )
    };
    add(policy(
        "trust-private",
        "{order: 1000, selector: role == 'private', types: [Ingress, Egress], ingress: [{action: Allow}], egress: \
         [{action: Allow}]}"
            .to_owned(),
    ));
    let guarded = format!("['30000:{}']", 30_000 + services / 2 - 1);
    add(policy(
        "office",
        format!(
            "{{order: 100, preDNAT: true, applyOnForward: true, selector: role == 'public', types: [Ingress], ingress: \
             [{{action: Allow, protocol: TCP, source: {{nets: [192.0.2.0/28]}}, destination: {{ports: {guarded}}}}}, \
             {{action: Deny, protocol: TCP, destination: {{ports: {guarded}}}}}]}}"
        ),
    ));
    for service in 0..services {
        add(format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: app-{service}, namespace: shop}}\n\
             spec:\n  podSelector: {{matchLabels: {{app: app-{service}}}}}\n  policyTypes: [Ingress]\n  ingress: \
             [{{ports: [{{port: 8080}}]}}]"
        ));
        let mut endpoints = Vec::new();
        for number in service * ENDPOINTS..(service + 1) * ENDPOINTS {
            let (node, address) =
                (number % nodes, format!("10.244.{}.{}", number % nodes, 10 + number / nodes));
            add(format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: app-{number}, namespace: shop, labels: {{app: \
                 app-{service}}}}}\nspec: {{nodeName: worker-{node}, containers: [{{name: app, image: app, ports: \
                 [{{containerPort: 8080}}]}}]}}\nstatus: {{phase: Running, podIP: {address}, podIPs: [{{ip: {address}}}]}}"
            ));
            endpoints.push(format!("{{addresses: [{address}], nodeName: worker-{node}}}"));
        }
        let (address, port) = (service + 1, 30_000 + service);
        add(format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: app-{service}, namespace: shop}}\nspec: {{type: \
             LoadBalancer, clusterIP: 10.96.0.{address}, clusterIPs: [10.96.0.{address}], selector: {{app: \
             app-{service}}}, ports: [{{name: http, port: 80, targetPort: 8080, nodePort: {port}}}]}}\nstatus: \
             {{loadBalancer: {{ingress: [{{ip: 198.51.100.{address}}}]}}}}"
        ));
        add(format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: app-{service}-1, namespace: shop, \
             labels: {{kubernetes.io/service-name: app-{service}}}}}\naddressType: IPv4\nendpoints: [{}]\nports: \
             [{{name: http, port: 8080}}]",
            endpoints.join(", ")
        ));
    }
    text
}
