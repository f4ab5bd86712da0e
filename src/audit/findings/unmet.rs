//! `unmet-expectation`: the cluster does not do what a sentence of the zones file says.

use super::{Because, Context, Found, diagnostic};
use crate::audit::expectation::{Claim, Expectation, To};
use crate::audit::exposure::{Exposure, Verdict};
use crate::audit::targets::Kind;
use crate::audit::ways::Way;
use crate::audit::words::{list, network};
use crate::audit::zones::Whose;
use crate::diagnostic::{Severity, Spanned};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// Failures that are told of a sentence before they are only counted.
const TOLD: usize = 5;

/// Finds them: one for each sentence that does not hold.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    context.config.expectations.iter().filter_map(|expectation| unmet(context, expectation)).collect()
}

fn unmet(context: &Context<'_, '_>, expectation: &Spanned<Expectation>) -> Option<Found> {
    let of = &expectation.value;
    let because = match of.claim {
        Claim::MayNot => reaching(context, of),
        Claim::May => missing(context, of),
        Claim::OnlyMay => [others(context, of), missing(context, of)].concat(),
    };
    let is_about_nothing = !context.audit.targets.iter().any(|target| of.to.has(target));
    let because = match is_about_nothing {
        // what must be reached has to be there
        true if of.claim != Claim::MayNot => vec!["nothing in the manifests is what it speaks of".to_owned()],
        true => return None,
        false => because,
    };
    if because.is_empty() {
        return None;
    }
    let message = format!("not as expected: `{}`", of.text);
    let confidence = context.confidence(context.audit.entered.clone());
    let at = Some(expectation.at);
    let said = diagnostic("unmet-expectation", Severity::Error, confidence, at, message);
    let more = because.len().saturating_sub(TOLD);
    let mut because: Vec<Because> = because.into_iter().take(TOLD).map(Because::text).collect();
    because.extend((more > 0).then(|| Because::text(format!("and {more} more"))));
    Some(Found { because, ..Found::new(said, ("expectation", of.text.clone())) })
}

/// What a sentence is about, of zones that it names or of all others.
fn about<'c>(
    context: &'c Context<'_, '_>,
    of: &'c Expectation,
) -> impl Iterator<Item = (&'c Exposure, &'c crate::audit::targets::Target)> {
    context.exposures().filter_map(move |(_, exposure, target)| {
        let on = of.on.as_deref().is_none_or(|name| exposure.way == Way::Interface(name.into()));
        (on && of.to.has(target)).then_some((exposure, target))
    })
}

fn is_named(context: &Context<'_, '_>, of: &Expectation, exposure: &Exposure) -> bool {
    of.zones.contains(&context.audit.zones[exposure.zone].name)
}

fn told(context: &Context<'_, '_>, exposure: &Exposure, what: &str) -> String {
    let target = &context.audit.targets[exposure.target];
    let of = if target.of.is_empty() { String::new() } else { format!(" of `{}`", target.of) };
    format!(
        "{} on {} of node {} {what} {}{of}",
        context.audit.zones[exposure.zone].name,
        exposure.way.name(),
        context.nodes[exposure.node].view.node,
        target.name()
    )
}

/// Those who get there and must not.
fn reaching(context: &Context<'_, '_>, of: &Expectation) -> Vec<String> {
    about(context, of)
        .filter(|(exposure, _)| is_named(context, of, exposure) && exposure.verdict != Verdict::Blocked)
        .map(|(exposure, _)| told(context, exposure, "reaches"))
        .collect()
}

/// Those who must get there, and get there on no node.
fn missing(context: &Context<'_, '_>, of: &Expectation) -> Vec<String> {
    // a port of a service may be reached by any of its addresses
    let mut best: BTreeMap<(String, usize), &Exposure> = BTreeMap::new();
    for (exposure, target) in about(context, of).filter(|(exposure, _)| is_named(context, of, exposure)) {
        let what = match (&of.to, target.kind) {
            (To::Service(..), Kind::HealthCheck) => continue,
            (To::Service(..), _) => format!("{} {}", target.of, target.port_name),
            _ => exposure.target.to_string(),
        };
        let own = best.entry((what, exposure.zone)).or_insert(exposure);
        if exposure.verdict > own.verdict {
            *own = exposure;
        }
    }
    let mut missing: Vec<String> = best
        .values()
        .filter(|exposure| exposure.verdict != Verdict::Open)
        .map(|exposure| match exposure.verdict {
            Verdict::Restricted => told(context, exposure, "only in part reaches"),
            _ => told(context, exposure, "does not reach"),
        })
        .collect();
    for zone in &of.zones {
        let comes_in = best.values().any(|own| context.audit.zones[own.zone].name == *zone);
        if !comes_in {
            missing.push(format!("{zone} comes in nowhere"));
        }
    }
    missing
}

/// Those from outside who get there, and are in none of the zones.
fn others(context: &Context<'_, '_>, of: &Expectation) -> Vec<String> {
    let zones = &context.audit.zones;
    let named: Vec<IpNet> = zones
        .iter()
        .filter(|zone| of.zones.contains(&zone.name))
        .flat_map(|zone| zone.nets.clone())
        .collect();
    let mut found: Vec<String> = Vec::new();
    for (exposure, _) in about(context, of) {
        let zone = &zones[exposure.zone];
        let outside = matches!(exposure.way, Way::Interface(_)) && zone.whose == Whose::Nets;
        if !outside || of.zones.contains(&zone.name) || exposure.verdict == Verdict::Blocked {
            continue;
        }
        let rest = without(&exposure.sources, &named);
        if !rest.is_empty() {
            let who = list(&rest.iter().map(network).collect::<Vec<_>>());
            found.push(format!("{} ({who})", told(context, exposure, "reaches")));
        }
    }
    found
}

/// Networks without others.
fn without(nets: &[IpNet], others: &[IpNet]) -> Vec<IpNet> {
    use crate::ir::Family;
    use crate::space::nets::{of_range, ranges};
    use crate::space::{Field, PacketSet, Space};
    let mut rest = Vec::new();
    for family in [Family::V4, Family::V6] {
        let mut space = Space::new(family);
        let (all, less) = (
            space.with(Field::Source, &ranges(nets, family)),
            space.with(Field::Source, &ranges(others, family)),
        );
        let set = space.difference(all, less);
        if set == PacketSet::NONE {
            continue;
        }
        let left = crate::trace::onward::values(&mut space, set, Field::Source);
        rest.extend(left.into_iter().flat_map(|range| of_range(range, family)));
    }
    rest
}
