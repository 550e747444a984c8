//! Numbers of two questions: which have an equal on the other side, and what was put in place of those that have none.
//!
//! What a reader could get wrong: values are compared as sets first ("4 friends … each of the 4 friends" has one number), and only a value that the
//! other side lacks altogether counts as lost. One that stands there less often says something only where another stands there more often.

use super::align::{Alignment, Link};
use super::lexicon::class;
use super::order;
use super::question::{Question, Word};

/// Numbers of one side without an equal.
#[derive(Default)]
struct Alone {
    /// That the other side does not have at all.
    lost: f32,
    /// Of all values, how many; and how many are lost or stand here more often.
    all: f32,
    /// As `all`, words such as "half" and "one" included.
    soft: f32,
    lost_soft: f32,
    /// How much more often values that stand in digits or words of number are here than there.
    more: f32,
    /// Different values, and those of them that the other side has.
    values: f32,
    shared: f32,
}

impl Alone {
    fn of(question: &Question, links: &[Link], other: &Question) -> Alone {
        let mut alone = Alone::default();
        let count = |of: &Question, word: &Word| of.words.iter().filter(|other| other.hash == word.hash).count();
        let is_number = |(_, (word, _)): &(usize, (&Word, &Link))| word.is(class::NUMBER);
        for (place, (word, link)) in question.words.iter().zip(links).enumerate().filter(is_number) {
            let is_hard = !word.is(class::SOFT);
            let is_lost = !other.words.iter().any(|other| other.is(class::NUMBER) && other.hash == word.hash);
            let is_equal = |other: &&Word| other.hash == word.hash && !other.is(class::SOFT);
            let is_first = !question.words.iter().take(place).any(|other| is_equal(&other));
            if is_hard && is_first {
                alone.values += 1.0;
                alone.shared += if is_lost { 0.0 } else { 1.0 };
                let hard = question.words.iter().filter(is_equal).count();
                alone.more += count(question, word).saturating_sub(count(other, word)).min(hard) as f32;
            }
            if link.to != 0 {
                continue;
            }
            alone.soft += 1.0;
            alone.lost_soft += if is_lost { 1.0 } else { 0.0 };
            if is_hard {
                alone.all += 1.0;
                alone.lost += if is_lost { 1.0 } else { 0.0 };
            }
        }
        alone
    }
}

/// The features of numbers, in the order of `NAMES`.
pub fn numbers(a: &Question, b: &Question, links: &Alignment, put: &mut impl FnMut(f32)) {
    let (left, right) = (Alone::of(a, &links.a, b), Alone::of(b, &links.b, a));
    let lost = left.lost.max(right.lost);
    put(left.all.min(right.all).min(lost));
    put(lost);
    let is_same = |(word, link): &(&Word, &Link)| word.is(class::NUMBER) && !word.is(class::SOFT) && link.to != 0;
    put(a.words.iter().zip(&links.a).filter(is_same).count() as f32);
    put(order::number_inversions(a, links));
    put(order::number_nouns(a, b, links));
    put(left.soft.min(right.soft).min(left.lost_soft.max(right.lost_soft)));
    put(left.more.min(right.more));
    let values = left.values + right.values;
    put(if values > 0.0 { (left.shared + right.shared) / values } else { 1.0 });
}
