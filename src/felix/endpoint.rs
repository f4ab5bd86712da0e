//! The chains of pods and host endpoints (`felix/rules/endpoints.go:422`, v3.32.1).

use super::context::{Context, jump};
use super::group;
use super::names;
use super::nflog;
use super::static_mangle::established;
use crate::diagnostic::Location;
use crate::ir::{Action, Chain, ConntrackStates, Match, Matcher, Origin, Protocol, RejectWith, Rule, Side};
use crate::model::calico::Direction;
use crate::resolve::view::{HostEndpoint, TierPolicies, WorkloadEndpoint};
use std::sync::Arc;

/// What a chain decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// traffic to or from the endpoint
    Normal,
    /// traffic through a host endpoint
    Forward,
    /// traffic to a host endpoint before services are translated
    PreDnat,
    /// traffic before conntrack
    Untracked,
}

/// One chain of an endpoint.
struct EndpointChain<'a> {
    kind: Kind,
    direction: Direction,
    /// the chain's name is this prefix and the interface
    prefix: &'a str,
    interface: &'a str,
    tiers: &'a [TierPolicies],
    profiles: &'a [Box<str>],
    failsafe: Option<&'a str>,
    allow: Action,
    /// drops encapsulated packets from a workload
    drop_encapsulated: bool,
    /// packets a second and burst; 0 for none
    packet_rate: (u64, u64),
    /// most connections; 0 for any number
    connections: u64,
    at: Location,
}

/// Filter table: `cali-tw-` and `cali-fw-` of a pod.
pub fn workload(ctx: &Context, endpoint: &WorkloadEndpoint) -> [Arc<Chain>; 2] {
    let qos = endpoint.qos;
    let to = EndpointChain {
        kind: Kind::Normal,
        direction: Direction::Ingress,
        prefix: names::TO_WORKLOAD,
        interface: &endpoint.interface,
        tiers: &endpoint.tiers,
        profiles: &endpoint.profiles,
        failsafe: None,
        allow: ctx.filter_allow(),
        drop_encapsulated: false,
        packet_rate: (qos.ingress_packet_rate, qos.ingress_packet_burst),
        connections: qos.ingress_max_connections,
        at: endpoint.at,
    };
    let from = EndpointChain {
        direction: Direction::Egress,
        prefix: names::FROM_WORKLOAD,
        allow: ctx.filter_allow(),
        drop_encapsulated: true,
        packet_rate: (qos.egress_packet_rate, qos.egress_packet_burst),
        connections: qos.egress_max_connections,
        ..to
    };
    [from.render(ctx), to.render(ctx)]
}

/// The common part of a host endpoint's chains.
fn host<'a>(
    endpoint: &'a HostEndpoint,
    kind: Kind,
    direction: Direction,
    allow: Action,
) -> EndpointChain<'a> {
    let (prefix, failsafe) = match direction {
        Direction::Ingress => (names::FROM_HOST, names::FAILSAFE_IN),
        Direction::Egress => (names::TO_HOST, names::FAILSAFE_OUT),
    };
    EndpointChain {
        kind,
        direction,
        prefix,
        interface: &endpoint.interface,
        tiers: &endpoint.tiers,
        profiles: &endpoint.profiles,
        failsafe: Some(failsafe),
        allow,
        drop_encapsulated: false,
        packet_rate: (0, 0),
        connections: 0,
        at: endpoint.at,
    }
}

/// Filter table: `cali-th-`, `cali-fh-`, `cali-thfw-` and `cali-fhfw-` of a host endpoint.
pub fn host_filter(ctx: &Context, endpoint: &HostEndpoint) -> Vec<Arc<Chain>> {
    let mut chains = Vec::new();
    for (direction, forward_prefix) in
        [(Direction::Egress, names::TO_HOST_FW), (Direction::Ingress, names::FROM_HOST_FW)]
    {
        chains.push(host(endpoint, Kind::Normal, direction, ctx.filter_allow()).render(ctx));
        let forward = EndpointChain {
            prefix: forward_prefix,
            tiers: &endpoint.forward_tiers,
            failsafe: None,
            ..host(endpoint, Kind::Forward, direction, ctx.filter_allow())
        };
        chains.push(forward.render(ctx));
    }
    chains
}

