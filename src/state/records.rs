//! Finished requests for the admin API: lists, one with its decision, and feedback on it.
//!
//! What a reader could get wrong: all of it reads the ledger's database and blocks; a request is found there within about a second of its end.

use serde_json::{Value, json};

use super::Shared;
use super::books::Books;
use crate::ledger::query::{self, parameters};
use crate::ledger::store::records::{self, Feedback, Which};

/// How many are told where nobody says.
const USUAL_LIMIT: usize = 50;
/// Columns that a list may be narrowed by.
const NARROWED_BY: [&str; 9] =
    ["tenant", "app", "route", "rule", "model", "placement", "outcome", "privacy", "upstream"];
/// Characters of a comment.
const LONGEST_COMMENT: usize = 2_000;

/// Why there is no answer: the status to give, and what to say.
pub type Refused = (u16, String);

impl Shared {
    /// `GET /api/requests?tenant=…&since=24h&limit=50&before=ID`, newest first.
    ///
    /// # Errors
    /// The question cannot be read, or the ledger cannot.
    pub fn requests(&self, asked: &str) -> Result<Value, Refused> {
        let which = which(asked).map_err(|message| (400, message))?;
        let requests = self.books()?.latest(&which).map_err(|message| (503, message))?;
        let next = requests.last().filter(|_| requests.len() == which.limit).map(|last| last["id"].clone());
        Ok(json!({"requests": requests, "before": next}))
    }

    /// `GET /api/requests/{id}`: the decision record.
    ///
    /// # Errors
    /// It is not there, or the ledger cannot be read.
    pub fn request(&self, id: &str) -> Result<Value, Refused> {
        let found = self.books()?.one(id).map_err(|message| (503, message))?;
        let mut record = found.ok_or_else(|| not_found(id))?;
        let policy = record["decision"]["policy"].as_str().unwrap_or_default();
        record["same_configuration"] = (policy == self.snapshot().hash).into();
        Ok(record)
    }

    /// `POST /api/feedback {request_id, score: -1..1, comment?}`.
    ///
    /// # Errors
    /// It cannot be read, belongs to no request that is known, or cannot be kept.
    pub fn feedback(&self, body: &[u8]) -> Result<Value, Refused> {
        let mut feedback = feedback(body).map_err(|message| (400, message))?;
        let books = self.books()?;
        let found = books.one(&feedback.request_id).map_err(|message| (503, message))?;
        let record = found.ok_or_else(|| not_found(&feedback.request_id))?;
        if !feedback.comment.is_empty() && record["privacy"] != "retained" {
            let message = "comments are kept for requests of the tier `retained` only: send the score without one";
            return Err((400, message.into()));
        }
        feedback.at = jiff::Timestamp::now().as_microsecond();
        books.keep(&feedback).map_err(|message| (503, message))?;
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let verdict = match feedback.score {
            good if good > 0.0 => "good",
            bad if bad < 0.0 => "bad",
            _ => "neutral",
        };
        let labels = [text("route"), text("model"), text("placement"), verdict.to_owned()];
        self.durable.metrics.routing.feedback.with_label_values(&labels.each_ref().map(String::as_str)).inc();
        Ok(json!({"request_id": feedback.request_id, "score": feedback.score}))
    }

    fn books(&self) -> Result<&Books, Refused> {
        let books = self.durable.books.as_deref().filter(|books| books.has_ledger());
        books.ok_or_else(|| (404, "the ledger is off: requests are not recorded".into()))
    }
}

fn not_found(id: &str) -> Refused {
    let shown: String = id.chars().take(100).collect();
    (
        404,
        format!(
            "request `{shown}` is not in the ledger: it is unknown, still under way, or ended within the last second"
        ),
    )
}

fn which(asked: &str) -> Result<Which, String> {
    let mut which = Which { limit: USUAL_LIMIT, ..Which::default() };
    let now = jiff::Timestamp::now().as_microsecond();
    for (name, value) in parameters(asked) {
        match name.as_str() {
            "since" => which.since = Some(query::moment("since", &value, now)?),
            "before" => {
                let before = value.parse().map_err(|_| "`before` must be the `before` of the last answer")?;
                which.before = Some(before);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=records::MOST).contains(limit));
                which.limit = limit.ok_or_else(|| format!("`limit` must be a number from 1 to {}", records::MOST))?;
            }
            name => match NARROWED_BY.into_iter().find(|column| *column == name) {
                Some(column) => which.with.push((column, value)),
                None => {
                    let known = NARROWED_BY.join(", ");
                    return Err(format!("unknown parameter; there are since, before, limit, {known}"));
                }
            },
        }
    }
    Ok(which)
}

fn feedback(body: &[u8]) -> Result<Feedback, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        request_id: String,
        score: f64,
        #[serde(default)]
        comment: Option<String>,
    }
    // serde's own words could repeat what was sent.
    let wrong = |_| "write {\"request_id\": …, \"score\": -1 to 1, \"comment\": … (optional)}".to_owned();
    let raw: Raw = serde_json::from_slice(body).map_err(wrong)?;
    if !(-1.0..=1.0).contains(&raw.score) {
        return Err("`score` must be a number from -1 (bad) to 1 (good)".into());
    }
    let comment = raw.comment.unwrap_or_default();
    if comment.chars().count() > LONGEST_COMMENT {
        return Err(format!("`comment` is longer than {LONGEST_COMMENT} characters"));
    }
    Ok(Feedback { request_id: raw.request_id, score: raw.score, comment, at: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_and_nonsense_is_told() {
        let asked = which("tenant=acme&model=small%2Bx&since=24h&limit=7&before=12").unwrap();
        assert_eq!(asked.with, [("tenant", "acme".to_owned()), ("model", "small+x".to_owned())]);
        assert_eq!((asked.limit, asked.before, asked.since.is_some()), (7, Some(12), true));
        for bad in ["limit=0", "limit=many", "limit=1001", "before=x", "since=yesterday-ish", "color=red", "1=1;drop"] {
            assert!(which(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn feedback_is_checked_and_never_repeated() {
        assert_eq!(feedback(br#"{"request_id":"r","score":-1}"#).unwrap().score, -1.0);
        for bad in [
            r#"{"request_id":"r","score":2}"#,
            r#"{"request_id":"r"}"#,
            r#"{"request_id":"r","score":0,"secret text":1}"#,
            "secret text",
        ] {
            let told = feedback(bad.as_bytes()).unwrap_err();
            assert!(!told.contains("secret"), "{told}");
        }
        let long = format!(r#"{{"request_id":"r","score":0,"comment":"{}"}}"#, "x".repeat(2_001));
        assert!(feedback(long.as_bytes()).unwrap_err().contains("2000"));
    }
}
