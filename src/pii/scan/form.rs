//! Forms: the table of identifiers as a trie over the lengths of a run's words, so that a run is compared with all of them at once.
//!
//! What a reader could get wrong: a form begins and ends at words' borders and not in the middle of something longer (a path, a UUID, a decimal
//! number); see `adjoins`.

use std::sync::LazyLock;

use smallvec::SmallVec;

use super::run::{Chunk, Run};
use super::{Asker, Scan};
use crate::pii::entity::Entity;
use crate::pii::identifier::{self, Identifier, Number};

/// The longest compact identifier.
const LONGEST: usize = 40;
/// What a byte of distance to a word of context costs: of two rows that fit, the one whose word is nearer wins. Below what `settle` tells apart
/// it decides nothing but ties.
const PER_BYTE: f32 = 0.0004;
/// What it costs that a word is used in many countries: two steps of `settle`.
const SHARED: f32 = 0.1;
/// Rows with a check of their own score this much or more near a word.
const CHECKED: f32 = 0.85;
/// Rows that know a number by its words only score less than this.
const UNCHECKED: f32 = 0.72;
/// What scores so much alone is no accident.
const CERTAIN: f32 = 0.6;
/// What it costs that a word stands behind the number: it may belong to the next one.
const AFTERWARDS: f32 = 0.05;

#[derive(Debug, Default)]
struct Node {
    /// By the length of the next word, sorted.
    next: Vec<(u8, u16)>,
    forms: Vec<Form>,
}

/// One form, of all the rows that have it.
#[derive(Debug)]
struct Form {
    rows: SmallVec<[u16; 4]>,
    /// Places of the compact form that must be letters, or digits.
    letters: u64,
    digits: u64,
    /// What stands in front of each word but the first: a space for any separator.
    separators: SmallVec<[u8; 8]>,
}

struct Table {
    nodes: Vec<Node>,
    /// By length, the forms that are taken in any grouping.
    loose: [Vec<Form>; LONGEST + 1],
    rows: Vec<&'static Identifier>,
}

/// A set of rows.
type Rows = SmallVec<[u64; 8]>;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rows: Vec<&'static Identifier> = identifier::all().collect();
    let mut nodes = vec![Node::default()];
    let mut loose = std::array::from_fn(|_| vec![]);
    for (place, row) in (0..).zip(&rows) {
        for form in row.forms {
            match form.strip_prefix('#') {
                Some(form) => insert_loose(&mut loose, form, place),
                None => insert(&mut nodes, form, place),
            }
        }
    }
    Table { nodes, loose, rows }
});

fn insert(nodes: &mut Vec<Node>, text: &str, row: u16) {
    let (form, lengths) = parsed(text, row);
    let mut node = 0;
    for length in lengths {
        node = child(nodes, node, length);
    }
    if let Some(node) = nodes.get_mut(node) {
        add(&mut node.forms, form);
    }
}

/// To the same form of other rows, if there is one.
fn add(forms: &mut Vec<Form>, form: Form) {
    match forms.iter_mut().find(|other| other.looks() == form.looks()) {
        Some(other) => other.rows.extend(form.rows),
        None => forms.push(form),
    }
}

/// `12` for twelve digits, or a form without separators.
fn insert_loose(loose: &mut [Vec<Form>], text: &str, row: u16) {
    let digits = text.parse().ok().filter(|count| *count <= LONGEST).map(|count| "9".repeat(count));
    let (form, lengths) = parsed(digits.as_deref().unwrap_or(text), row);
    if let Some(forms) = lengths.first().and_then(|length| loose.get_mut(usize::from(*length))) {
        add(forms, form);
    }
}

