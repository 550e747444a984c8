//! What a request asked of its answer's form: JSON, a schema, tools, a length. Read once, for an answer that is to be judged.
//!
//! What a reader could get wrong: this reads the client's body, not the one with hidden values; where values were hidden, texts that a schema
//! enumerates are not compared.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::schema::Schema;
use crate::openai::Endpoint;

/// What a request expects.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    pub(super) form: Form,
    pub(super) tools: Tools,
    /// The client has said how long the answer may be.
    pub(super) own_limit: bool,
    /// It is a continuation of a text, not an answer to somebody.
    pub(super) continues: bool,
}

/// The form of the text.
#[derive(Debug, Clone, Default)]
pub(super) enum Form {
    #[default]
    Any,
    Object,
    Schema(Box<Schema>),
}

/// The tools that may be called.
#[derive(Debug, Clone, Default)]
pub(super) struct Tools {
    /// Functions on offer; hosted tools have no name and are not listed.
    pub(super) names: Vec<String>,
    /// There are tools that are not named here.
    pub(super) others: bool,
    pub(super) choice: Choice,
}

/// Whether one has to be called.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Choice {
    #[default]
    Free,
    Required,
    Named(String),
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    response_format: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    functions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_choice: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
}

impl Expect {
    /// Of a request's body, which was scanned before. `own_limit`: it names a longest answer. `is_hidden`: values of it were hidden.
    pub fn of(endpoint: Endpoint, body: &[u8], own_limit: bool, is_hidden: bool) -> Expect {
        let continues = endpoint == Endpoint::Completions;
        // Who asks for a continuation without saying how long gets sixteen tokens, by OpenAI's default.
        let mut expect = Expect { own_limit: own_limit || continues, continues, ..Expect::default() };
        // What no parser understands, the upstream will refuse.
        let Ok(request) = serde_json::from_slice::<Request<'_>>(body) else { return expect };
        let value = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
        match endpoint {
            Endpoint::Chat => expect.form = form(value(request.response_format), is_hidden),
            Endpoint::Responses => {
                let format = value(request.text).and_then(|mut text| Some(text.get_mut("format")?.take()));
                expect.form = form(format, is_hidden);
            }
            Endpoint::Completions | Endpoint::Embeddings => return expect,
        }
        for list in [value(request.tools), value(request.functions)].into_iter().flatten() {
            expect.tools.offer(&list);
        }
        let choice = value(request.tool_choice).or_else(|| value(request.function_call));
        expect.tools.choice = choice.map(choice_of).unwrap_or_default();
        expect
    }

    /// The whole text is wanted.
    pub(super) fn is_json(&self) -> bool {
        !matches!(self.form, Form::Any)
    }
}

/// `{type: json_object}`, `{type: json_schema, json_schema: {schema: …}}` or, in the Responses API, `{type: json_schema, schema: …}`.
fn form(format: Option<Value>, is_hidden: bool) -> Form {
    let Some(Value::Object(mut format)) = format else { return Form::Any };
    match format.get("type").and_then(Value::as_str) {
        // llama-server takes a schema here, too.
        Some("json_object" | "json_schema") => {}
        _ => return Form::Any,
    }
    let within = |format: &mut Map<String, Value>| format.get_mut("schema").map(Value::take);
    let schema = match format.get_mut("json_schema") {
        Some(Value::Object(inner)) => within(inner),
        _ => within(&mut format),
    };
    match schema {
        Some(schema) if is_hidden => Form::Schema(Box::new(Schema::new(schema).blind())),
        Some(schema) => Form::Schema(Box::new(Schema::new(schema))),
        None => Form::Object,
    }
}

impl Tools {
    fn offer(&mut self, list: &Value) {
        for tool in list.as_array().into_iter().flatten() {
            // Chat: `{type, function: {name}}`; Responses and the old `functions`: `{name}`.
            let function = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(tool);
            match function.get("name").and_then(Value::as_str) {
                Some(name) => self.names.push(name.to_owned()),
                None => self.others = true,
            }
        }
    }

    /// Whether a call of that name can be carried out.
    pub(super) fn offers(&self, name: &str) -> bool {
        self.others || self.names.iter().any(|known| known == name)
    }
}

fn choice_of(choice: Value) -> Choice {
    match choice {
        Value::String(word) if matches!(word.as_str(), "required" | "any") => Choice::Required,
        Value::Object(choice) => {
            let function = choice.get("function").and_then(Value::as_object).unwrap_or(&choice);
            match function.get("name").and_then(Value::as_str) {
                Some(name) => Choice::Named(name.to_owned()),
                None => Choice::Free,
            }
        }
        _ => Choice::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_in_both_protocols() {
        let form = |endpoint, body: &str| match Expect::of(endpoint, body.as_bytes(), false, false).form {
            Form::Any => "any",
            Form::Object => "object",
            Form::Schema(_) => "schema",
        };
        assert_eq!(form(Endpoint::Chat, r#"{"response_format":{"type":"json_object"}}"#), "object");
        assert_eq!(form(Endpoint::Chat, r#"{"response_format":{"type":"text"}}"#), "any");
        let schema =
            r#"{"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}}}"#;
        assert_eq!(form(Endpoint::Chat, schema), "schema");
        assert_eq!(form(Endpoint::Responses, r#"{"text":{"format":{"type":"json_schema","schema":{}}}}"#), "schema");
        assert_eq!(form(Endpoint::Responses, r#"{"text":{"format":{"type":"json_object"}}}"#), "object");
        assert_eq!(form(Endpoint::Completions, schema), "any");
        assert_eq!(form(Endpoint::Chat, "no JSON"), "any");
    }

    #[test]
    fn tools_and_what_has_to_be_called() {
        let chat = r#"{"tools":[{"type":"function","function":{"name":"a"}}],"functions":[{"name":"b"}],"tool_choice":"required"}"#;
        let tools = Expect::of(Endpoint::Chat, chat.as_bytes(), false, false).tools;
        assert_eq!(
            (tools.names.as_slice(), tools.choice.clone()),
            (["a", "b"].map(String::from).as_slice(), Choice::Required)
        );
        assert!(tools.offers("a") && !tools.offers("c"));
        let named = r#"{"tools":[],"tool_choice":{"type":"function","function":{"name":"a"}}}"#;
        assert_eq!(Expect::of(Endpoint::Chat, named.as_bytes(), false, false).tools.choice, Choice::Named("a".into()));
        let hosted = r#"{"tools":[{"type":"function","name":"a"},{"type":"web_search"}],"tool_choice":"auto"}"#;
        let tools = Expect::of(Endpoint::Responses, hosted.as_bytes(), false, false).tools;
        assert!(tools.offers("whatever") && tools.choice == Choice::Free);
    }
}
