//! The `usage` and `timings` objects, in all the forms that upstreams give them.
//!
//! What a reader could get wrong: these are read by hand, not derived, so that nothing in them can make the rest of the answer
//! unreadable: a figure may be missing, null, negative, a float, a text or an object, a key may come twice or under two names.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{MOST, Usage};

/// A count, whatever stands there: what is no number at all is `None`, what is out of range its nearest end.
#[derive(Debug, Clone, Copy, Default)]
struct Figure(Option<f64>);

/// `usage`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Chat, completions, embeddings: `prompt_tokens`. All of the prompt.
    prompt: Figure,
    completion: Figure,
    /// Responses, transcriptions, images, Anthropic: `input_tokens`. Of Anthropic's, what is cached is no part.
    input: Figure,
    output: Figure,
    total: Figure,
    /// Anthropic's, beside the input.
    cache_read: Figure,
    cache_creation: Figure,
    /// Parts of the prompt and of the answer.
    of_prompt: Details,
    of_answer: Details,
}

/// `prompt_tokens_details` and the like.
#[derive(Debug, Clone, Copy, Default)]
struct Details {
    cached: Figure,
    written: Figure,
    reasoning: Figure,
    audio: Figure,
}

/// llama-server's `timings`: milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    prompt: Figure,
    predicted: Figure,
}

impl Figure {
    fn count(self) -> u64 {
        // The cast saturates, and makes 0 of what is below it and of NaN.
        (self.0.unwrap_or(0.0) as u64).min(MOST)
    }

    fn or(self, other: Figure) -> Figure {
        Figure(self.0.or(other.0))
    }

    /// The larger one, where a key comes twice or under two names.
    fn or_more(&mut self, other: Figure) {
        self.0 = match (self.0, other.0) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Figures {
    pub fn usage(&self) -> Usage {
        let cached = self.cache_read.count().max(self.of_prompt.cached.count());
        let cache_write = self.cache_creation.count().max(self.of_prompt.written.count());
        let prompt = match self.prompt.0 {
            Some(_) => self.prompt.count().max(self.input.count()),
            // Some embeddings tell the sum alone.
            None if self.input.or(self.completion).or(self.output).0.is_none() => self.total.count(),
            // Zero unless it is Anthropic's form: what was read from the cache and written to it stands beside the input.
            None => self.input.count() + self.cache_read.count() + self.cache_creation.count(),
        };
        let told = self.completion.count().max(self.output.count());
        // Some leave reasoning out of the answer's tokens (Gemini and Grok in the OpenAI dialect) but not out of the sum.
        let hidden = self.total.count().saturating_sub(prompt.saturating_add(told));
        Usage {
            prompt: prompt.min(MOST),
            completion: (told + hidden).min(MOST),
            cached,
            cache_write,
            reasoning: self.of_answer.reasoning.count().max(hidden),
            audio_in: self.of_prompt.audio.count(),
            audio_out: self.of_answer.audio.count(),
            ..Usage::default()
        }
    }
}

impl Timings {
    /// Time computed for prompt and answer.
    pub fn micros(&self) -> u64 {
        let millis = self.prompt.0.unwrap_or(0.0).max(0.0) + self.predicted.0.unwrap_or(0.0).max(0.0);
        // A year: no answer takes longer.
        (millis * 1_000.0).min(3.2e13).round() as u64
    }
}

/// An object of which some keys are read; everything else in its place is as good as an empty one.
trait Object: Default {
    /// The place of a key's value, if it is read. A value that is an object in turn is handled by `nested`.
    fn figure(&mut self, key: &str) -> Option<&mut Figure>;

    fn nested(&mut self, _key: &str) -> Option<&mut Details> {
        None
    }
}

impl Object for Figures {
    fn figure(&mut self, key: &str) -> Option<&mut Figure> {
        match key {
            "prompt_tokens" => Some(&mut self.prompt),
            "completion_tokens" => Some(&mut self.completion),
            "input_tokens" => Some(&mut self.input),
            "output_tokens" => Some(&mut self.output),
            "total_tokens" => Some(&mut self.total),
            "cache_read_input_tokens" => Some(&mut self.cache_read),
            "cache_creation_input_tokens" => Some(&mut self.cache_creation),
            // DeepSeek's; a part of the prompt.
            "prompt_cache_hit_tokens" => Some(&mut self.of_prompt.cached),
            _ => None,
        }
    }

    fn nested(&mut self, key: &str) -> Option<&mut Details> {
        match key {
            "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => Some(&mut self.of_prompt),
            "completion_tokens_details" | "output_tokens_details" | "output_token_details" => Some(&mut self.of_answer),
            _ => None,
        }
    }
}

impl Object for Details {
    fn figure(&mut self, key: &str) -> Option<&mut Figure> {
        match key {
            "cached_tokens" => Some(&mut self.cached),
            // OpenAI and OpenRouter, vLLM, LiteLLM.
            "cache_write_tokens" | "created_cache_tokens" | "cache_creation_tokens" => Some(&mut self.written),
            "reasoning_tokens" | "thinking_tokens" => Some(&mut self.reasoning),
            "audio_tokens" => Some(&mut self.audio),
            _ => None,
        }
    }
}

impl Object for Timings {
    fn figure(&mut self, key: &str) -> Option<&mut Figure> {
        match key {
            "prompt_ms" => Some(&mut self.prompt),
            "predicted_ms" => Some(&mut self.predicted),
            _ => None,
        }
    }
}

struct ObjectVisitor<T>(T);

impl<'de, T: Object> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<T, A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            if let Some(details) = self.0.nested(&key) {
                let Details { cached, written, reasoning, audio } = map.next_value()?;
                details.cached.or_more(cached);
                details.written.or_more(written);
                details.reasoning.or_more(reasoning);
                details.audio.or_more(audio);
            } else if let Some(figure) = self.0.figure(&key) {
                figure.or_more(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.0)
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(self.0)
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(self.0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(self.0)
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(self.0)
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(self.0)
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(self.0)
    }
}

impl<'de> Deserialize<'de> for Figures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(Figures::default()))
    }
}

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(Details::default()))
    }
}

impl<'de> Deserialize<'de> for Timings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(Timings::default()))
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FigureVisitor;

        impl<'de> Visitor<'de> for FigureVisitor {
            type Value = Figure;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Figure, E> {
                Ok(Figure(Some(number as f64)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Figure, E> {
                Ok(Figure(Some(number as f64)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Figure, E> {
                Ok(Figure(Some(number)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Figure, E> {
                Ok(Figure(text.trim().parse().ok()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Figure, E> {
                Ok(Figure(None))
            }

            fn visit_unit<E>(self) -> Result<Figure, E> {
                Ok(Figure(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Figure, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Figure(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Figure, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Figure(None))
            }
        }

        deserializer.deserialize_any(FigureVisitor)
    }
}

/// A text, borrowed where it has no escape: within an `Option`, a `Cow` alone would be copied.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);
