//! Asking a Presidio analyzer what it finds in a request's texts (`POST /analyze`, <https://microsoft.github.io/presidio/api-docs/api-docs.html>).
//!
//! What a reader could get wrong: all texts are asked about at once, joined; offsets come back in Unicode code points. It is a service of the operator's
//! own, so tiers do not forbid it; whether a request may go on without it is decided by `on_error`.

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use tokio::time::Instant;

use super::hold;
use super::read::Read;
use super::record::Record;
use crate::config::file::{OnAnalyzerError, Placement, Privacy};
use crate::error::{Error, Kind, Result};
use crate::pii::entity::Entity;
use crate::pii::find::{self, Others};
use crate::pii::span::Span;
use crate::state::protection::Analyzer;
use crate::upstream::Timeouts;
use crate::upstream::body::Outgoing;
use crate::upstream::send::{self, Locality, Outbound};

/// Between two texts: nothing that is found goes across an empty line.
const BETWEEN: &str = "\n\n";
/// No answer is longer.
const LARGEST_ANSWER: usize = 8 << 20;

/// What it found; an error where the request may not go on without it.
pub async fn ask(analyzer: &Analyzer, read: &Read, privacy: Privacy, record: &mut Record) -> Result<Others> {
    let texts: Vec<String> = find::texts(&read.view, &read.body).map(|flat| flat.text.into_owned()).collect();
    let worker = record.gateway.worker;
    let asking = tokio::time::timeout(analyzer.section.timeout.0, answer(analyzer, &texts, worker));
    let answered = record.waiting(asking).await;
    let (result, found, why) = match answered {
        Ok(Ok(found)) => ("ok", Some(found), String::new()),
        Ok(Err(error)) => ("failed", None, error.message.into_owned()),
        Err(_) => ("failed", None, "it did not answer in time".to_owned()),
    };
    record.shared().durable.metrics.private.analyzer.with_label_values(&[result]).inc();
    let usual = if privacy == Privacy::Retained { OnAnalyzerError::Continue } else { OnAnalyzerError::Block };
    match (found, analyzer.section.on_error.unwrap_or(usual)) {
        (Some(found), _) => Ok(found),
        (None, OnAnalyzerError::Continue) => Ok(Vec::new()),
        (None, OnAnalyzerError::Block) => Err(Error::gateway(
            Kind::NoEligibleTarget,
            format!("the request could not be looked through by the analyzer of personal data (`pii.analyzer`): {why}"),
        )),
    }
}

/// A find as it is told.
#[derive(Debug, Deserialize)]
struct Told {
    entity_type: String,
    start: usize,
    end: usize,
    score: f32,
}

async fn answer(analyzer: &Analyzer, texts: &[String], worker: usize) -> Result<Others> {
    let section = &analyzer.section;
    let question = serde_json::json!({"text": texts.join(BETWEEN), "language": section.language});
    let question = Bytes::from(question.to_string());
    let place = analyzer.node.acquire(None).ok_or_else(|| Error::gateway(Kind::Overloaded, "it is full"))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let limit = section.timeout.0;
    let outbound = Outbound {
        method: Method::POST,
        path: &analyzer.path,
        headers,
        placement: Placement::Edge,
        locality: Locality::EdgeOnly,
        redacted: false,
        timeouts: Timeouts { connect: limit, first_token: limit, between_tokens: limit, total: limit },
        deadline: Instant::now() + limit,
        worker,
        upgrade: false,
    };
    let make = || Some(Outgoing::segments(smallvec::smallvec![question.clone()]));
    let answer = send::send(place, &outbound, make, || {}).await?;
    let send::Answer { head, body, mut lease } = answer;
    if !head.status.is_success() {
        let status = head.status.as_u16();
        return Err(Error::upstream(
            Kind::UpstreamFailed,
            format!("it answered with {status}; check its URL and language"),
        ));
    }
    let (whole, rest) = hold::gather(body, BytesMut::new(), LARGEST_ANSWER).await.map_err(hold::broken)?;
    if rest.is_some() {
        return Err(Error::upstream(Kind::UpstreamFailed, "its answer is too long"));
    }
    lease.finish();
    let told: Vec<Told> = serde_json::from_slice(&whole)
        .map_err(|_| Error::upstream(Kind::UpstreamFailed, "its answer is no list of finds"))?;
    Ok(sorted_out(texts, told, section.min_score))
}

/// From code points of the joined texts to bytes of each.
fn sorted_out(texts: &[String], mut told: Vec<Told>, min_score: f32) -> Others {
    told.retain(|find| find.score >= min_score && find.start < find.end);
    told.sort_by_key(|find| find.start);
    let mut found = vec![Vec::new(); texts.len()];
    let mut begin = 0;
    for (text, found) in texts.iter().zip(&mut found) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let length = places.len() - 1;
        let first = told.partition_point(|find| find.start < begin);
        for find in told.iter().skip(first).take_while(|find| find.start < begin + length) {
            // What goes beyond its text is found by nobody who read it as it is.
            let bytes = places.get(find.start - begin).zip(places.get(find.end - begin));
            let Some((start, end)) = bytes else { continue };
            let entity = Entity::named(&find.entity_type).unwrap_or(Entity::OTHER_PII);
            found.push(Span { start: *start, end: *end, entity, score: find.score.min(1.0), public: false });
        }
        begin += length + BETWEEN.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_code_points_of_all_texts_together() {
        let texts = ["é Ann".to_owned(), String::new(), "at 東京 Bob".to_owned()];
        let told = |entity_type: &str, start, end, score| Told { entity_type: entity_type.into(), start, end, score };
        // `é Ann`, two, nothing, two, `at 東京 Bob`.
        let finds = vec![
            told("PERSON", 15, 18, 0.9),
            told("PERSON", 2, 5, 0.9),
            told("ODD", 12, 14, 0.6),
            told("X", 0, 1, 0.1),
            told("X", 3, 12, 0.9),
        ];
        let found = sorted_out(&texts, finds, 0.5);
        let read = |place: usize| -> Vec<(&str, Entity)> {
            found[place].iter().map(|span| (&texts[place][span.start..span.end], span.entity)).collect()
        };
        assert_eq!(read(0), [("Ann", Entity::PERSON)]);
        assert_eq!(read(2), [("東京", Entity::OTHER_PII), ("Bob", Entity::PERSON)]);
    }
}
