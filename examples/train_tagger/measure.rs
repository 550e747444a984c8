//! How good a model is: finds beside what is there.
//!
//! What a reader could get wrong: "overlap" counts a find that touches something of its type; "exact" needs both ends.

use std::collections::BTreeMap;

use tidegate::pii::Span;
use tidegate::pii::entity::Entity;
use tidegate::pii::tagger::{label::Label, model::Model, tag_with};

use crate::generate::Example;

#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub there: usize,
    pub found: usize,
    /// Of those there, of those found.
    pub met: usize,
    pub right: usize,
    pub exact: usize,
    /// Of those there: touched by a find of any type.
    pub touched: usize,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.there += other.there;
        self.found += other.found;
        self.met += other.met;
        self.right += other.right;
        self.exact += other.exact;
        self.touched += other.touched;
    }
}

#[derive(Debug, Default)]
pub struct Report {
    pub types: BTreeMap<Entity, Tally>,
    pub mistakes: Vec<String>,
    /// Score of each find, and whether it is right.
    pub scores: Vec<(f32, bool)>,
}

impl Report {
    pub fn add(&mut self, model: &Model, examples: &[Example]) {
        let mut found = vec![];
        for example in examples {
            found.clear();
            tag_with(model, &example.text, &mut found);
            self.count(example, &found);
        }
    }

    fn count(&mut self, example: &Example, found: &[Span]) {
        let there: Vec<(usize, usize, Entity)> = example
            .spans
            .iter()
            .filter_map(|(start, end, label)| Some((*start, *end, Label::entity(*label)?)))
            .collect();
        for (start, end, entity) in &there {
            let touching: Vec<&Span> = found.iter().filter(|span| span.start < *end && *start < span.end).collect();
            let tally = self.types.entry(*entity).or_default();
            tally.there += 1;
            let met = touching.iter().any(|span| same(span.entity, *entity));
            tally.met += usize::from(met);
            tally.touched += usize::from(!touching.is_empty());
            tally.exact += usize::from(
                touching.iter().any(|span| same(span.entity, *entity) && (span.start, span.end) == (*start, *end)),
            );
            if !met {
                let as_what = touching.first().map_or("nothing", |span| name(span.entity));
                self.mistakes.push(format!(
                    "missed {} as {as_what}: [{}] in {:?}",
                    name(*entity),
                    &example.text[*start..*end],
                    example.text
                ));
            }
        }
        for span in found {
            let tally = self.types.entry(span.entity).or_default();
            tally.found += 1;
            let right = there
                .iter()
                .any(|(start, end, entity)| span.start < *end && *start < span.end && same(span.entity, *entity));
            tally.right += usize::from(right);
            self.scores.push((span.score, right));
            if !right {
                self.mistakes.push(format!(
                    "invented {} {:.2}: [{}] in {:?}",
                    name(span.entity),
                    span.score,
                    &example.text[span.start..span.end],
                    example.text
                ));
            }
        }
    }

    pub fn print(&self, title: &str) {
        println!(
            "\n{title}\n| type | there | found | precision | recall | F2 | exact recall | touched |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
        );
        let mut all = Tally::default();
        for (entity, tally) in &self.types {
            all.add(*tally);
            row(name(*entity), tally);
        }
        row("all", &all);
        self.print_scores();
        for mistake in &self.mistakes {
            eprintln!("{mistake}");
        }
    }
}

impl Report {
    /// In tenths of the finds, the least sure first: how sure, and how many of them are right.
    fn print_scores(&self) {
        let mut scores = self.scores.clone();
        scores.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        println!();
        for tenth in scores.chunks((scores.len() / 10).max(1)) {
            let right = tenth.iter().filter(|(_, right)| *right).count();
            println!(
                "score up to {:.3}: {right} of {} right",
                tenth.last().map_or(0.0, |(score, _)| *score),
                tenth.len()
            );
        }
    }
}

fn row(name: &str, tally: &Tally) {
    let share = |of: usize, all: usize| if all == 0 { 1.0 } else { of as f64 / all as f64 };
    let (precision, recall) = (share(tally.right, tally.found), share(tally.met, tally.there));
    let f2 = 5.0 * precision * recall / (4.0 * precision + recall).max(1e-9);
    let (exact, touched) = (share(tally.exact, tally.there), share(tally.touched, tally.there));
    println!(
        "| {name} | {} | {} | {precision:.3} | {recall:.3} | {f2:.3} | {exact:.3} | {touched:.3} |",
        tally.there, tally.found
    );
}

fn same(one: Entity, other: Entity) -> bool {
    let kind = |entity| if entity == Entity::ZIP_CODE { Entity::STREET_ADDRESS } else { entity };
    kind(one) == kind(other)
}

fn name(entity: Entity) -> &'static str {
    entity.about().map_or("", |about| about.name)
}
