//! What can be seen of an answer's text as it comes: its beginning for refusals, its words for loops, all of it where it should be JSON.
//!
//! What a reader could get wrong: a model that thinks aloud in its answer (`<think>…</think>`) has not begun to answer before it has thought;
//! its loops count all the same. Where the text is cut makes no difference to anything here.

use super::refusal;
use super::repetition::Loops;

/// The beginning that refusals and hedges are looked for in, in bytes: some eighty words.
const HEAD: usize = 512;
const OPENS: &str = "<think>";
const CLOSES: &str = "</think>";

/// The text of an answer so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    /// The beginning of the answer proper; while it thinks, the last bytes of its thoughts.
    head: String,
    is_full: bool,
    thoughts: Thoughts,
    /// There is more than white space.
    pub(super) has_any: bool,
    pub(super) loops: Loops,
    /// All of it; `None`: nobody asked for it.
    whole: Option<String>,
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Thoughts {
    /// Too little has come to tell.
    #[default]
    Unknown,
    Within,
    Past,
}

impl Text {
    /// `keep`: all of it is wanted.
    pub(super) fn new(keep: bool) -> Text {
        Text { whole: keep.then(String::new), ..Text::default() }
    }

    /// The next piece of the answer.
    pub(super) fn push(&mut self, piece: &str) {
        self.bytes += piece.len();
        self.loops.push(piece);
        if let Some(whole) = &mut self.whole {
            whole.push_str(piece);
        }
        match self.thoughts {
            Thoughts::Past => self.answered(piece),
            Thoughts::Within => self.thought(piece),
            Thoughts::Unknown => {
                self.head.push_str(piece);
                let begun = self.head.trim_start();
                if begun.len() < OPENS.len() && OPENS.starts_with(begun) {
                    return;
                }
                let all = std::mem::take(&mut self.head);
                match all.trim_start().strip_prefix(OPENS) {
                    Some(rest) => {
                        self.thoughts = Thoughts::Within;
                        self.thought(rest);
                    }
                    None => {
                        self.thoughts = Thoughts::Past;
                        self.answered(&all);
                    }
                }
            }
        }
    }

    /// A piece of what it thought before it answers: no answer, but it may go round in circles.
    pub(super) fn aside(&mut self, piece: &str) {
        self.bytes += piece.len();
        self.loops.push(piece);
    }

    fn answered(&mut self, piece: &str) {
        self.has_any |= !piece.trim_start().is_empty();
        if self.is_full {
            return;
        }
        let room = HEAD.saturating_sub(self.head.len());
        let end = (0..=room.min(piece.len())).rev().find(|at| piece.is_char_boundary(*at)).unwrap_or(0);
        self.head.push_str(piece.get(..end).unwrap_or_default());
        // Nothing may come behind a letter that did not fit.
        self.is_full = end < piece.len();
    }

    fn thought(&mut self, piece: &str) {
        self.head.push_str(piece);
        let held = std::mem::take(&mut self.head);
        if let Some((_, answer)) = held.split_once(CLOSES) {
            self.thoughts = Thoughts::Past;
            self.answered(answer);
            return;
        }
        // The end of it may have been cut in two.
        let from = held.len().saturating_sub(CLOSES.len());
        let from = (from..held.len()).find(|at| held.is_char_boundary(*at)).unwrap_or(held.len());
        self.head.push_str(held.get(from..).unwrap_or_default());
    }

    /// Whether it refuses, and how often it hedges, at its beginning.
    pub(super) fn attitude(&self) -> (bool, u32) {
        if self.thoughts != Thoughts::Past {
            return (false, 0);
        }
        let head = refusal::fold(&self.head);
        (refusal::refuses(&head), refusal::hedges(&head))
    }

    /// All of it, where it was asked for.
    pub(super) fn whole(&self) -> Option<&str> {
        self.whole.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thoughts_are_no_answer() {
        let of = |pieces: &[&str]| {
            let mut text = Text::new(false);
            pieces.iter().for_each(|piece| text.push(piece));
            (text.has_any, text.attitude().0)
        };
        assert_eq!(of(&["I can't", " help."]), (true, true));
        assert_eq!(of(&["<think>I can't tell him.</think>\n\nParis."]), (true, false));
        assert_eq!(of(&[" <th", "ink>Let me see", "</thi", "nk>\nI cannot", " say."]), (true, true));
        assert_eq!(of(&["<think>I can't"]), (false, false));
        assert_eq!(of(&["<think></think> \n"]), (false, false));
        assert_eq!(of(&["<b>I can't</b>"]), (true, false));
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            think in prop::option::of("[a-zä/<>]{0,20}"),
            answer in "(I'm sorry, |Well, |ü )?(I can't|I canter|yes|I am not sure)[ a-zé]{0,700}",
            cuts in prop::collection::vec(1usize..12, 1..40),
        ) {
            let text = match think {
                Some(think) => format!(" <think>{think}</think>{answer}"),
                None => answer,
            };
            let mut whole = Text::new(true);
            whole.push(&text);
            let mut cut = Text::new(true);
            let mut rest = text.as_str();
            for length in cuts.iter().cycle() {
                let end = (*length..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
                let (piece, after) = rest.split_at(end);
                cut.push(piece);
                rest = after;
                if rest.is_empty() { break }
            }
            prop_assert_eq!(cut.attitude(), whole.attitude());
            prop_assert_eq!(cut.has_any, whole.has_any);
            prop_assert_eq!(cut.whole(), whole.whole());
        }
    }
}
