//! `models.*.price`: what an answer costs, as the operator writes it.
//!
//! What a reader could get wrong: tokens are priced per million, everything else per piece, and the time of a node per hour. A model
//! without a price is not free: its cost is unknown, is counted as such and shown.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::config::scalar::ONE_OR_MANY;

/// Where a model's price comes from: `list`, one price, or several with the days from which they hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Pricing {
    /// The provider's public list price, asked for in so many words.
    List,
    /// One entry, or a list of entries; in the order of the file.
    Own(Vec<Price>),
}

/// What an answer costs: US dollars per million tokens, and what else is paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Price {
    /// The prompt. Default 0.
    pub input: f64,
    /// The answer. Default 0.
    pub output: f64,
    /// Prompt tokens that the upstream had cached. Default: as `input`.
    pub cached_input: Option<f64>,
    /// Prompt tokens that the upstream put into its cache. Default: as `input`.
    pub cache_write: Option<f64>,
    /// Tokens of the answer that were reasoning. Default: as `output`.
    pub reasoning: Option<f64>,
    /// Prompt tokens that were audio. Default: as `input`.
    pub audio_input: Option<f64>,
    /// Tokens of the answer that were audio. Default: as `output`.
    pub audio_output: Option<f64>,
    /// US dollars for each image in the prompt, on top of its tokens. Default 0.
    pub image: Option<f64>,
    /// US dollars for each answer. Default 0.
    pub per_request: Option<f64>,
    /// US dollars for an hour of a node's time: hardware, room, people. Default 0.
    pub per_node_hour: Option<f64>,
    /// What a node draws while it computes.
    pub watts: Option<f64>,
    /// US dollars for a kilowatt-hour; needs `watts`.
    pub usd_per_kwh: Option<f64>,
    /// Grams of CO2 (equivalent) for a kilowatt-hour; needs `watts`.
    pub g_co2_per_kwh: Option<f64>,
    /// The first day (UTC, YYYY-MM-DD) on which this price holds. Default: since ever.
    #[serde(deserialize_with = "crate::config::scalar::date")]
    pub from: Option<jiff::civil::Date>,
}

/// By hand, because serde's untagged enums forget where in the file a problem was.
impl<'de> Deserialize<'de> for Pricing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PricingVisitor;

        impl<'de> Visitor<'de> for PricingVisitor {
            type Value = Pricing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`list`, a price such as `{input: 1.25, output: 10}`, or a list of prices with `from`")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Pricing, D::Error> {
                Price::deserialize(deserializer).map(|price| Pricing::Own(vec![price]))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pricing, E> {
                if text == "list" {
                    Ok(Pricing::List)
                } else {
                    Err(E::invalid_type(serde::de::Unexpected::Str(text), &self))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Pricing, A::Error> {
                let mut prices = vec![];
                while let Some(price) = items.next_element()? {
                    prices.push(price);
                }
                Ok(Pricing::Own(prices))
            }
        }

        deserializer.deserialize_newtype_struct(ONE_OR_MANY, PricingVisitor)
    }
}

impl JsonSchema for Pricing {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pricing".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Price>();
        json_schema!({
            "description": "`list`, one price, or several with the days from which they hold.",
            "anyOf": [{"const": "list"}, one, {"type": "array", "items": one}]
        })
    }
}
