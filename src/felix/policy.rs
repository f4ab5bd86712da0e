//! The chains of policies and profiles (`felix/rules/policy.go:37`, v3.32.1).

use super::blocks::{Blocks, split_ports};
use super::context::Context;
use super::endpoint::nflog;
use super::group::policy_chain;
use super::names;
use super::nflog;
use super::rule_match::{self, Reduced, ReducedSide};
use crate::ir::{Action, Chain, Family, Match, Matcher, Origin, PolicyRule, Rule, Side};
use crate::model::calico::{self, Direction};
use crate::resolve::view::{self, Policy, PolicyId, PolicyKind, Profile, RuleSide};
use crate::version::Naming;
use ipnet::IpNet;
use std::sync::Arc;

/// Whose rules are being rendered.
struct Owner<'a> {
    /// `P` or `R` in NFLOG prefixes
    letter: char,
    /// as in chain names
    id: &'a str,
    untracked: bool,
    log_prefix: Box<str>,
}

/// Where a rule, given with its index, or the owner as a whole comes from.
type OriginOf<'a> = &'a dyn Fn(Option<(usize, &view::Rule)>) -> Origin;

/// `cali-pi-` and `cali-po-` of a policy; nothing for a staged one.
pub fn policy(ctx: &Context, policy: &Policy) -> Vec<Arc<Chain>> {
    if policy.id.kind.is_staged() {
        return Vec::new();
    }
    let facts = ctx.view.facts;
    let id = names::policy(facts.policy_names, &policy.id);
    let owner = Owner {
        letter: 'P',
        id: &id,
        untracked: policy.untracked,
        log_prefix: {
            let (kind, name) = log_words(facts.log_words, &policy.id);
            log_prefix(ctx, &policy.tier, kind, &policy.id.namespace, &name)
        },
    };
    let named = match facts.policy_comments {
        Naming::Tiered => format!("Policy {}", policy.id.tiered()),
        Naming::Kinded => format!("{} {}", policy.id.kind.name(), policy.id.path()),
    };
    [(Direction::Ingress, &policy.inbound, "ingress"), (Direction::Egress, &policy.outbound, "egress")]
        .into_iter()
        .map(|(direction, rules, word)| {
            let origin = |rule: Option<(usize, &view::Rule)>| {
                Origin::Policy(Arc::new(PolicyRule {
                    policy: policy.id.clone(),
                    rule: rule.map(|(index, _)| (direction, index)),
                    at: rule.map_or(policy.at, |(_, rule)| rule.at),
                }))
            };
            let comment = format!("{named} {word}");
            ctx.chain(
                &policy_chain(ctx.view, policy, direction),
                render(ctx, &owner, direction, rules, comment, &origin),
            )
        })
        .collect()
}

/// `cali-pri-` and `cali-pro-` of a profile.
pub fn profile(ctx: &Context, profile: &Profile) -> [Arc<Chain>; 2] {
    let owner = Owner {
        letter: 'R',
        id: &profile.name,
        untracked: false,
        log_prefix: log_prefix(ctx, "", "pro", "", &profile.name),
    };
    let name: Arc<str> = (&*profile.name).into();
    let origin = |rule: Option<(usize, &view::Rule)>| {
        // rules of a missing profile, and those a namespace stands for, have no line of their own
        Origin::Profile(name.clone(), rule.map(|(_, rule)| rule.at).or(profile.at))
    };
    [
        (Direction::Ingress, &profile.inbound, names::PROFILE_IN, "ingress"),
        (Direction::Egress, &profile.outbound, names::PROFILE_OUT, "egress"),
    ]
    .map(|(direction, rules, prefix, word)| {
        let comment = format!("Profile {} {word}", profile.name);
        let rules = render(ctx, &owner, direction, rules, comment, &origin);
        ctx.chain(&names::chain(prefix, &profile.name), rules)
    })
}

/// The rules of a chain: what each of the owner's rules becomes, without RETURNs at the end, the
/// chain's comment on the first (`felix/rules/policy.go:113`, v3.32.1).
fn render(
    ctx: &Context,
    owner: &Owner,
    direction: Direction,
    rules: &[view::Rule],
    comment: String,
    origin: OriginOf<'_>,
) -> Vec<Rule> {
    let mut out = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        rule_of(ctx, owner, direction, index, rule, &origin(Some((index, rule))), &mut out);
    }
    while out.last().is_some_and(|rule: &Rule| rule.action == Some(Action::Return)) {
        out.pop();
    }
    if out.is_empty() {
        out.push(Rule { hash: None, comments: vec![], matches: vec![], action: None, origin: origin(None) });
    }
    out[0].comments.push(comment.into());
    out
}