/// The form that `text` says, and the lengths of its words.
fn parsed(text: &str, row: u16) -> (Form, SmallVec<[u8; 8]>) {
    let (mut letters, mut digits, mut place) = (0_u64, 0_u64, 0);
    let mut separators = SmallVec::new();
    let mut lengths: SmallVec<[u8; 8]> = SmallVec::from_slice(&[0]);
    for sign in text.bytes() {
        match sign {
            b'9' => digits |= 1 << place,
            b'A' => letters |= 1 << place,
            b'X' => {}
            separator => {
                separators.push(separator);
                lengths.push(0);
                continue;
            }
        }
        place += 1;
        if let Some(length) = lengths.last_mut() {
            *length += 1;
        }
    }
    (Form { rows: SmallVec::from_slice(&[row]), letters, digits, separators }, lengths)
}

fn child(nodes: &mut Vec<Node>, of: usize, length: u8) -> usize {
    let new = nodes.len();
    let Some(node) = nodes.get_mut(of) else { return 0 };
    match node.next.binary_search_by_key(&length, |(length, _)| *length) {
        Ok(place) => node.next.get(place).map_or(0, |(_, child)| usize::from(*child)),
        Err(place) => {
            node.next.insert(place, (length, u16::try_from(new).unwrap_or(0)));
            nodes.push(Node::default());
            new
        }
    }
}

/// Compares every part of the run with every form.
pub(super) fn identify(scan: &mut Scan<'_, '_>, run: &Run) {
    let table = &*TABLE;
    // Which rows have a word near: most runs have no row's form, and the text around them is not read.
    let mut known = None;
    for first in 0..run.chunks.len() {
        let mut part = Part::new(table);
        for last in first..run.chunks.len() {
            let Some(chunk) = run.chunks.get(last) else { break };
            part.add(table, chunk);
            if part.is_over() {
                break;
            }
            let chunks = run.chunks.get(first..=last).unwrap_or_default();
            let goes_on = part.goes_on(run, first, last);
            let loose = (!goes_on).then(|| part.loose(table)).into_iter().flatten();
            let forms = part.written(chunks).map(|form| (form, false)).chain(loose.map(|form| (form, true)));
            let mut forms = forms.peekable();
            if forms.peek().is_none() || adjoins(scan.bytes(), chunks) {
                continue;
            }
            let known = known.get_or_insert_with(|| with_words(scan, table, run));
            let grouped = last > first;
            let possible = |row: u16, loose: bool| match (loose, grouped) {
                (true, true) => is_in(row, known),
                (false, true) if goes_on => is_in(row, known) && table.counts_alone(row),
                _ => table.is_possible(row, known),
            };
            let mut rows: SmallVec<[u16; 32]> = SmallVec::new();
            for (form, loose) in forms {
                rows.extend(form.rows.iter().copied().filter(|row| possible(*row, loose)));
            }
            if !rows.is_empty() {
                judge(scan, table, chunks, rows);
            }
        }
    }
}

/// Some words of a run, one after the other.
struct Part<'t> {
    /// Where the lengths of the words have led to in the trie; `None` when there is no such form.
    node: Option<&'t Node>,
    /// Between all words stands what may stand anywhere in an identifier.
    plain: bool,
    letters: u64,
    digits: u64,
    length: usize,
    /// A bit for each separator that stands in it.
    separators: u8,
}

/// Words of so many digits together are often a part of more.
const SHORT: usize = 7;

