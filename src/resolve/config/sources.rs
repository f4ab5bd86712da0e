//! Where parameters come from, and which value wins.
//!
//! From weakest to strongest: Felix's default, ClusterInformation and the FelixConfiguration
//! `default`, a FelixConfiguration with a nodeSelector, the FelixConfiguration `node.<name>`, and
//! the environment of calico-node (`felix/config/config_params.go:66` and `:757`, v3.32.1).

use super::FelixConfig;
use super::param::{PARAMS, Param};
use crate::diagnostic::{Diagnostic, Location};
use crate::model::Resources;
use crate::model::calico::{FelixConfiguration, FieldValue};
use crate::model::labels::Labels;
use crate::syntax::selector;

/// A parameter's text and where it is written.
#[derive(Debug, Clone)]
struct Raw {
    name: Box<str>,
    text: Box<str>,
    at: Location,
}

/// Annotations with this prefix override fields of the spec
/// (`libcalico-go/lib/backend/syncersv1/updateprocessors/configurationprocessor.go:332`, v3.32.1).
const ANNOTATION: &str = "config.projectcalico.org/";

/// Fields whose parameter has another name than the field
/// (`confignamev1` in `api/pkg/apis/projectcalico/v3/felixconfig.go`, v3.32.1).
const RENAMED: &[(&str, &str)] =
    &[("ipipEnabled", "IpInIpEnabled"), ("externalNodesList", "ExternalNodesCIDRList")];

/// The configuration of one node.
#[derive(Debug)]
pub struct Effective {
    /// what Felix works with
    pub config: FelixConfig,
    /// where the value of each parameter that is set is written
    pub places: Places,
    /// what there is to say about it
    pub diagnostics: Vec<Diagnostic>,
}

