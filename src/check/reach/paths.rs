//! Which policies endpoints meet one after the other, in each direction.
//!
//! The policies of an endpoint are a way down a tree, from the one that is asked first to the last;
//! endpoints with the same policies go the same way, and ways that begin alike are one as far as that
//! goes. What reaches a policy depends only on what comes before it, so it is asked once for each place
//! that the policy has in the tree, however many endpoints go through there.

use super::is_ordinary;
use crate::check::ClusterContext;
use crate::check::policy::direction;
use crate::model::calico::Direction;
use rustc_hash::{FxHashMap, FxHashSet};

/// Endpoints that policies select, added up over policies, that are gone through at most.
const MOST: usize = 400_000_000;
const ROOT: u32 = 0;

/// All ways that endpoints go.
pub struct Paths {
    /// by [`Direction`]
    trees: [Tree; 2],
    /// policies that some endpoint has
    pub selecting: FxHashSet<usize>,
    /// policies that are the only one of their tier for some endpoint in a direction
    pub governing: FxHashSet<usize>,
}

/// The ways of one direction.
struct Tree {
    nodes: Vec<Node>,
    /// where a policy stands, by its number
    places: Vec<Vec<u32>>,
}

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    /// the policy's number; not that of any at the root
    policy: u32,
}

impl Paths {
    /// The ways of all endpoints; `None` if there are too many to go through.
    pub fn new(ctx: &ClusterContext<'_, '_>) -> Option<Paths> {
        let policies = ctx.cluster.policies();
        let endpoints = ctx.everyone.endpoints();
        let mut drafts = [Draft::new(endpoints.limit()), Draft::new(endpoints.limit())];
        let mut selecting = FxHashSet::default();
        let mut gone_through = 0;
        for (number, policy) in policies.iter().enumerate().filter(|(_, policy)| is_ordinary(policy)) {
            let mut selected = ctx.selected(policy);
            selected.intersect(&endpoints);
            if selected.is_empty() {
                continue;
            }
            selecting.insert(number);
            for (draft, (_, governs, _)) in drafts.iter_mut().zip(direction::of(policy)) {
                if governs {
                    gone_through += draft.extend(number as u32, selected.numbers());
                }
            }
            if gone_through > MOST {
                return None;
            }
        }
        let tier = |number: u32| policies.get(number as usize).map(|policy| policy.tier_index);
        let mut governing = FxHashSet::default();
        for draft in &drafts {
            governing.extend(draft.alone_in(tier));
        }
        let trees = drafts.map(|draft| Tree::new(draft.nodes, policies.len()));
        Some(Paths { trees, selecting, governing })
    }

    /// The ways to a policy: each with the numbers of the policies on it, in order, of which it is the last.
    pub fn to(&self, policy: usize, direction: Direction) -> impl Iterator<Item = Vec<usize>> + '_ {
        let tree = &self.trees[direction as usize];
        tree.places[policy].iter().map(|place| tree.path(*place))
    }

    /// Policies that come one after the other on some way: those that are `near` each other, with nothing
    /// between them that is not, and `wanted`. Sorted.
    pub fn pairs(
        &self,
        direction: Direction,
        near: impl Fn(usize, usize) -> bool,
        wanted: impl Fn(usize, usize) -> bool,
    ) -> Vec<Pair> {
        let tree = &self.trees[direction as usize];
        let mut found: FxHashSet<(usize, usize, u32)> = FxHashSet::default();
        for node in tree.nodes.iter().skip(1) {
            let second = node.policy as usize;
            let before = tree.up(node.parent).map(|place| (tree.policy(place), second, place));
            let before = before.take_while(|(first, ..)| near(*first, second));
            found.extend(before.filter(|(first, ..)| wanted(*first, second)));
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable();
        let pairs = found.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        let pair = |places: &[(usize, usize, u32)]| Pair {
            first: places[0].0,
            second: places[0].1,
            ways: places.iter().map(|(.., place)| tree.path(*place)).collect(),
        };
        pairs.map(pair).collect()
    }
}

/// Two policies that some endpoint has.
pub struct Pair {
    /// the one that is asked first
    pub first: usize,
    /// the other
    pub second: usize,
    /// the ways to the first, where the second comes after it
    pub ways: Vec<Vec<usize>>,
}

impl Tree {
    /// The places of a policy are sorted: ways without the earliest policies come first.
    fn new(nodes: Vec<Node>, policies: usize) -> Tree {
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
        for (number, node) in (0..).zip(&nodes).skip(1) {
            children[node.parent as usize].push(number);
        }
        let mut places = vec![Vec::new(); policies];
        let mut open = vec![ROOT];
        while let Some(number) = open.pop() {
            if number != ROOT {
                places[nodes[number as usize].policy as usize].push(number);
            }
            // they are in the order of their policies
            open.append(&mut children[number as usize]);
        }
        Tree { nodes, places }
    }

    fn policy(&self, place: u32) -> usize {
        self.nodes[place as usize].policy as usize
    }

    /// A place and those before it, back to the first policy.
    fn up(&self, place: u32) -> impl Iterator<Item = u32> + '_ {
        let parent = |place: &u32| Some(self.nodes[*place as usize].parent);
        std::iter::successors(Some(place), parent).take_while(|place| *place != ROOT)
    }

    fn path(&self, place: u32) -> Vec<usize> {
        let mut path: Vec<usize> = self.up(place).map(|place| self.policy(place)).collect();
        path.reverse();
        path
    }
}

/// A tree in the making.
struct Draft {
    nodes: Vec<Node>,
    /// how far each endpoint has come
    ends: Vec<u32>,
}

impl Draft {
    fn new(endpoints: usize) -> Draft {
        Draft { nodes: vec![Node { parent: ROOT, policy: u32::MAX }], ends: vec![ROOT; endpoints] }
    }

    /// Some endpoints meet one policy more; gives their number.
    fn extend(&mut self, policy: u32, endpoints: impl Iterator<Item = u32>) -> usize {
        let mut next: FxHashMap<u32, u32> = FxHashMap::default();
        let mut count = 0;
        for endpoint in endpoints {
            count += 1;
            let end = &mut self.ends[endpoint as usize];
            *end = *next.entry(*end).or_insert_with(|| {
                self.nodes.push(Node { parent: *end, policy });
                self.nodes.len() as u32 - 1
            });
        }
        count
    }

    /// Policies that are the only one of their tier on some endpoint's way.
    fn alone_in<T: PartialEq>(&self, tier: impl Fn(u32) -> Option<T>) -> Vec<usize> {
        let tier = |node: u32| tier(self.nodes[node as usize].policy);
        let mut last = vec![false; self.nodes.len()];
        self.ends.iter().for_each(|end| last[*end as usize] = true);
        for (number, node) in (0..).zip(&self.nodes).skip(1) {
            last[node.parent as usize] |= tier(number) != tier(node.parent);
        }
        let nodes = self.nodes.iter().zip(0..).skip(1);
        let alone =
            nodes.filter(|(node, number)| last[*number as usize] && tier(node.parent) != tier(*number));
        alone.map(|(node, _)| node.policy as usize).collect()
    }
}
