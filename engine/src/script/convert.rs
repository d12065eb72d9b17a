//! Between the script's values and plain data. Strict: what has no plain form is refused, never written down as
//! its type's name.

use rhai::{Array, Dynamic, Map};

use crate::model::{Unknown, Value};

/// The largest nesting that a value may have.
const DEPTH_LIMIT: usize = 64;

/// Plain data of a script's value; the error says what in it has no plain form.
pub fn to_value(dynamic: &Dynamic) -> Result<Value, String> {
    at_depth(dynamic, 0)
}

fn at_depth(dynamic: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_LIMIT {
        return Err(format!(
            "the value is nested more than {DEPTH_LIMIT} levels deep"
        ));
    }
    if dynamic.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = dynamic.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(number) = dynamic.as_int() {
        return Ok(Value::Int(number));
    }
    if let Ok(number) = dynamic.as_float() {
        return if number.is_finite() {
            Ok(Value::Float(number))
        } else {
            Err(format!(
                "the number {number} is not finite and cannot be recorded"
            ))
        };
    }
    if let Ok(character) = dynamic.as_char() {
        return Ok(Value::Text(character.to_string()));
    }
    if let Some(text) = dynamic.read_lock::<rhai::ImmutableString>() {
        return Ok(Value::Text(text.to_string()));
    }
    if let Some(items) = dynamic.read_lock::<Array>() {
        return items
            .iter()
            .map(|item| at_depth(item, depth + 1))
            .collect::<Result<_, _>>()
            .map(Value::List);
    }
    if let Some(entries) = dynamic.read_lock::<Map>() {
        return entries
            .iter()
            .map(|(key, value)| Ok((key.to_string(), at_depth(value, depth + 1)?)))
            .collect::<Result<_, String>>()
            .map(Value::Map);
    }
    if let Some(unknown) = dynamic.read_lock::<Unknown>() {
        return Ok(Value::Unknown(unknown.clone()));
    }
    if let Some(host) = dynamic.read_lock::<super::words::Host>() {
        return Ok(Value::Text(host.name().to_string()));
    }
    if let Some(pod) = dynamic.read_lock::<super::words::Pod>() {
        return Ok(Value::Text(pod.to_string()));
    }
    Err(format!(
        "{} has no plain form; use text, numbers, arrays and maps",
        in_words(dynamic)
    ))
}

/// What a value is, in the words of an author rather than the interpreter's: `a whole number`, `an array`.
pub fn in_words(value: &Dynamic) -> String {
    let word = match value.type_name() {
        "()" => "nothing: ()",
        "bool" => "true or false",
        "i64" => "a whole number",
        "f64" => "a number",
        "string" => "a text",
        "char" => "a letter",
        "array" => "an array",
        "map" => "a map",
        "Fn" => "a closure",
        "range" | "range=" => "a range",
        // A type of this program, by the last part of its path.
        other => {
            let name = other.rsplit("::").next().unwrap_or(other);
            return format!("a {}", name.to_lowercase());
        }
    };
    word.to_owned()
}

/// The script's form of plain data.
pub fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => Dynamic::from(*truth),
        Value::Int(number) => Dynamic::from(*number),
        Value::Float(number) => Dynamic::from(*number),
        Value::Text(text) => Dynamic::from(text.clone()),
        Value::List(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Value::Unknown(unknown) => Dynamic::from(unknown.clone()),
        Value::Map(entries) => Dynamic::from_map(
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
    fn refuses_what_has_no_plain_form() {
        let engine = rhai::Engine::new();
        let closure: Dynamic = engine.eval("|x| x + 1").unwrap();
        assert!(to_value(&closure).unwrap_err().contains("no plain form"));
        assert!(to_value(&Dynamic::from(f64::NAN)).is_err());
        let blob: Dynamic = engine.eval("blob(3)").unwrap();
        assert!(to_value(&blob).is_err());
    }

    #[test]
    fn floats_stay_floats() {
        let value = to_value(&Dynamic::from(1.0_f64)).unwrap();
        assert_eq!(value, Value::Float(1.0));
        assert_eq!(to_dynamic(&value).type_name(), "f64");
    }
}