impl<'t> Part<'t> {
    fn new(table: &'t Table) -> Part<'t> {
        Part { node: table.nodes.first(), plain: true, letters: 0, digits: 0, length: 0, separators: 0 }
    }

    fn add(&mut self, table: &'t Table, chunk: &Chunk) {
        let size = chunk.end - chunk.start;
        let step =
            |node: &Node| node.next.iter().find(|(length, _)| usize::from(*length) == size).map(|(_, child)| *child);
        self.node = self.node.and_then(step).and_then(|child| table.nodes.get(usize::from(child)));
        if self.length > 0 {
            self.plain &= is_plain(chunk.separator);
            self.separators |= bit(chunk.separator);
        }
        if self.length + size <= LONGEST {
            self.letters |= chunk.letters << self.length;
            self.digits |= chunk.digits << self.length;
        }
        self.length += size;
    }

    /// No form has these words, nor these and more.
    fn is_over(&self) -> bool {
        self.length > LONGEST || (self.node.is_none() && !self.plain)
    }

    /// It goes on beyond `first..=last` of the run: with more digits behind the same separator, or at all where it is short.
    fn goes_on(&self, run: &Run, first: usize, last: usize) -> bool {
        let digits = |place: usize| run.chunks.get(place).filter(|chunk| chunk.letters == 0);
        let before = first.checked_sub(1).and_then(digits).and_then(|_| run.chunks.get(first));
        let behind = digits(last + 1);
        let outer = before.into_iter().chain(behind).map(|chunk| bit(chunk.separator)).fold(0, |all, one| all | one);
        outer != 0 && (self.length <= SHORT || outer & self.separators != 0)
    }

    /// The forms that fit as they are written.
    fn written(&self, chunks: &[Chunk]) -> impl Iterator<Item = &'t Form> {
        let forms = self.node.filter(|_| self.digits != 0).map_or(&[][..], |node| &node.forms);
        forms.iter().filter(|form| form.fits(self.letters, self.digits) && form.is_separated_as(chunks))
    }

    /// The forms that fit and may be grouped in any way.
    fn loose(&self, table: &'t Table) -> impl Iterator<Item = &'t Form> {
        let forms =
            table.loose.get(self.length).filter(|_| self.plain && self.digits != 0).map_or(&[][..], Vec::as_slice);
        forms.iter().filter(|form| form.fits(self.letters, self.digits))
    }
}

/// What may stand in any place of any identifier.
fn is_plain(separator: u8) -> bool {
    matches!(separator, b' ' | b'-' | b'.' | b'/')
}

/// A bit of its own for each plain separator, one for the others together.
fn bit(separator: u8) -> u8 {
    match separator {
        b' ' => 1,
        b'-' => 2,
        b'.' => 4,
        b'/' => 8,
        _ => 16,
    }
}

/// Which rows have a word near the run, so that the others need not be looked at where they would count for nothing alone.
fn with_words(scan: &mut Scan<'_, '_>, table: &Table, run: &Run) -> Rows {
    let mut known: Rows = SmallVec::from_elem(0, table.rows.len() / 64 + 1);
    let (Some(first), Some(last)) = (run.chunks.first(), run.chunks.last()) else { return known };
    scan.around(&(first.start..last.end), |asker| {
        if let Asker::Row(row) = asker
            && let Some(part) = known.get_mut(usize::from(row) / 64)
        {
            *part |= 1 << (row % 64);
        }
    });
    known
}

fn is_in(row: u16, rows: &Rows) -> bool {
    rows.get(usize::from(row) / 64).is_some_and(|part| part & (1 << (row % 64)) != 0)
}

impl Table {
    fn near(&self, row: u16) -> f32 {
        self.rows.get(usize::from(row)).map_or(0.0, |row| row.near)
    }

    /// A row of another kind, with a check of its own.
    fn is_checked_other(&self, row: u16, entity: Entity) -> bool {
        self.rows.get(usize::from(row)).is_some_and(|row| row.entity != entity && row.near >= CHECKED)
    }

    fn is_possible(&self, row: u16, known: &Rows) -> bool {
        is_in(row, known) || self.counts_alone(row)
    }

    fn counts_alone(&self, row: u16) -> bool {
        self.rows.get(usize::from(row)).is_some_and(|row| row.alone > 0.0)
    }
}

impl Form {
    fn looks(&self) -> (u64, u64, &[u8]) {
        (self.letters, self.digits, &self.separators)
    }

    fn fits(&self, letters: u64, digits: u64) -> bool {
        self.letters & !letters == 0 && self.digits & !digits == 0
    }

