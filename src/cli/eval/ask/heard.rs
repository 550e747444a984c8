//! What came back: the text of an answer, as a stream or in one piece, or the error in its place.
//!
//! What a reader could get wrong: a stream that ends without `[DONE]` broke off; what came of it is no answer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use smallvec::SmallVec;

use crate::openai::sse::{Frames, Keep};
use crate::openai::usage::{self, Usage};

/// No answer to a question of a set is larger.
const LARGEST: usize = 8 << 20;

/// An answer, or what came in its place.
#[derive(Debug, Default)]
pub struct Heard {
    pub text: String,
    pub usage: Usage,
    /// From sending to the first of the text.
    pub first: Option<Duration>,
    pub error: Option<Told>,
    /// Why it is no whole answer.
    pub broken: Option<String>,
}

/// An error object.
#[derive(Debug, Default, Deserialize)]
pub struct Told {
    #[serde(default)]
    pub message: String,
    #[serde(default, deserialize_with = "text_or_none")]
    pub code: Option<String>,
}

/// Some servers write the status as `code`.
fn text_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    error: Option<Told>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default, alias = "message")]
    delta: Option<Delta>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

impl Heard {
    /// Reads a body to its end.
    ///
    /// # Errors
    /// The connection broke, or the answer is too large.
    pub async fn of<B>(mut body: B, began: Instant) -> Result<Heard, String>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let (mut heard, mut frames, mut out) = (Heard::default(), Frames::new(), SmallVec::new());
        let (mut whole, mut streamed, mut done) = (Vec::new(), false, false);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > LARGEST {
                return Err("the answer is larger than 8 MiB".into());
            }
            whole.extend_from_slice(&data);
            let visit = |event: &[u8]| {
                streamed = true;
                done |= event == b"[DONE]";
                heard.take(event, began);
                Keep::Yes
            };
            frames.push(data, visit, &mut out).map_err(|_| "an event of the answer is too long".to_owned())?;
            out.clear();
        }
        if streamed {
            let how = match &heard.error {
                Some(error) => Some(format!("the answer broke off: {}", error.message)),
                None => (!done).then(|| "the answer broke off".to_owned()),
            };
            heard.broken = how;
        } else if !heard.take(&whole, began) {
            heard.broken = Some("the answer is no chat completion".into());
        }
        Ok(heard)
    }

    /// One event, or the whole of an answer in one piece; whether it is one.
    fn take(&mut self, event: &[u8], began: Instant) -> bool {
        if let Some(seen) = usage::of_event(event) {
            self.usage.absorb(&seen.usage);
        }
        let Ok(event) = serde_json::from_slice::<Event>(event) else { return false };
        let is_answer = !event.choices.is_empty();
        let texts = event.choices.into_iter().filter_map(|choice| choice.delta?.content);
        for text in texts.filter(|text| !text.is_empty()) {
            self.first.get_or_insert_with(|| began.elapsed());
            self.text.push_str(&text);
        }
        self.error = event.error.or(self.error.take());
        is_answer
    }
}
