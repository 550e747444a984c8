//! Shares of traffic: which member of a `split` a conversation goes to, and what is tried after it.
//!
//! What a reader could get wrong: the draw only decides who comes first. Constraints filter the members as they filter every target;
//! where the one drawn is forbidden, the next takes over, so the shares are those of what may be chosen from.

use super::Candidate;
use crate::signals::conversation::{name_hash, share_salted};

/// A rule's shares, compiled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Split {
    members: Vec<Member>,
    /// Indices into the rule's candidates: what is tried after the one drawn, in order.
    then: Vec<usize>,
}

/// A member and its weight.
#[derive(Debug, Clone, PartialEq)]
struct Member {
    /// Index into the rule's candidates.
    candidate: usize,
    weight: f64,
    /// Of route, rule and model: other rules draw independently.
    salt: u64,
}

impl Split {
    /// `candidates`: all of the rule's, by whose names `weights` and `tried` go. Without `tried` the other members follow by falling
    /// weight. Names that are no candidate's are left out.
    pub fn new<'n>(
        route: &str,
        rule: &str,
        candidates: &[Candidate],
        weights: impl IntoIterator<Item = (&'n str, f64)>,
        tried: &[&str],
    ) -> Split {
        let find = |name: &str| candidates.iter().position(|candidate| candidate.model == name);
        let member = |(name, weight): (&str, f64)| {
            Some(Member { candidate: find(name)?, weight, salt: name_hash(&[route, rule, name]) })
        };
        let members: Vec<Member> = weights.into_iter().filter_map(member).collect();
        let mut then: Vec<usize> = tried.iter().filter_map(|name| find(name)).collect();
        if then.is_empty() {
            let mut by_weight: Vec<&Member> = members.iter().collect();
            by_weight.sort_by(|a, b| b.weight.total_cmp(&a.weight));
            then = by_weight.into_iter().map(|member| member.candidate).collect();
        }
        Split { members, then }
    }

    /// The order for a conversation, as indices into the rule's candidates.
    pub fn order(&self, conversation: u64) -> impl Iterator<Item = usize> + '_ {
        let drawn = self.draw(conversation);
        drawn.into_iter().chain(self.then.iter().copied().filter(move |index| Some(*index) != drawn))
    }

    /// Weighted rendezvous hashing: each member runs a race whose time depends on its own weight and the conversation alone. So when a
    /// member is added, a conversation stays where it is or goes to the new one.
    fn draw(&self, conversation: u64) -> Option<usize> {
        let time = |member: &Member| {
            // 1 - share is never 0, so the logarithm is finite.
            let even = 1.0 - share_salted(conversation, member.salt);
            -even.ln() / member.weight
        };
        let runs = self.members.iter().filter(|member| member.weight > 0.0);
        let first = runs.map(|member| (time(member), member.candidate)).min_by(|a, b| a.0.total_cmp(&b.0));
        first.map(|(_, candidate)| candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::Placement;
    use crate::policy::fixtures::candidate;

    const N: u64 = 10_000;

    fn named(names: &[&str]) -> Vec<Candidate> {
        names.iter().zip(0..).map(|(name, id)| candidate(id, name, Placement::Cloud)).collect()
    }

    fn split(weights: &[(&str, f64)], tried: &[&str]) -> (Split, Vec<Candidate>) {
        let mut names: Vec<&str> = weights.iter().map(|(name, _)| *name).collect();
        names.extend(tried.iter().filter(|name| !weights.iter().any(|(member, _)| member == *name)));
        let candidates = named(&names);
        (Split::new("auto", "hard", &candidates, weights.iter().copied(), tried), candidates)
    }

    fn first((split, candidates): &(Split, Vec<Candidate>), conversation: u64) -> String {
        candidates[split.order(conversation).next().unwrap()].model.clone()
    }

    #[test]
    fn conversations_land_in_proportion_and_always_alike() {
        for weights in [[("frontier", 95.0), ("challenger", 5.0)], [("frontier", 0.95), ("challenger", 0.05)]] {
            let split = split(&weights, &[]);
            let challenged = (0..N).filter(|key| first(&split, *key) == "challenger").count() as f64 / N as f64;
            assert!((0.035..=0.065).contains(&challenged), "{challenged}");
            assert!((0..N).all(|key| first(&split, key) == first(&split, key)));
        }
    }

    #[test]
    fn a_new_member_only_takes_what_is_its_own() {
        let before = split(&[("a", 60.0), ("b", 40.0)], &[]);
        let after = split(&[("a", 60.0), ("b", 40.0), ("c", 25.0)], &[]);
        let mut moved = 0;
        for key in 0..N {
            let (was, is) = (first(&before, key), first(&after, key));
            assert!(was == is || is == "c", "{key}: {was} to {is}");
            moved += u64::from(was != is);
        }
        assert!((1_850..2_150).contains(&moved), "a fifth is the new one's: {moved}");
    }

    #[test]
    fn other_rules_draw_independently() {
        let candidates = named(&["a", "b"]);
        let weights = [("a", 1.0), ("b", 1.0)];
        let one = (Split::new("auto", "one", &candidates, weights, &[]), candidates.clone());
        let other = (Split::new("auto", "other", &candidates, weights, &[]), candidates);
        let alike = (0..N).filter(|key| first(&one, *key) == first(&other, *key)).count();
        assert!((4_800..5_200).contains(&alike), "{alike}");
    }

    #[test]
    fn what_follows_is_try_or_the_others_by_weight_each_once() {
        let order = |(split, candidates): &(Split, Vec<Candidate>), key| {
            split.order(key).map(|index| candidates[index].model.as_str()).collect::<Vec<_>>().join(" ")
        };
        let orders = |of: &(Split, Vec<Candidate>)| {
            (0..200)
                .map(|key| order(of, key))
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        };
        let alone = split(&[("a", 1.0), ("never", 0.0), ("b", 3.0)], &[]);
        assert_eq!(orders(&alone), ["a b never", "b a never"]);
        let with_try = split(&[("a", 1.0), ("b", 3.0)], &["fallback", "b"]);
        assert_eq!(orders(&with_try), ["a fallback b", "b fallback"]);
    }
}
