//! What is wrong with a configuration, where, and what to do about it; and how that is printed.
//!
//! What a reader could get wrong: `Display` never has colours, because it also goes to logs and to `POST /api/reload`;
//! [`Problems::styled`] has them always, for a stream of `anstream`, which takes them out where there is no terminal.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// A place in the file: both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: usize,
    pub col: usize,
}

impl Position {
    /// The very beginning: for what is wrong with the file as a whole.
    pub const START: Position = Position { line: 1, col: 1 };
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted, and somebody should know.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub col: usize,
    pub severity: Severity,
    /// Lower case, no full stop; names the value. Never a secret.
    pub message: String,
    /// The remedy, if the message does not say it.
    pub hint: Option<String>,
}

impl Problem {
    /// What makes the configuration unusable.
    pub fn error(at: Position, message: impl Into<String>) -> Self {
        Problem { line: at.line, col: at.col, severity: Severity::Error, message: message.into(), hint: None }
    }

    /// What somebody should know although the configuration is accepted.
    pub fn warning(at: Position, message: impl Into<String>) -> Self {
        Problem { severity: Severity::Warning, ..Problem::error(at, message) }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem as `check` prints it: `FILE:LINE:COL: MESSAGE`, then an indented hint. No final line break.
    pub fn render<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        Rendered { problem: self, file, paint: &PLAIN }
    }

    /// The same with ANSI colours.
    pub fn styled<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        Rendered { problem: self, file, paint: &COLOURED }
    }
}

/// All problems of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file's name as the operator gave it.
    pub file: String,
    /// By position, none twice.
    pub list: Vec<Problem>,
}

impl Problems {
    /// Sorted by position, each said once.
    pub fn new(file: impl Into<String>, mut list: Vec<Problem>) -> Self {
        sort(&mut list);
        Problems { file: file.into(), list }
    }

    /// All of them with ANSI colours, one or two lines each.
    pub fn styled(&self) -> impl fmt::Display + '_ {
        RenderedAll { problems: self, paint: &COLOURED }
    }
}

/// By position; the same message at the same place only once.
pub fn sort(list: &mut Vec<Problem>) {
    list.sort_by(|a, b| (a.line, a.col, &a.message, &a.hint).cmp(&(b.line, b.col, &b.message, &b.hint)));
    list.dedup_by(|a, b| (a.line, a.col, &a.message) == (b.line, b.col, &b.message));
}

/// As `check` prints it, without colours.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RenderedAll { problems: self, paint: &PLAIN }.fmt(f)
    }
}

impl std::error::Error for Problems {}

/// A value of the file as it is shown in a message: in backticks, on one line, not too long.
pub fn quoted(value: &str) -> String {
    /// A line of a terminal holds the message around it, too.
    const SHOWN: usize = 60;
    let mut shown: String = value.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// The candidate that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // A third of the letters may be wrong, two in a short word: beyond that the guess is more often wrong than right.
    let allowed = (word.chars().count() / 3).max(2);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The names in backticks, with commas: for a hint that lists what is known. Long lists are cut.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    /// As many as one takes in at a glance; a struct of the configuration has at most so many keys.
    const SHOWN: usize = 20;
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names.by_ref().take(SHOWN).map(quoted).collect();
    if names.next().is_some() {
        shown.push("…".into());
    }
    shown.join(", ")
}

struct Paint {
    place: Style,
    error: Style,
    warning: Style,
    hint: Style,
}

const PLAIN: Paint = Paint { place: Style::new(), error: Style::new(), warning: Style::new(), hint: Style::new() };

const COLOURED: Paint = Paint {
    place: Style::new().bold(),
    error: AnsiColor::Red.on_default().bold(),
    warning: AnsiColor::Yellow.on_default().bold(),
    hint: AnsiColor::Cyan.on_default(),
};

struct Rendered<'a> {
    problem: &'a Problem,
    file: &'a str,
    paint: &'a Paint,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Paint { place, error, warning, hint } = self.paint;
        let Problem { line, col, message, .. } = self.problem;
        write!(f, "{place}{}:{line}:{col}:{place:#} ", self.file)?;
        match self.problem.severity {
            Severity::Error => write!(f, "{error}{message}{error:#}")?,
            Severity::Warning => write!(f, "{warning}warning:{warning:#} {message}")?,
        }
        match &self.problem.hint {
            Some(text) => write!(f, "\n    {hint}hint:{hint:#} {text}"),
            None => Ok(()),
        }
    }
}

struct RenderedAll<'a> {
    problems: &'a Problems,
    paint: &'a Paint,
}

impl fmt::Display for RenderedAll<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            Rendered { problem, file: &self.problems.file, paint: self.paint }.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, col: usize) -> Position {
        Position { line, col }
    }

    #[test]
    fn is_sorted_said_once_and_plain() {
        let problems = Problems::new(
            "tidegate.yaml",
            vec![
                Problem::error(at(9, 3), "unknown key `thresold`").with_hint("did you mean `threshold`?"),
                Problem::error(at(2, 1), "`listen` is no address"),
                Problem::error(at(9, 3), "unknown key `thresold`").with_hint("did you mean `threshold`?"),
                Problem::warning(at(4, 5), "model `old` retired on 2025-01-01"),
            ],
        );
        insta::assert_snapshot!(problems, @r"
        tidegate.yaml:2:1: `listen` is no address
        tidegate.yaml:4:5: warning: model `old` retired on 2025-01-01
        tidegate.yaml:9:3: unknown key `thresold`
            hint: did you mean `threshold`?
        ");
    }

    #[test]
    fn colours_only_add_escape_codes() {
        let problem = Problem::error(at(1, 2), "broken").with_hint("mend it");
        let coloured = problem.styled("f.yaml").to_string();
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), problem.render("f.yaml").to_string());
    }

    #[test]
    fn shows_values_short_and_on_one_line() {
        assert_eq!(quoted("a\nb\u{1b}c"), "`a b c`");
        assert_eq!(quoted(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }
}