/// Mangle table: `cali-th-` for translated traffic, and `cali-fh-` where there is preDNAT policy.
pub fn host_mangle(ctx: &Context, endpoint: &HostEndpoint) -> Vec<Arc<Chain>> {
    let mut chains = vec![host(endpoint, Kind::Normal, Direction::Egress, Action::Return).render(ctx)];
    if !endpoint.pre_dnat_tiers.is_empty() {
        let pre_dnat = EndpointChain {
            tiers: &endpoint.pre_dnat_tiers,
            profiles: &[],
            ..host(endpoint, Kind::PreDnat, Direction::Ingress, ctx.mangle_allow())
        };
        chains.push(pre_dnat.render(ctx));
    }
    chains
}

/// Raw table: `cali-th-` and `cali-fh-` where there is untracked policy.
pub fn host_raw(ctx: &Context, endpoint: &HostEndpoint) -> Vec<Arc<Chain>> {
    if endpoint.untracked_tiers.is_empty() {
        return Vec::new();
    }
    let untracked = |direction| {
        EndpointChain {
            tiers: &endpoint.untracked_tiers,
            profiles: &[],
            ..host(endpoint, Kind::Untracked, direction, Action::Accept)
        }
        .render(ctx)
    };
    vec![untracked(Direction::Egress), untracked(Direction::Ingress)]
}

