//! Sentences for training: templates filled with names, with what is what.
//!
//! What a reader could get wrong: `{slot}` in a template is one of `slots.rs`; an unknown one stays as it is written (code has braces too).

use tidegate::pii::tagger::label::Label;

use crate::names::{Locale, Names};
use crate::random::Random;
use crate::slots;

/// A text and what in it is what; places are bytes.
#[derive(Debug, Clone, Default)]
pub struct Example {
    pub text: String,
    pub spans: Vec<(usize, usize, Label)>,
    /// Template of a measured sentence.
    pub group: u64,
    /// How often it is seen in an epoch.
    pub times: usize,
    /// Code: nothing is to be found.
    pub strict: bool,
}

/// How a whole sentence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    AsIs,
    Lower,
    Upper,
    /// Names without capitals, the rest as it is.
    LowerNames,
}

/// A sentence under way.
#[derive(Debug)]
pub struct Draft<'n> {
    pub names: &'n Names,
    pub random: Random,
    pub locale: &'n Locale,
    pub case: Case,
    pub example: Example,
}

impl<'n> Draft<'n> {
    pub fn plain(&mut self, text: &str) {
        self.write(text, false);
    }

    pub fn marked(&mut self, text: &str, label: Label) {
        let start = self.example.text.len();
        self.write(text, true);
        self.example.spans.push((start, self.example.text.len(), label));
    }

    fn write(&mut self, text: &str, name: bool) {
        match self.case {
            Case::Lower => self.example.text.push_str(&text.to_lowercase()),
            Case::LowerNames if name => self.example.text.push_str(&text.to_lowercase()),
            Case::Upper => self.example.text.push_str(&text.to_uppercase()),
            _ => self.example.text.push_str(text),
        }
    }

    /// Another locale, for sentences that mix them.
    pub fn another(&mut self) {
        self.locale = self.random.pick(&self.names.locales);
    }
}

/// One file of templates and how its sentences vary.
pub struct Source {
    pub templates: &'static str,
    pub times: usize,
    /// Shares in a hundred.
    pub lower: usize,
    pub upper: usize,
    /// Whether two or three sentences may follow one another.
    pub joins: bool,
    pub strict: bool,
}

const CODE: &str = include_str!("templates/code.txt");
const NOTHING: &str = include_str!("templates/nothing.txt");

pub const SOURCES: [Source; 5] = [
    Source {
        templates: include_str!("templates/chat.txt"),
        times: 100,
        lower: 30,
        upper: 3,
        joins: true,
        strict: false,
    },
    Source {
        templates: include_str!("templates/forms.txt"),
        times: 100,
        lower: 10,
        upper: 4,
        joins: false,
        strict: false,
    },
    Source {
        templates: include_str!("templates/prose.txt"),
        times: 100,
        lower: 12,
        upper: 3,
        joins: true,
        strict: false,
    },
    Source { templates: NOTHING, times: 24, lower: 25, upper: 6, joins: true, strict: false },
    Source { templates: CODE, times: 80, lower: 2, upper: 1, joins: false, strict: true },
];

pub fn examples(names: &Names, seed: u64) -> Vec<Example> {
    let mut random = Random(seed);
    let mut made = vec![];
    let nothing: Vec<&str> = NOTHING.lines().collect();
    for source in &SOURCES {
        let templates: Vec<&str> = source.templates.lines().filter(|line| !line.is_empty()).collect();
        for template in &templates {
            for _ in 0..source.times {
                let case = match random.below(100) {
                    share if share < source.lower => Case::Lower,
                    share if share < source.lower + source.upper => Case::Upper,
                    share if share < source.lower + source.upper + source.upper => Case::LowerNames,
                    _ => Case::AsIs,
                };
                let locale = random.pick(&names.locales);
                let mut draft = Draft {
                    names,
                    random: Random(random.next()),
                    locale,
                    case,
                    example: Example { times: 1, strict: source.strict, ..Example::default() },
                };
                fill(&mut draft, template);
                while source.joins && draft.random.percent(25) {
                    let more = if draft.random.percent(50) {
                        draft.random.pick(&templates)
                    } else {
                        draft.random.pick(&nothing)
                    };
                    let between = *draft.random.pick(&[" ", " ", "\n", "\n\n"]);
                    draft.plain(between);
                    fill(&mut draft, more);
                }
                made.push(draft.example);
            }
        }
    }
    made
}

fn fill(draft: &mut Draft<'_>, template: &str) {
    let template = template.replace("\\n", "\n").replace("\\t", "\t");
    let mut rest = template.as_str();
    // Some people use no full stop, and some no comma.
    if draft.random.percent(10) {
        rest = rest.trim_end_matches(['.', '!']);
    }
    while let Some(open) = rest.find('{') {
        draft.plain(&rest[..open]);
        rest = &rest[open..];
        let slot = rest[1..].find(['}', '{', ' ', '\n']).filter(|end| rest[1 + end..].starts_with('}'));
        match slot.map(|end| &rest[1..=end]) {
            Some(slot) if slots::fill(draft, slot) => rest = &rest[slot.len() + 2..],
            _ => {
                draft.plain("{");
                rest = &rest[1..];
            }
        }
    }
    draft.plain(rest);
}
