//! The JSON schema of the file, for completion in editors; checked in as `config/tidegate.schema.json`.
//!
//! What a reader could get wrong: it is looser than `check`. Wherever a number or a truth value stands, `${NAME}` may stand.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::file::File;

/// The schema as it is checked in: indented, with a final line break.
pub fn schema() -> String {
    let settings = SchemaSettings::draft07().with_transform(AsWritten);
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<File>();
    format!("{:#}\n", schema.to_value())
}

/// What the types do not say: unknown keys are errors, variables stand for values, an empty key counts as absent.
#[derive(Debug, Clone)]
struct AsWritten;

impl Transform for AsWritten {
    fn transform(&mut self, schema: &mut Schema) {
        if schema.get("properties").is_some() {
            schema.insert("additionalProperties".into(), false.into());
        }
        let types: Vec<Value> = match schema.get("type") {
            Some(Value::Array(types)) => types.clone(),
            Some(Value::String(_)) => schema.get("type").cloned().into_iter().collect(),
            _ => Vec::new(),
        };
        let interpolated =
            types.iter().any(|kind| ["integer", "number", "boolean"].iter().any(|simple| kind == simple));
        if interpolated && !types.contains(&json!("string")) {
            schema.insert("type".into(), types.into_iter().chain([json!("string")]).collect());
            schema.insert("pattern".into(), r"\$\{.+\}".into());
        }
        transform_subschemas(self, schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_schema_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/tidegate.schema.json");
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            checked_in == schema(),
            "config/tidegate.schema.json is out of date: cargo run -- schema > config/tidegate.schema.json"
        );
    }

    #[test]
    fn refuses_unknown_keys_and_takes_variables_for_numbers() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["definitions"]["Server"]["additionalProperties"], json!(false));
        let connections = &schema["definitions"]["Server"]["properties"]["max_connections"];
        assert_eq!(connections["type"], json!(["integer", "string"]));
        assert_eq!(schema["definitions"]["Model"]["required"], json!(["upstream"]));
    }

    #[test]
    fn every_key_is_described() {
        fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                if property.get("description").is_none() {
                    found.push(format!("{path}.{key}"));
                }
            }
        }
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let mut found = Vec::new();
        undescribed(&schema, "", &mut found);
        for (name, definition) in schema["definitions"].as_object().unwrap() {
            undescribed(definition, name, &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
    }
}
