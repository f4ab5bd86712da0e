//! Graph → tree: aliases repeated, merge keys merged, keys made strings.
//!
//! All of it as go-yaml v2 and `sigs.k8s.io/yaml` do, including go-yaml's bound on what aliases
//! may add (`decode.go`, `allowedAliasRatio`), so a document that is refused here is refused by
//! calicoctl and kubectl as well.

use super::super::fault::{Fault, MAX_DEPTH, Parsed};
use super::super::scalar;
use super::super::tree::{Style, Tree};
use super::compose::{GraphNode, ID, Kind};

/// Adds the graph of the document at `base` in the tree's text to the tree.
pub(super) fn expand(graph: &[GraphNode<'_>], text: &str, base: usize, tree: &mut Tree<'_>) -> Parsed {
    if graph.is_empty() {
        return Ok(());
    }
    let mut expander = Expander { graph, text, base, tree, depth: 0, aliases: 0, decoded: 1, aliased: 0 };
    expander.node(0, None)
}

struct Expander<'a, 'g, 't> {
    graph: &'g [GraphNode<'g>],
    text: &'g str,
    base: usize,
    tree: &'a mut Tree<'t>,
    depth: usize,
    /// how many aliases this node is inside of
    aliases: usize,
    /// nodes visited, and of those the ones inside aliases
    decoded: usize,
    aliased: usize,
}

impl<'g> Expander<'_, 'g, '_> {
    /// Counts one node against the budget.
    fn visit(&mut self, offset: usize) -> Parsed {
        self.decoded += 1;
        self.aliased += usize::from(self.aliases > 0);
        if self.aliased > 100
            && self.decoded > 1000
            && self.aliased as f64 / self.decoded as f64 > allowed_ratio(self.decoded)
        {
            let message = "the aliases of this document repeat too much";
            let help = "go-yaml refuses it too; write out what the aliases stand for";
            return Err(Fault::new(offset, "alias-limit", message).help(help));
        }
        Ok(())
    }

    /// Writes a node; `offset` is where it was asked for, if that is an alias.
    fn node(&mut self, id: usize, offset: Option<usize>) -> Parsed {
        let node = &self.graph[id];
        let here = offset.unwrap_or(node.offset);
        self.visit(here)?;
        let at = (self.base + here) as u32;
        match &node.kind {
            Kind::Plain(content) => self.content(Style::Plain, at, content),
            Kind::Text(content) => self.content(Style::Text, at, content),
            Kind::Alias(target) => {
                self.aliases += 1;
                self.node(*target, Some(here))?;
                self.aliases -= 1;
            }
            Kind::Seq => {
                self.enter(here)?;
                let open = self.tree.open_seq(at);
                for child in self.children(id) {
                    self.node(child, None)?;
                }
                self.tree.close(open);
                self.depth -= 1;
            }
            Kind::Map => {
                self.enter(here)?;
                let open = self.tree.open_map(at);
                self.entries(id)?;
                self.tree.close(open);
                self.tree.find_duplicates(open);
                self.depth -= 1;
            }
        }
        Ok(())
    }

    /// Writes the entries of a mapping into the one that is open, merge keys in their place: a
    /// later entry wins, as it does for go-yaml v2.
    fn entries(&mut self, id: usize) -> Parsed {
        let mut children = self.children(id).into_iter();
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            if matches!(&self.graph[key].kind, Kind::Plain(text) if text.get(self.text) == "<<") {
                self.merge(value, true)?;
            } else {
                self.key(key)?;
                self.node(value, None)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, value: usize, list: bool) -> Parsed {
        let node = &self.graph[value];
        self.visit(node.offset)?;
        match node.kind {
            Kind::Map => {
                self.enter(node.offset)?;
                self.entries(value)?;
                self.depth -= 1;
            }
            Kind::Alias(target) if matches!(self.graph[target].kind, Kind::Map) => {
                self.aliases += 1;
                self.merge(target, false)?;
                self.aliases -= 1;
            }
            // earlier ones take precedence, so they are written last
            Kind::Seq if list => {
                for child in self.children(value).into_iter().rev() {
                    self.merge(child, false)?;
                }
            }
            _ => {
                let message = "`<<` needs a mapping, or a list of mappings, to merge";
                return Err(Fault::new(node.offset, ID, message));
            }
        }
        Ok(())
    }

    /// Writes a key as the string that JSON will have.
    fn key(&mut self, id: usize) -> Parsed {
        let (written, mut node) = (self.graph[id].offset, &self.graph[id]);
        self.visit(written)?;
        while let Kind::Alias(target) = node.kind {
            node = &self.graph[target];
        }
        let at = (self.base + written) as u32;
        let refuse = |what: &str| {
            let message = format!("a mapping key cannot be {what}");
            Err(Fault::new(written, "yaml-key", message).help("put the key in quotes"))
        };
        match &node.kind {
            Kind::Text(content) => self.content(Style::Text, at, content),
            Kind::Plain(content) => {
                let text = content.get(self.text);
                match scalar::key_string(text) {
                    None => return refuse("null"),
                    Some(key) if key == text => self.content(Style::Plain, at, content),
                    Some(key) => self.tree.scalar_owned(Style::Text, at, &key),
                }
            }
            Kind::Seq => return refuse("a list"),
            _ => return refuse("a mapping"),
        }
        Ok(())
    }

    fn content(&mut self, style: Style, at: u32, content: &super::compose::Content<'_>) {
        match content {
            super::compose::Content::Slice(start, len) => {
                self.tree.scalar(style, at, (self.base + start) as u32, *len as u32);
            }
            super::compose::Content::Other(text) => self.tree.scalar_owned(style, at, text),
        }
    }

    /// The children of a collection.
    fn children(&self, id: usize) -> Vec<usize> {
        let (mut child, end) = (id + 1, self.graph[id].end);
        let mut children = Vec::new();
        while child < end {
            children.push(child);
            child = self.graph[child].end;
        }
        children
    }

    fn enter(&mut self, offset: usize) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::too_deep(offset)) } else { Ok(()) }
    }
}

/// The share of nodes that aliases may account for: go-yaml v2's `allowedAliasRatio`.
fn allowed_ratio(decoded: usize) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let beyond = (decoded as f64 - LOW) / (HIGH - LOW);
    0.99 - 0.89 * beyond.clamp(0.0, 1.0)
}
