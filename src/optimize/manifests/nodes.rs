//! What every node of the input would hold, before and after.

use super::work::Work;
use super::write::patch_file;
use super::{NodeProof, Patched, Request, add_any_node, read};
use crate::emit::ipset::each_member;
use crate::felix;
use crate::ir::Program;
use crate::optimize::proof::{Agreed, Different};
use crate::optimize::{compare, is_unchanged};
use crate::resolve::{Cluster, NodeRequest};
use crate::source::Opened;
use crate::version::CalicoVersion;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Objects whose edits are at fault, by their numbers.
pub type Culprits = Vec<(usize, Different)>;

/// Compares the rules of every node. An error names a node and the objects whose edits change its rules.
pub fn nodes(
    opened: &[Opened],
    patched: &[Patched],
    works: &[Work<'_>],
    before: &Cluster<'_>,
    names: &[&str],
    version: CalicoVersion,
    request: &Request<'_>,
) -> Result<Vec<NodeProof>, (String, Culprits)> {
    if patched.is_empty() || names.is_empty() {
        return Ok(Vec::new());
    }
    let all = patched.iter().map(|text| (text.input, text.bytes.clone())).collect();
    let proofs: Vec<Result<NodeProof, (String, Different)>> = with(opened, &all, version, request, |after| {
        names
            .par_iter()
            .map(|node| {
                let agreed =
                    node_equal(before, after, node).map_err(|different| (node.to_string(), different))?;
                Ok(NodeProof { node: node.to_string(), agreed })
            })
            .collect()
    });
    let Some(Err((node, different))) = proofs.iter().find(|proof| proof.is_err()) else {
        return Ok(proofs.into_iter().flatten().collect());
    };
    let made: Vec<usize> = (0..works.len()).filter(|index| !works[*index].made.is_empty()).collect();
    let mut culprits = Vec::new();
    for index in &made {
        let work = &works[*index];
        let Some(text) = patch_file(&opened[work.input()], work.input(), works, &[*index]) else { continue };
        let alone = [(text.input, text.bytes)].into();
        if let Err(different) =
            with(opened, &alone, version, request, |after| node_equal(before, after, node))
        {
            culprits.push((*index, different));
        }
    }
    if culprits.is_empty() {
        culprits = made.into_iter().map(|index| (index, different.clone())).collect();
    }
    Err((node.clone(), culprits))
}

/// Does something with the cluster of other texts.
fn with<T>(
    opened: &[Opened],
    new: &BTreeMap<usize, Vec<u8>>,
    version: CalicoVersion,
    request: &Request<'_>,
    then: impl FnOnce(&Cluster<'_>) -> T,
) -> T {
    let mut input = read(opened, new, version, request);
    add_any_node(&mut input.collected);
    then(&Cluster::new(&input.collected.resources))
}

fn node_equal(before: &Cluster<'_>, after: &Cluster<'_>, node: &str) -> Result<Vec<Agreed>, Different> {
    let rendered = |cluster: &Cluster<'_>| -> Option<(Program, u32)> {
        let view = cluster.view(&NodeRequest { node, interfaces: None }).view?;
        Some((felix::render(&view), felix::private_marks(&view)))
    };
    let (Some((own, private)), Some((now, _))) = (rendered(before), rendered(after)) else {
        return Ok(Vec::new());
    };
    if is_unchanged(&own, &now) && has_same_sets(&own, &now) {
        return Ok(Vec::new());
    }
    compare(&own, &now, private)
}

fn has_same_sets(own: &Program, now: &Program) -> bool {
    own.sets.iter().zip(&now.sets).all(|(own, now)| {
        let mut members = [Vec::new(), Vec::new()];
        for (set, members) in [own, now].into_iter().zip(&mut members) {
            each_member(set, |member| members.push(member.to_owned()));
        }
        own.name == now.name && members[0] == members[1]
    })
}
