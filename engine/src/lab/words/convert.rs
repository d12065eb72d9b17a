//! Between a script's values and JSON.

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::Value as Json;

use super::LabHost;

/// The JSON form of a script's value; the error says what in it has none.
pub fn to_json(value: &Dynamic) -> Result<Json, String> {
    if value.is_unit() {
        return Ok(Json::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(truth.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return Ok(number.into());
    }
    if let Ok(letter) = value.as_char() {
        return Ok(letter.to_string().into());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Some(host) = value.read_lock::<LabHost>() {
        return Ok(host.name().into());
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items
            .iter()
            .map(to_json)
            .collect::<Result<_, _>>()
            .map(Json::Array);
    }
    if let Some(entries) = value.read_lock::<Map>() {
        return entries
            .iter()
            .map(|(key, value)| Ok((key.to_string(), to_json(value)?)))
            .collect::<Result<_, String>>()
            .map(Json::Object);
    }
    Err(format!(
        "a value of type {} has no plain form; use text, numbers, arrays and maps",
        value.type_name()
    ))
}

/// A script's value of a JSON form.
pub fn to_dynamic(json: &Json) -> Dynamic {
    match json {
        Json::Null => Dynamic::UNIT,
        Json::Bool(truth) => (*truth).into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Json::String(text) => text.clone().into(),
        Json::Array(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Json::Object(entries) => Dynamic::from_map(
            entries
                .iter()
                .map(|(key, value)| (key.as_str().into(), to_dynamic(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let json = serde_json::json!({"a": [1, 2.5, "x", null, true], "b": {"c": -3}});
        assert_eq!(to_json(&to_dynamic(&json)).unwrap(), json);
    }

    #[test]
    fn what_is_no_data_is_refused() {
        let closure: Dynamic = rhai::Engine::new().eval("|x| x").unwrap();
        assert!(to_json(&closure).unwrap_err().contains("no plain form"));
    }
}
