//! From the settings to an answer, for commands and the admin API: opens the database to read it, adds what the journal holds beyond.
//!
//! What a reader could get wrong: the journal's tail must be *opened* before the database is, and *read* after; see `journal/tail.rs`.

use std::fmt;

use super::{Answer, Query};
use crate::ledger::entry::{Entry, Position};
use crate::ledger::store::{Reader, Settings, StoreError};

/// Where the database stands in the journal of a process (`boot`).
pub type After<'a> = dyn Fn(u64) -> Position + 'a;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// The question cannot be read.
    Question(String),
    /// The database or the journal cannot.
    Books(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::Question(message) | AskError::Books(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for AskError {}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> AskError {
        AskError::Books(format!("the ledger cannot be read: {error}"))
    }
}

impl From<std::io::Error> for AskError {
    fn from(error: std::io::Error) -> AskError {
        AskError::Books(format!("the journal cannot be read: {error}"))
    }
}

/// An answer, and whether there is a database at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub answer: Answer,
    pub found: bool,
}

/// Asks the database of `settings`. `tail` calls its second argument with each entry that is behind the positions that its first
/// argument tells. Blocks.
pub fn ask(
    settings: &Settings,
    query: &Query,
    tail: impl FnOnce(&After<'_>, &mut dyn FnMut(&Entry<'_>)) -> std::io::Result<()>,
) -> Result<Asked, AskError> {
    let Some(mut reader) = Reader::open(settings)? else {
        let nowhere = |boot| Position { boot, ..Position::default() };
        let answer = query.run_without(|each| tail(&nowhere, each).map_err(AskError::from))?;
        // A gateway's first second: nothing is booked yet.
        let found = answer.total.requests > 0;
        return Ok(Asked { answer, found });
    };
    let positions = reader.positions()?;
    let after = |boot| {
        let known = positions.iter().find(|position| position.boot == boot);
        known.copied().unwrap_or(Position { boot, ..Position::default() })
    };
    let answer = query.run(&mut reader.source(), |each| tail(&after, each).map_err(AskError::from))?;
    Ok(Asked { answer, found: true })
}

/// `GET /api/usage?by=tenant,day&since=7d&until=…&where=model%3Dfrontier&tenant=acme&format=json|csv`: the content type and the body.
/// Any dimension may also stand as a parameter of its own. `now` in microseconds (Unix). Blocks.
pub fn usage_json(
    settings: &Settings,
    parameters: &str,
    now: i64,
    tail: impl FnOnce(&After<'_>, &mut dyn FnMut(&Entry<'_>)) -> std::io::Result<()>,
) -> Result<(&'static str, String), AskError> {
    let (mut by, mut since, mut until, mut filters, mut csv) = (String::new(), None, None, vec![], false);
    for (name, value) in self::parameters(parameters) {
        match name.as_str() {
            "by" => by = value,
            "since" => since = Some(value),
            "until" => until = Some(value),
            "where" => filters.push(value),
            "format" => match value.as_str() {
                "json" => csv = false,
                "csv" => csv = true,
                _ => return Err(AskError::Question(format!("format `{value}`: write json or csv"))),
            },
            _ => filters.push(format!("{name}={value}")),
        }
    }
    let query = Query::parse(&by, since.as_deref(), until.as_deref(), &filters, now).map_err(AskError::Question)?;
    let answer = ask(settings, &query, tail)?.answer;
    if csv {
        return Ok(("text/csv; charset=utf-8", answer.csv()));
    }
    Ok(("application/json", answer.json().to_string()))
}

/// The parameters of a URL's query, decoded.
pub fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// A parameter without `+` and `%41`; what is no such thing stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let hex = |at: usize| rest.as_slice().get(at).and_then(|b| char::from(*b).to_digit(16));
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => match (hex(0), hex(1)) {
                (Some(high), Some(low)) => {
                    bytes.push((high * 16 + low) as u8);
                    rest.nth(1);
                }
                _ => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::store::tests::{Home, at, batch};

    fn asked(home: &Home, parameters: &str) -> Result<(&'static str, String), AskError> {
        usage_json(&home.settings, parameters, 0, |after, each| {
            batch(0..30).filter(|(position, _)| *position > after(7)).for_each(|(_, entry)| each(&entry));
            Ok(())
        })
    }

    #[test]
    fn what_is_not_booked_yet_is_in_the_answer() {
        let home = Home::sqlite();
        let requests = || -> i64 {
            let (kind, json) = asked(&home, "by=tenant&app=chat&where=outcome%3Dok").unwrap();
            assert_eq!(kind, "application/json");
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json[0]["tenant"], "acme");
            json[0]["requests"].as_i64().unwrap()
        };
        assert_eq!(requests(), 30, "no database yet");
        home.store().append(batch(0..20)).unwrap();
        assert_eq!(home.store().position(7), at(19));
        assert_eq!(requests(), 30);
        let (kind, csv) = asked(&home, "by=app,day&format=csv").unwrap();
        assert!(
            kind.starts_with("text/csv") && csv.lines().nth(1).unwrap().starts_with("chat,2026-03-01,30,0,"),
            "{csv}"
        );
        assert_eq!(asked(&home, "user=nobody"), Ok(("application/json", "[]".into())));
    }

    #[test]
    fn a_wrong_question_is_told_from_a_broken_ledger() {
        let home = Home::sqlite();
        for wrong in ["by=team", "since=yesterday", "format=xml", "where=acme", "verbose"] {
            assert!(matches!(asked(&home, wrong), Err(AskError::Question(_))), "{wrong}");
        }
        let broken = |_: &After<'_>, _: &mut dyn FnMut(&Entry<'_>)| Err(std::io::Error::other("half a frame"));
        let error = usage_json(&home.settings, "", 0, broken).unwrap_err();
        assert_eq!(error.to_string(), "the journal cannot be read: half a frame");
    }

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(decoded("a%3Db+c%2x%"), "a=b c%2x%");
        assert_eq!(decoded("%C3%A4"), "ä");
        assert_eq!(decoded("plain"), "plain");
    }
}