/// Appends what one rule becomes in this family: its blocks, its main rule, its verdict.
fn rule_of(
    ctx: &Context,
    owner: &Owner,
    direction: Direction,
    index: usize,
    rule: &view::Rule,
    origin: &Origin,
    out: &mut Vec<Rule>,
) {
    let Some(mut reduced) = reduce(ctx.family, rule) else {
        return;
    };
    let mut blocks = Blocks::new(ctx, origin);
    let protocol = rule.protocol.as_ref().map(rule_match::protocol);
    for (side, reduced) in
        [(Side::Source, &mut reduced.source), (Side::Destination, &mut reduced.destination)]
    {
        if needs_port_block(reduced.side) {
            let pieces = split_ports(&reduced.side.ports);
            blocks.ports(side, protocol.as_ref(), &pieces, &reduced.side.named_ports);
            reduced.ports_done = true;
        }
    }
    for (side, reduced) in
        [(Side::Source, &mut reduced.source), (Side::Destination, &mut reduced.destination)]
    {
        if needs_net_block(reduced) {
            blocks.nets(side, &reduced.nets);
            reduced.nets.clear();
        }
    }
    for (side, reduced) in
        [(Side::Source, &mut reduced.source), (Side::Destination, &mut reduced.destination)]
    {
        if reduced.nets.len() + reduced.not_nets.len() > 1 {
            blocks.not_nets(side, &reduced.not_nets);
            reduced.not_nets.clear();
        }
    }
    let (mut rules, all_blocks_hold) = blocks.finish();
    let mut matches = rule_match::matches(ctx, &reduced);
    matches.extend(all_blocks_hold);
    verdict(ctx, owner, direction, index, rule, matches, origin, &mut rules);
    let annotations = rule.annotations.iter().map(|(key, value)| format!("{key}={value}").into());
    for rule in &mut rules {
        rule.comments.extend(annotations.clone());
    }
    out.append(&mut rules);
}

/// What a rule does to a packet that matches (`felix/rules/policy.go:608`, v3.32.1).
#[allow(clippy::too_many_arguments)]
fn verdict(
    ctx: &Context,
    owner: &Owner,
    direction: Direction,
    index: usize,
    rule: &view::Rule,
    matches: Vec<Match>,
    origin: &Origin,
    out: &mut Vec<Rule>,
) {
    let config = ctx.config();
    let (mark, end) = match rule.action {
        calico::Action::Allow => (ctx.marks.accept, Action::Return),
        calico::Action::Pass => (ctx.marks.pass, Action::Return),
        calico::Action::Deny => (ctx.marks.drop, ctx.deny()),
        calico::Action::Log => {
            // the limit comes before the matches, so packets that do not match use it up too
            let limit = (!config.log_action_rate_limit.is_empty()).then(|| {
                Match::is(Matcher::Limit {
                    rate: config.log_action_rate_limit.clone(),
                    burst: Some(u32::from(config.log_action_rate_limit_burst)).filter(|burst| *burst != 0),
                })
            });
            let matches = limit.into_iter().chain(matches).collect();
            out.push(Rule::new(matches, Action::Log { prefix: owner.log_prefix.clone() }, origin.clone()));
            return;
        }
    };
    out.push(Rule::new(matches, Action::set_mark(mark), origin.clone()));
    let marked = Match::mark_set(mark);
    if config.flow_logs() && !owner.untracked {
        let prefix = nflog::rule(rule.action, owner.letter, direction, index, owner.id);
        out.push(Rule::new(vec![marked.clone()], nflog(ctx, direction, prefix), origin.clone()));
    }
    out.push(Rule::new(vec![marked], end, origin.clone()));
}

/// The rule as this family sees it, or nothing if it has no meaning here: it is for the other
/// family, or one of its lists has no range of this one (`felix/rules/policy.go:146`, v3.32.1).
fn reduce(family: Family, rule: &view::Rule) -> Option<Reduced<'_>> {
    let version = if family == Family::V4 { 4 } else { 6 };
    if rule.ip_version.is_some_and(|wanted| wanted != version) {
        return None;
    }
    Some(Reduced {
        rule,
        source: reduce_side(family, &rule.source)?,
        destination: reduce_side(family, &rule.destination)?,
    })
}