impl EndpointChain<'_> {
    fn render(&self, ctx: &Context) -> Arc<Chain> {
        let mut rules = Vec::new();
        self.limit_packet_rate(ctx, &mut rules);
        if self.kind != Kind::Untracked {
            self.known_connections(ctx, &mut rules);
        }
        self.limit_connections(&mut rules);
        if let Some(failsafe) = self.failsafe {
            rules.push(self.rule(vec![], jump(failsafe)));
        }
        rules.push(self.rule(vec![], Action::clear_mark(ctx.marks.accept | ctx.marks.pass)));
        if self.drop_encapsulated {
            self.no_encapsulation(ctx, &mut rules);
        }
        for tier in self.tiers {
            self.tier(ctx, tier, &mut rules);
        }
        if self.kind == Kind::Forward && self.tiers.is_empty() {
            rules.push(
                self.rule(vec![], Action::set_mark(ctx.marks.accept))
                    .comment("Allow forwarded traffic by default"),
            );
            rules.push(self.rule(vec![], Action::Return).comment("Return for accepted forward traffic"));
        }
        if self.kind == Kind::Normal {
            self.profiles(ctx, &mut rules);
        }
        ctx.chain(&names::chain(self.prefix, self.interface), rules)
    }

    fn rule(&self, matches: Vec<Match>, action: Action) -> Rule {
        Rule::new(matches, action, Origin::Endpoint(self.at))
    }

    fn word(&self) -> &'static str {
        match self.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }

    fn limit_packet_rate(&self, ctx: &Context, rules: &mut Vec<Rule>) {
        let (rate, burst) = self.packet_rate;
        if rate == 0 {
            return;
        }
        let (within, word) = (ctx.marks.scratch0, self.word());
        let clear = || {
            self.rule(vec![], Action::clear_mark(within))
                .comment(format!("Clear {word} packet rate limit mark"))
        };
        let limit = Match::is(Matcher::Limit {
            rate: format!("{rate}/sec").into(),
            burst: Some(u32::try_from(burst).unwrap_or(u32::MAX)),
        });
        rules.push(clear());
        rules.push(
            self.rule(vec![limit], Action::set_mark(within))
                .comment(format!("Mark packets within {word} packet rate limit")),
        );
        // dropped whatever the deny action (`felix/rules/endpoints.go:489`, v3.32.1)
        rules.push(
            self.rule(vec![Match::not_mark(within, within)], Action::Drop)
                .comment(format!("Drop packets over {word} packet rate limit")),
        );
        rules.push(clear());
    }

    fn known_connections(&self, ctx: &Context, rules: &mut Vec<Rule>) {
        if self.allow != Action::Accept {
            // a packet that only returns must tell the caller that it was accepted
            rules.push(self.rule(vec![established()], Action::set_mark(ctx.marks.accept)));
        }
        rules.push(self.rule(vec![established()], self.allow.clone()));
        if !ctx.config().disable_conntrack_invalid_check {
            let invalid = Match::is(Matcher::Conntrack(ConntrackStates::INVALID));
            rules.push(self.rule(vec![invalid], ctx.deny()));
        }
    }

    fn limit_connections(&self, rules: &mut Vec<Rule>) {
        if self.connections == 0 {
            return;
        }
        let matches = vec![
            Match::is(Matcher::Protocol(Protocol::Name("tcp".into()))),
            Match::is(Matcher::TcpSyn),
            Match::is(Matcher::ConnectionsAbove(self.connections)),
        ];
        rules.push(
            self.rule(matches, Action::Reject(RejectWith::TcpReset))
                .comment(format!("Reject connections over {} connection limit", self.word())),
        );
    }

    /// A pod that encapsulates its own packets could get round egress policy.
    fn no_encapsulation(&self, ctx: &Context, rules: &mut Vec<Rule>) {
        let number = |protocol| Match::is(Matcher::Protocol(Protocol::Number(protocol)));
        let config = ctx.config();
        let word = ctx.deny_word();
        if !config.allow_vxlan_packets_from_workloads {
            let port =
                Match::is(Matcher::Ports(Side::Destination, vec![(config.vxlan_port, config.vxlan_port)]));
            rules.push(
                self.rule(vec![number(17), port], ctx.deny())
                    .comment(format!("{word} VXLAN encapped packets originating in workloads")),
            );
        }
        if !config.allow_ipip_packets_from_workloads {
            rules.push(
                self.rule(vec![number(4)], ctx.deny())
                    .comment(format!("{word} IPinIP encapped packets originating in workloads")),
            );
        }
    }

    fn tier(&self, ctx: &Context, policies: &TierPolicies, rules: &mut Vec<Rule>) {
        let groups = match self.direction {
            Direction::Ingress => &policies.ingress,
            Direction::Egress => &policies.egress,
        };
        if groups.is_empty() {
            return;
        }
        let tier = &ctx.view.tiers[policies.tier.0 as usize];
        let not_passed = || Match::mark_clear(ctx.marks.pass);
        let accepted = || Match::mark_set(ctx.marks.accept);
        rules.push(
            self.rule(vec![], Action::clear_mark(ctx.marks.pass))
                .comment(format!("Start of tier {}", tier.name)),
        );
        for chain in groups.iter().flat_map(|policies| group::targets(ctx, policies, self.direction)) {
            rules.push(self.rule(vec![not_passed()], Action::Jump(chain)));
            if self.kind == Kind::Untracked {
                rules.push(self.rule(vec![accepted()], Action::NoTrack));
            }
            rules.push(self.rule(vec![accepted()], Action::Return).comment("Return if policy accepted"));
        }
        if !matches!(self.kind, Kind::Normal | Kind::Forward) {
            return;
        }
        let enforced = groups.iter().any(|policies| group::enforced(ctx, policies).next().is_some());
        if enforced && !tier.default_pass {
            if ctx.config().flow_logs() {
                let prefix = nflog::end_of_tier('D', self.direction, &tier.name);
                rules.push(self.rule(vec![not_passed()], nflog(ctx, self.direction, prefix)));
            }
            let comment =
                format!("End of tier {}. {} if no policies passed packet", tier.name, ctx.deny_word());
            rules.push(self.rule(vec![not_passed()], ctx.deny()).comment(comment));
        } else if ctx.config().flow_logs() {
            let prefix = nflog::end_of_tier('P', self.direction, &tier.name);
            rules.push(self.rule(vec![not_passed()], nflog(ctx, self.direction, prefix)));
        }
    }

    fn profiles(&self, ctx: &Context, rules: &mut Vec<Rule>) {
        let prefix = match self.direction {
            Direction::Ingress => names::PROFILE_IN,
            Direction::Egress => names::PROFILE_OUT,
        };
        for profile in self.profiles {
            rules.push(self.rule(vec![], jump(&names::chain(prefix, profile))));
            rules.push(
                self.rule(vec![Match::mark_set(ctx.marks.accept)], Action::Return)
                    .comment("Return if profile accepted"),
            );
        }
        if ctx.config().flow_logs() {
            rules.push(self.rule(vec![], nflog(ctx, self.direction, nflog::no_profile(self.direction))));
        }
        let comment = format!("{} if no profiles matched", ctx.deny_word());
        rules.push(self.rule(vec![], ctx.deny()).comment(comment));
    }
}

/// An NFLOG action (`felix/iptables/actions.go:248`, v3.32.1: 80 bytes where not said otherwise).
pub fn nflog(ctx: &Context, direction: Direction, prefix: String) -> Action {
    Action::NfLog {
        group: nflog::group(direction),
        prefix: prefix.into(),
        size: 80,
        range: !ctx.config().nflog_size,
    }
}