    fn is_separated_as(&self, chunks: &[Chunk]) -> bool {
        let found = chunks.iter().skip(1).map(|chunk| chunk.separator);
        self.separators.iter().zip(found).all(|(asked, found)| match asked {
            b' ' => is_plain(found),
            _ => *asked == found,
        })
    }
}

/// Whether it is a part of something longer: glued to more by a dot, a hyphen, a slash, an underscore.
fn adjoins(text: &[u8], chunks: &[Chunk]) -> bool {
    let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else { return true };
    let at = |back: usize| first.start.checked_sub(back).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    let before = match at(1) {
        b'_' | b'@' | b'%' | b'\\' | b'$' => true,
        b'.' | b'/' | b'+' => at(2).is_ascii_alphanumeric(),
        // `SSN-078-05-1120` is one, `550e8400-123456789` none.
        b'-' => text.get(first.start.saturating_sub(6)..first.start - 1).is_some_and(|word| {
            word.last().is_some_and(u8::is_ascii_alphanumeric)
                && word.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).any(u8::is_ascii_digit)
        }),
        _ => false,
    };
    let next = |ahead: usize| text.get(last.end + ahead).copied().unwrap_or(b' ');
    let behind = match next(0) {
        b'_' | b'@' | b'%' => true,
        b'.' | b',' => next(1).is_ascii_digit() && next(0) == b'.',
        b'-' | b'/' | b'+' => next(1).is_ascii_alphanumeric(),
        _ => false,
    };
    before || behind
}

fn judge(scan: &mut Scan<'_, '_>, table: &Table, chunks: &[Chunk], rows: SmallVec<[u16; 32]>) {
    let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else { return };
    let range = first.start..last.end;
    let Some(raw) = scan.text.get(range.clone()) else { return };
    let compact: SmallVec<[u8; LONGEST]> =
        raw.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect();
    let number = Number { compact: &compact, raw };
    let mut judged: SmallVec<[Judged; 32]> = SmallVec::new();
    for row in rows {
        let Some(known) = table.rows.get(usize::from(row)) else { continue };
        if judged.iter().all(|other| other.row != row) {
            judged.push(Judged { row, valid: (known.valid)(&number), named: 0.0, shared: 0.0, cost: f32::MAX });
        }
    }
    if !judged.iter().any(|one| one.valid) {
        return;
    }
    scan.near(&range, |near| {
        let Some(one) = judged.iter_mut().find(|one| near.asker == Asker::Row(one.row)) else { return };
        let less = if near.shared { SHARED } else { 0.0 } + if near.behind { AFTERWARDS } else { 0.0 };
        #[allow(clippy::cast_precision_loss, reason = "a distance is below 100")]
        let cost = less + PER_BYTE * near.distance as f32;
        let nearer = table.near(one.row) - cost;
        one.cost = one.cost.min(cost);
        let score = if near.shared { &mut one.shared } else { &mut one.named };
        *score = score.max(nearer);
    });
    // Where a word names one kind, valid or not, then words that many share mean that one, no other kind is there by accident, and kinds without a
    // check of their own are not meant either, unless their word is nearer.
    let named = judged.iter().any(|one| one.named > 0.0);
    for one in judged.iter().filter(|one| one.valid) {
        let Some(row) = table.rows.get(usize::from(one.row)) else { continue };
        let others = judged.iter().filter(|other| other.named > 0.0 && table.is_checked_other(other.row, row.entity));
        let nearest = others.map(|other| other.cost).reduce(f32::min);
        let shared = if named { 0.0 } else { one.shared };
        let alone = if nearest.is_some() && row.alone < CERTAIN { 0.0 } else { row.alone };
        let meant = row.near >= UNCHECKED || nearest.is_none_or(|nearest| one.cost < nearest);
        let score = if meant { one.named.max(shared).max(alone) } else { alone };
        if score > 0.0 {
            scan.push(range.start, range.end, row.entity, score);
        }
    }
}

/// A row whose form fits.
struct Judged {
    row: u16,
    valid: bool,
    /// The score that a word of this row gives, and that one of many rows gives.
    named: f32,
    shared: f32,
    /// What distance took from it at least.
    cost: f32,
}

#[cfg(test)]
mod tests;