fn reduce_side(family: Family, side: &RuleSide) -> Option<ReducedSide<'_>> {
    let of_family = |nets: &[IpNet]| -> Option<Vec<IpNet>> {
        let v4 = family == Family::V4;
        let kept: Vec<_> = nets.iter().filter(|net| net.addr().is_ipv4() == v4).copied().collect();
        (nets.is_empty() || !kept.is_empty()).then_some(kept)
    };
    let nets = of_family(&side.nets)?;
    let not_nets = of_family(&side.not_nets)?;
    // "not any address" can hold for no packet
    if not_nets.iter().any(|net| net.prefix_len() == 0) {
        return None;
    }
    Some(ReducedSide { side, nets, not_nets, ports_done: false })
}

/// How many positive blocks a rule takes: lists of ports and of ranges of which one entry must match.
/// Felix enforces the first two only, see `blocks`.
pub fn positive_blocks(rule: &view::Rule, family: Family) -> usize {
    let Some(reduced) = reduce(family, rule) else { return 0 };
    let sides = [&reduced.source, &reduced.destination];
    sides
        .iter()
        .map(|side| usize::from(needs_port_block(side.side)) + usize::from(needs_net_block(side)))
        .sum()
}

/// Whether more than one match is needed for a side's ports.
fn needs_port_block(side: &RuleSide) -> bool {
    split_ports(&side.ports).len() + side.named_ports.len() > 1
}

/// Whether more than one match is needed for a side's ranges.
fn needs_net_block(side: &ReducedSide<'_>) -> bool {
    side.nets.len() > 1
}

/// Kind and name of a policy for the prefix of LOG rules: its own, or what Felix finds in its whole name,
/// where a kind's prefix counts only without a namespace before it
/// (`felix/rules/policy.go:778` and `libcalico-go/lib/names/policy.go:210`, v3.31.7).
fn log_words(naming: Naming, id: &PolicyId) -> (&'static str, String) {
    match (naming, id.kind) {
        (Naming::Kinded, kind) => (kind.short_name(), id.name.to_string()),
        (Naming::Tiered, PolicyKind::NetworkPolicy | PolicyKind::GlobalNetworkPolicy) => {
            // a Calico policy can also be called as one of Kubernetes would
            let prefixes = [
                ("knp", "knp.default."),
                ("kanp", "kanp.adminnetworkpolicy."),
                ("kbanp", "kbanp.baselineadminnetworkpolicy."),
            ];
            let called = prefixes.into_iter().find(|(_, prefix)| id.name.starts_with(prefix));
            let kind = match (id.kind, called) {
                (PolicyKind::NetworkPolicy, _) => "np",
                (_, Some((kind, _))) => kind,
                _ if id.name.starts_with("ossg.") => "ossg",
                _ => "gnp",
            };
            let name = match id.name.split_once('.') {
                _ if called.is_some() => id.name.to_string(),
                Some((_tier, name)) => name.to_owned(),
                None => "unknown".to_owned(),
            };
            (kind, name)
        }
        (Naming::Tiered, kind) => {
            let whole = id.tiered();
            let name = whole.rsplit('/').next().unwrap_or(&whole).to_owned();
            (if id.namespace.is_empty() { kind.short_name() } else { "np" }, name)
        }
    }
}

/// The prefix of LOG rules, its placeholders filled in (`felix/rules/policy.go:724`, v3.32.1).
fn log_prefix(ctx: &Context, tier: &str, kind: &str, namespace: &str, name: &str) -> Box<str> {
    let template = &*ctx.config().log_prefix;
    let mut out = String::new();
    let mut rest = if template.is_empty() { "calico-packet" } else { template };
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let filled = match rest.as_bytes().get(1) {
            Some(b't') => tier.to_owned(),
            Some(b'k') => kind.to_owned(),
            Some(b'n') => name.to_owned(),
            Some(b'p') if namespace.is_empty() => name.to_owned(),
            Some(b'p') => format!("{namespace}/{name}"),
            _ => {
                out.push('%');
                rest = &rest[1..];
                continue;
            }
        };
        out.push_str(&filled);
        rest = &rest[2..];
    }
    out.push_str(rest);
    out.into()
}
