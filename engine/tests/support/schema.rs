//! A validator of JSON against the part of JSON Schema that docs/*.schema.json use. A keyword that it does not know is
//! an error of the schema, so that nothing in one is silently not checked.

use serde_json::Value as Json;

/// Keywords that say nothing about validity.
const WORDS: &[&str] = &["$schema", "$defs", "title", "description"];

/// What is wrong with a value, with the path to it; empty if it is valid.
pub fn errors(schema: &Json, value: &Json) -> Vec<String> {
    Schema { root: schema }.errors(schema, value, "")
}

struct Schema<'a> {
    root: &'a Json,
}

impl Schema<'_> {
    fn errors(&self, schema: &Json, value: &Json, at: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut wrong = |text: String| found.push(format!("{at}: {text}"));
        let Json::Object(keywords) = schema else {
            panic!("{at}: a schema is an object, not {schema}");
        };
        let mut inner = Vec::new();
        for (keyword, argument) in keywords {
            match keyword.as_str() {
                word if WORDS.contains(&word) => {}
                "$ref" => inner.extend(self.errors(self.definition(argument), value, at)),
                "const" => {
                    if value != argument {
                        wrong(format!("{value} is not {argument}"));
                    }
                }
                "enum" => {
                    if !list(argument).contains(value) {
                        wrong(format!("{value} is none of {argument}"));
                    }
                }
                "type" => {
                    let types = match argument {
                        Json::Array(types) => types.clone(),
                        one => vec![one.clone()],
                    };
                    if !types.iter().any(|kind| is(value, kind.as_str().unwrap())) {
                        wrong(format!("{value} is no {argument}"));
                    }
                }
                "minimum" => {
                    if value
                        .as_f64()
                        .is_some_and(|number| number < argument.as_f64().unwrap())
                    {
                        wrong(format!("{value} is less than {argument}"));
                    }
                }
                "format" => {
                    assert_eq!(argument, "date-time");
                    let text = value.as_str().unwrap_or_default();
                    if text.parse::<jiff::Timestamp>().is_err() {
                        wrong(format!("{value} is no time"));
                    }
                }
                "required" => {
                    for name in list(argument) {
                        if value.get(name.as_str().unwrap()).is_none() {
                            wrong(format!("{name} is missing in {value}"));
                        }
                    }
                }
                "properties" => {
                    for (name, schema) in argument.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            inner.extend(self.errors(schema, value, &format!("{at}/{name}")));
                        }
                    }
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        inner.extend(self.errors(argument, item, &format!("{at}/{index}")));
                    }
                }
                "allOf" => {
                    for schema in list(argument) {
                        inner.extend(self.errors(schema, value, at));
                    }
                }
                "oneOf" | "anyOf" => {
                    let results: Vec<Vec<String>> = list(argument)
                        .iter()
                        .map(|schema| self.errors(schema, value, at))
                        .collect();
                    let fitting = results.iter().filter(|errors| errors.is_empty()).count();
                    if fitting > 1 && keyword == "oneOf" {
                        wrong(format!("{fitting} of the alternatives fit {value}"));
                    }
                    if fitting == 0 {
                        let nearest = results.into_iter().min_by_key(Vec::len).unwrap_or_default();
                        wrong(format!("no alternative fits; the nearest says {nearest:?}"));
                    }
                }
                other => panic!("{at}: the validator does not know {other}"),
            }
        }
        found.extend(inner);
        found
    }

    fn definition(&self, reference: &Json) -> &Json {
        let name = reference
            .as_str()
            .unwrap()
            .strip_prefix("#/$defs/")
            .unwrap();
        &self.root["$defs"][name]
    }
}

fn list(value: &Json) -> &Vec<Json> {
    value.as_array().unwrap()
}

fn is(value: &Json, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}
