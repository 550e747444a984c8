//! Whether JSON is as a schema says, for the part of JSON Schema that structured outputs use: `type`, `properties`, `required`,
//! `additionalProperties`, `items`, `enum`, `const`, `anyOf`, `oneOf`, `allOf`, and `$ref` within the same schema.
//!
//! What a reader could get wrong: what is not in that list (patterns, formats, bounds) is not looked at, so that nothing is ever held to
//! be wrong that a full validator would accept. A complete validator would bring thirty crates for rules that providers mostly refuse.

use serde_json::{Map, Value};

/// Schemas within schemas that are followed; deeper ones count as met. A `$ref` to itself ends here, too.
const DEPTH: u32 = 32;

/// A schema of an answer.
#[derive(Debug, Clone)]
pub struct Schema {
    root: Value,
    /// Text values are not compared: some of what the schema enumerates was hidden from the model.
    blind: bool,
}

impl Schema {
    pub fn new(root: Value) -> Schema {
        Schema { root, blind: false }
    }

    /// Without a look at text values.
    pub fn blind(mut self) -> Schema {
        self.blind = true;
        self
    }

    /// Whether `value` is as it says, as far as it is understood.
    pub fn is_met(&self, value: &Value) -> bool {
        self.met(&self.root, value, DEPTH)
    }

    fn met(&self, schema: &Value, value: &Value, depth: u32) -> bool {
        let rules = match schema {
            Value::Bool(all) => return *all,
            Value::Object(rules) if depth > 0 => rules,
            _ => return true,
        };
        let each = |name: &str| rules.get(name).and_then(Value::as_array);
        let met = |schema: &Value| self.met(schema, value, depth - 1);
        rules.get("$ref").and_then(Value::as_str).and_then(|path| self.refers(path)).is_none_or(met)
            && rules.get("type").is_none_or(|wanted| is_of(wanted, value))
            && each("enum").is_none_or(|list| list.iter().any(|one| self.same(one, value)))
            && rules.get("const").is_none_or(|one| self.same(one, value))
            && each("allOf").is_none_or(|list| list.iter().all(met))
            && each("anyOf").is_none_or(|list| list.iter().any(met))
            // Whether more than one is met depends on what is not looked at.
            && each("oneOf").is_none_or(|list| list.iter().any(met))
            && value.as_object().is_none_or(|members| self.members(rules, members, depth))
            && value.as_array().is_none_or(|list| {
                rules.get("items").is_none_or(|item| list.iter().all(|value| self.met(item, value, depth - 1)))
            })
    }

    fn members(&self, rules: &Map<String, Value>, members: &Map<String, Value>, depth: u32) -> bool {
        let required = rules.get("required").and_then(Value::as_array);
        if required.is_some_and(|names| names.iter().filter_map(Value::as_str).any(|name| !members.contains_key(name)))
        {
            return false;
        }
        let known = rules.get("properties").and_then(Value::as_object);
        // A name may also be allowed by a pattern.
        let others = rules.get("additionalProperties").filter(|_| !rules.contains_key("patternProperties"));
        members.iter().all(|(name, value)| match known.and_then(|known| known.get(name)) {
            Some(schema) => self.met(schema, value, depth - 1),
            None => others.is_none_or(|schema| self.met(schema, value, depth - 1)),
        })
    }

    fn same(&self, wanted: &Value, value: &Value) -> bool {
        match (wanted, value) {
            (Value::String(_), Value::String(_)) if self.blind => true,
            // 1 and 1.0 are one number.
            (Value::Number(wanted), Value::Number(value)) => wanted == value || wanted.as_f64() == value.as_f64(),
            _ => wanted == value,
        }
    }

    /// `#/$defs/NAME`; `None`: somewhere else.
    fn refers(&self, path: &str) -> Option<&Value> {
        self.root.pointer(path.strip_prefix('#')?)
    }
}

fn is_of(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn met(schema: Value, value: Value) -> bool {
        Schema::new(schema).is_met(&value)
    }

    #[test]
    fn structured_outputs_are_held_to_their_schema() {
        let schema = json!({
            "type": "object", "required": ["city", "days"], "additionalProperties": false,
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "array", "items": {"$ref": "#/$defs/day"}},
                "unit": {"type": ["string", "null"], "enum": ["C", "F", null]},
            },
            "$defs": {"day": {"type": "object", "required": ["max"], "properties": {"max": {"type": "integer"}}}},
        });
        assert!(met(schema.clone(), json!({"city": "Ulm", "days": [{"max": 3}, {"max": 4.0}], "unit": null})));
        for wrong in [
            json!({"city": "Ulm"}),
            json!({"city": 1, "days": []}),
            json!({"city": "Ulm", "days": [{"max": 3.5}]}),
            json!({"city": "Ulm", "days": [{}]}),
            json!({"city": "Ulm", "days": [], "unit": "K"}),
            json!({"city": "Ulm", "days": [], "more": 1}),
            json!([]),
        ] {
            assert!(!met(schema.clone(), wrong.clone()), "{wrong}");
        }
        let blind = Schema::new(schema).blind();
        assert!(blind.is_met(&json!({"city": "Ulm", "days": [], "unit": "K"})));
    }

    #[test]
    fn choices_and_what_is_not_understood() {
        let either = json!({"anyOf": [{"type": "string"}, {"type": "object", "required": ["a"]}]});
        assert!(met(either.clone(), json!("x")) && met(either.clone(), json!({"a": 1})));
        assert!(!met(either, json!({"b": 1})));
        assert!(met(json!({"type": "string", "pattern": "^a$", "maxLength": 1}), json!("bb")));
        assert!(met(json!({"$ref": "https://example.com/x"}), json!(1)));
        assert!(met(json!({"$ref": "#"}), json!({"a": 1})), "a schema that refers to itself ends");
        assert!(!met(json!(false), json!(1)) && met(json!(true), json!(1)) && met(json!("odd"), json!(1)));
        assert!(met(json!({"patternProperties": {"^x": {}}, "additionalProperties": false}), json!({"x1": 1})));
    }
}
