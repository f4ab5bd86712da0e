//! A program as JSON, `netpolc.compile/1`; its schema is `docs/schema/compile.schema.json`.

use super::{ipset, save};
use crate::diagnostic::{FileId, Location};
use crate::ir::{Chain, Family, IpSet, Origin, Rule, RuleSet, Table};
use crate::resolve::view::SetMeaning;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

/// Everything about one node, ready to be serialised. Members of sets and texts of rules are
/// written as they are visited, never all at once.
pub struct Document<'a, D> {
    /// the node's name
    pub node: &'a str,
    /// the version of Calico whose rules these are
    pub calico_version: &'a str,
    /// the rules, by family
    pub families: &'a [&'a RuleSet],
    /// the sets
    pub sets: &'a [IpSet],
    /// diagnostics, already in their JSON form
    pub diagnostics: &'a [D],
    /// the display name of an input file
    pub file_name: &'a dyn Fn(FileId) -> String,
}

impl<D: Serialize> Serialize for Document<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", "netpolc.compile/1")?;
        map.serialize_entry("node", self.node)?;
        map.serialize_entry("calico_version", self.calico_version)?;
        map.serialize_entry("diagnostics", self.diagnostics)?;
        map.serialize_entry(
            "families",
            &Each(|| self.families.iter().map(|rules| RulesJson(rules, self.file_name))),
        )?;
        map.serialize_entry("ipsets", &Each(|| self.sets.iter().map(SetJson)))?;
        map.end()
    }
}

/// Serialises an iterator that can be made anew.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        for item in (self.0)() {
            sequence.serialize_element(&item)?;
        }
        sequence.end()
    }
}

type FileName<'a> = &'a dyn Fn(FileId) -> String;

struct RulesJson<'a>(&'a RuleSet, FileName<'a>);

impl Serialize for RulesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let RulesJson(rules, file_name) = self;
        let family = match rules.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        let tables = Each(|| rules.tables.iter().map(|table| TableJson(table, rules.family, *file_name)));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("family", family)?;
        map.serialize_entry("tables", &tables)?;
        map.end()
    }
}

struct TableJson<'a>(&'a Table, Family, FileName<'a>);

impl Serialize for TableJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TableJson(table, family, file_name) = self;
        let chains = Each(|| {
            let hooks = table.hooks.iter().map(|chain| (chain, true));
            let others = table.chains.iter().map(|chain| (chain, false));
            hooks.chain(others).map(|(chain, hook)| ChainJson {
                chain,
                hook,
                family: *family,
                file_name: *file_name,
            })
        });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", table.name.name())?;
        map.serialize_entry("chains", &chains)?;
        map.end()
    }
}

struct ChainJson<'a> {
    chain: &'a Chain,
    hook: bool,
    family: Family,
    file_name: FileName<'a>,
}

impl Serialize for ChainJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rules = Each(|| {
            self.chain.rules.iter().flat_map(|rule| {
                (0..save::expansions(rule)).map(move |expand| RuleJson {
                    rule,
                    expand,
                    family: self.family,
                    file_name: self.file_name,
                })
            })
        });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*self.chain.name)?;
        map.serialize_entry("hook", &self.hook)?;
        map.serialize_entry("policy", &self.hook.then_some(self.chain.policy.name()))?;
        map.serialize_entry("rules", &rules)?;
        map.end()
    }
}

struct RuleJson<'a> {
    rule: &'a Rule,
    expand: usize,
    family: Family,
    file_name: FileName<'a>,
}

impl Serialize for RuleJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        save::body(&mut text, self.rule, self.family, self.expand);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("text", text.trim_start())?;
        map.serialize_entry("hash", &self.rule.hash.as_deref())?;
        map.serialize_entry("origin", &OriginJson(&self.rule.origin, self.file_name))?;
        map.end()
    }
}

struct OriginJson<'a>(&'a Origin, FileName<'a>);

impl Serialize for OriginJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OriginJson(origin, file_name) = self;
        let mut map = serializer.serialize_map(None)?;
        match origin {
            Origin::Static => map.serialize_entry("kind", "static")?,
            Origin::Config(parameter) => {
                map.serialize_entry("kind", "config")?;
                map.serialize_entry("parameter", parameter)?;
            }
            Origin::Endpoint(_) => map.serialize_entry("kind", "endpoint")?,
            Origin::Object(_) => map.serialize_entry("kind", "object")?,
            Origin::Dump(_) => map.serialize_entry("kind", "dump")?,
            Origin::Service(rule) => {
                map.serialize_entry("kind", "service")?;
                map.serialize_entry("name", &*rule.service)?;
            }
            Origin::Profile(name, _) => {
                map.serialize_entry("kind", "profile")?;
                map.serialize_entry("profile", &**name)?;
            }
            Origin::Policy(rule) => {
                map.serialize_entry("kind", "policy")?;
                map.serialize_entry(
                    "policy",
                    &serde_json::json!({
                        "kind": rule.policy.kind.name(),
                        "namespace": &*rule.policy.namespace,
                        "name": &*rule.policy.name,
                    }),
                )?;
                if let Some((direction, index)) = rule.rule {
                    map.serialize_entry("direction", super::origin::direction_word(direction))?;
                    map.serialize_entry("rule", &index)?;
                }
            }
        }
        if let Some(Location { file, line, column }) = origin.at() {
            map.serialize_entry("file", &file_name(file))?;
            map.serialize_entry("line", &line)?;
            map.serialize_entry("column", &column)?;
        }
        map.end()
    }
}

struct SetJson<'a>(&'a IpSet);

impl Serialize for SetJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let set = self.0;
        let family = match set.family {
            Family::V4 => "inet",
            Family::V6 => "inet6",
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*set.name)?;
        map.serialize_entry("type", set.kind().name())?;
        map.serialize_entry("family", family)?;
        map.serialize_entry("maxelem", &set.max_elements)?;
        match &set.meaning {
            None => {}
            Some(SetMeaning::Selector(selector)) => map.serialize_entry("selector", &**selector)?,
            Some(SetMeaning::NamedPort { selector, protocol, port }) => {
                map.serialize_entry("selector", &**selector)?;
                map.serialize_entry(
                    "named_port",
                    &serde_json::json!({ "protocol": protocol, "name": &**port }),
                )?;
            }
            Some(SetMeaning::Service(name) | SetMeaning::ServiceAddresses(name)) => {
                map.serialize_entry("service", &**name)?;
            }
        }
        map.serialize_entry("members", &MembersJson(set))?;
        map.end()
    }
}

struct MembersJson<'a>(&'a IpSet);

impl Serialize for MembersJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        let mut failed = None;
        ipset::each_member(self.0, |member| {
            if failed.is_none() {
                failed = sequence.serialize_element(member).err();
            }
        });
        match failed {
            Some(error) => Err(error),
            None => sequence.end(),
        }
    }
}