/// Parameters by their names in documentation, and where their values are written.
pub type Places = Vec<(&'static str, Location)>;

/// The configuration that Felix on this node works with. `labels` are the node's.
pub fn effective(resources: &Resources, node: &str, labels: Option<&Labels>) -> Effective {
    let mut diagnostics = Vec::new();
    // strongest first: the first value of a parameter wins, the others are still read
    let sources = [
        environment(resources, &mut diagnostics),
        named(resources, &format!("node.{node}")),
        match resources.facts.node_selectors {
            true => selected(resources, labels, &mut diagnostics),
            false => Vec::new(),
        },
        global(resources),
    ];
    let facts = resources.facts;
    let mut config = FelixConfig::of(facts);
    let mut places = Places::new();
    for raw in sources.iter().flatten() {
        let known = |param: &&Param| !facts.unknown_parameters.contains(&param.name);
        let named = |param: &&Param| param.name.eq_ignore_ascii_case(&raw.name);
        let Some(param) = PARAMS.iter().filter(known).find(named) else {
            continue;
        };
        let wins = !places.iter().any(|(name, _)| *name == param.name);
        let mut outvoted = config.clone();
        diagnostics.extend(apply(param, raw, if wins { &mut config } else { &mut outvoted }));
        if wins {
            places.push((param.name, raw.at));
        }
    }
    Effective { config, places, diagnostics }
}

/// Sets one parameter; says what became of a text that cannot be read.
fn apply(param: &Param, raw: &Raw, config: &mut FelixConfig) -> Option<Diagnostic> {
    if raw.text.eq_ignore_ascii_case("none") {
        match param.zero {
            Some(zero) => zero(config),
            None => return Some(fatal(param, raw, "it cannot be `none`")),
        }
        return None;
    }
    let wrong = (param.apply)(config, &raw.text).err()?;
    if param.required {
        return Some(fatal(param, raw, &wrong));
    }
    let message = format!("felix cannot read `{}` of {} and uses its default: {wrong}", raw.text, param.name);
    Some(
        Diagnostic::warning("felix-parameter-defaulted", raw.at, message)
            .help("write a value that felix can read"),
    )
}

fn fatal(param: &Param, raw: &Raw, wrong: &str) -> Diagnostic {
    let message =
        format!("felix exits at every start: it cannot read `{}` of {}: {wrong}", raw.text, param.name);
    Diagnostic::error("felix-parameter-fatal", raw.at, message)
        .help("write a value that felix can read; until then no node gets any rules")
}

/// `FELIX_<parameter>` of calico-node's container, in any case
/// (`felix/config/env_var_loader.go:25`, v3.32.1).
fn environment(resources: &Resources, diagnostics: &mut Vec<Diagnostic>) -> Vec<Raw> {
    let mut found = Vec::new();
    for (name, value) in resources.calico_node.iter().flat_map(|node| &node.env) {
        let Some((prefix, parameter)) = name.value.split_at_checked("FELIX_".len()) else { continue };
        if !prefix.eq_ignore_ascii_case("FELIX_") {
            continue;
        }
        match value {
            Some(text) => found.push(Raw { name: parameter.into(), text: text.value.clone(), at: text.at }),
            None if PARAMS.iter().any(|param| param.name.eq_ignore_ascii_case(parameter)) => {
                let message =
                    format!("`{}` takes its value from elsewhere, so it is not known here", name.value);
                diagnostics.push(
                    Diagnostic::warning("felix-parameter-unknown", name.at, message)
                        .help("the rules below are those without it; write the value itself to have it taken into account"),
                );
            }
            None => {}
        }
    }
    // the last of several variables of one name is the one a process sees
    found.reverse();
    found
}

fn named(resources: &Resources, name: &str) -> Vec<Raw> {
    resources.felix_configurations.iter().filter(|c| &*c.meta.name == name).flat_map(parameters).collect()
}

fn global(resources: &Resources) -> Vec<Raw> {
    let mut found = named(resources, "default");
    found.extend(
        resources
            .cluster_informations
            .iter()
            .filter(|c| &*c.meta.name == "default" && !c.cluster_type.is_empty())
            .map(|c| Raw { name: "ClusterType".into(), text: c.cluster_type.clone(), at: c.meta.at }),
    );
    found
}

/// Of the configurations whose nodeSelector selects this node, the oldest; of equally old ones the
/// first by name (`felix/calc/config_batcher.go:274`, v3.32.1).
fn selected(resources: &Resources, labels: Option<&Labels>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Raw> {
    let Some(labels) = labels else { return Vec::new() };
    let mut matching: Vec<&FelixConfiguration> = Vec::new();
    for configuration in &resources.felix_configurations {
        let name = &*configuration.meta.name;
        if name == "default" || name.starts_with("node.") {
            continue;
        }
        let Some((field, text)) = node_selector(configuration) else { continue };
        match selector::parse(text) {
            Ok(parsed) if parsed.evaluate(&|key: &str| labels.get(key)) => matching.push(configuration),
            Ok(_) => {}
            Err(error) => diagnostics.push(Diagnostic::warning(
                "ignored-by-felix",
                field,
                format!("felix ignores this configuration: nodeSelector `{text}` does not parse: {error}"),
            )),
        }
    }
    matching.sort_by_key(|configuration| (&configuration.created, &configuration.meta.name));
    if let [winner, loser, ..] = matching[..] {
        let message = format!(
            "`{}` and `{}` both select this node; only the older, `{}`, takes effect",
            winner.meta.name, loser.meta.name, winner.meta.name
        );
        diagnostics.push(
            Diagnostic::warning("felix-configuration-conflict", loser.meta.at, message)
                .related(winner.meta.at, "the one that takes effect"),
        );
    }
    matching.first().map(|configuration| parameters(configuration)).unwrap_or_default()
}

fn node_selector(configuration: &FelixConfiguration) -> Option<(Location, &str)> {
    configuration.fields.iter().find_map(|(name, value)| match value {
        FieldValue::String(text) if &*name.value == "nodeSelector" && !text.is_empty() => {
            Some((name.at, &**text))
        }
        _ => None,
    })
}

/// The parameters that an object sets: its annotations, then the fields that they do not override.
fn parameters(configuration: &FelixConfiguration) -> Vec<Raw> {
    let at = configuration.meta.at;
    let annotations = configuration.meta.annotations.iter();
    let overrides = annotations.filter_map(|(key, text)| {
        let name = key.strip_prefix(ANNOTATION)?;
        Some(Raw { name: name.into(), text: text.into(), at })
    });
    let fields = configuration.fields.iter().filter_map(|(field, value)| {
        let name =
            RENAMED.iter().find(|(own, _)| *own == &*field.value).map_or(&*field.value, |(_, name)| name);
        let text = text(name, value)?;
        Some(Raw { name: name.into(), text: text.into(), at: field.at })
    });
    overrides.chain(fields).collect()
}

/// A field as the text that Felix then reads
/// (`libcalico-go/lib/backend/syncersv1/updateprocessors/configurationprocessor.go:225` and
/// `felixconfigprocessor.go:57`, v3.32.1).
fn text(name: &str, value: &FieldValue) -> Option<String> {
    Some(match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Int(value) => value.to_string(),
        FieldValue::Float(value) => value.to_string(),
        FieldValue::String(value) if value.is_empty() => return None,
        FieldValue::String(value) => value.to_string(),
        FieldValue::List(items) if name.eq_ignore_ascii_case("KubeNodePortRanges") => {
            // printed as Go prints a list, which Felix cannot read back: it uses the default
            format!("[{}]", items.join(" "))
        }
        FieldValue::List(items) if is_failsafe(name) && items.is_empty() => "none".to_owned(),
        FieldValue::List(items) => items.join(","),
        FieldValue::Maps(entries) if is_failsafe(name) && entries.is_empty() => "none".to_owned(),
        FieldValue::Maps(entries) if is_failsafe(name) => {
            entries.iter().map(|entry| failsafe(entry)).collect::<Vec<_>>().join(",")
        }
        FieldValue::Maps(_) => return None,
    })
}

fn is_failsafe(name: &str) -> bool {
    name.eq_ignore_ascii_case("FailsafeInboundHostPorts")
        || name.eq_ignore_ascii_case("FailsafeOutboundHostPorts")
}

fn failsafe(entry: &[(Box<str>, Box<str>)]) -> String {
    let field = |name: &str| entry.iter().find(|(key, _)| &**key == name).map_or("", |(_, value)| &**value);
    let (protocol, port, net) = (field("protocol").to_lowercase(), field("port"), field("net"));
    match net {
        "" => format!("{protocol}:{port}"),
        net if net.contains(':') => format!("{protocol}:[{net}]:{port}"),
        net => format!("{protocol}:{net}:{port}"),
    }
}
