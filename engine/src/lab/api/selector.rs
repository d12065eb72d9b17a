//! Label and field selectors, as the API server reads them.

use serde_json::Value as Json;

use crate::transport::ObjectKind;

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Above(String, i64),
    Below(String, i64),
}

/// A label selector: all requirements have to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let requirements = split(text)?
            .into_iter()
            .map(requirement)
            .collect::<Result<_, _>>()?;
        Ok(Self(requirements))
    }

    pub fn matches(&self, object: &Json) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        let number = |key: &str| label(key).and_then(|value| value.parse::<i64>().ok());
        let is_one_of = |key: &str, values: &[String]| {
            label(key).is_some_and(|value| values.iter().any(|wanted| wanted == value))
        };
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => is_one_of(key, values),
            // An object without the label is not in the set either.
            Requirement::NotIn(key, values) => !is_one_of(key, values),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
            Requirement::Above(key, bound) => number(key).is_some_and(|value| value > *bound),
            Requirement::Below(key, bound) => number(key).is_some_and(|value| value < *bound),
        })
    }
}

/// The parts between the commas that are not inside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (place, character) in text.char_indices() {
        match (character, inside) {
            ('(', false) => inside = true,
            (')', true) => inside = false,
            ('(', true) | (')', false) => return Err(unparsable(text)),
            (',', false) => {
                parts.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(unparsable(text));
    }
    parts.push(&text[start..]);
    Ok(parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect())
}

fn requirement(part: &str) -> Result<Requirement, String> {
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(key_of(key, part)?));
    }
    for (sign, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = part.split_once(sign) {
            let (key, values) = (key_of(key, part)?, vec![value_of(value, part)?]);
            return Ok(match negated {
                true => Requirement::NotIn(key, values),
                false => Requirement::In(key, values),
            });
        }
    }
    for sign in ['>', '<'] {
        if let Some((key, bound)) = part.split_once(sign) {
            let (key, bound) = (
                key_of(key, part)?,
                bound.trim().parse().map_err(|_| unparsable(part))?,
            );
            return Ok(match sign {
                '>' => Requirement::Above(key, bound),
                _ => Requirement::Below(key, bound),
            });
        }
    }
    match part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        Some((head, values)) => membership(head, values, part),
        None => Ok(Requirement::Exists(key_of(part, part)?)),
    }
}

fn membership(head: &str, values: &str, part: &str) -> Result<Requirement, String> {
    let values = values
        .split(',')
        .map(|value| value_of(value, part))
        .collect::<Result<_, _>>()?;
    match head.split_whitespace().collect::<Vec<_>>()[..] {
        [key, "in"] => Ok(Requirement::In(key_of(key, part)?, values)),
        [key, "notin"] => Ok(Requirement::NotIn(key_of(key, part)?, values)),
        _ => Err(unparsable(part)),
    }
}

fn key_of(key: &str, part: &str) -> Result<String, String> {
    let key = key.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match !key.is_empty() && key.chars().all(plain) {
        true => Ok(key.to_owned()),
        false => Err(unparsable(part)),
    }
}

fn value_of(value: &str, part: &str) -> Result<String, String> {
    let value = value.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match value.chars().all(plain) {
        true => Ok(value.to_owned()),
        false => Err(unparsable(part)),
    }
}

fn unparsable(text: &str) -> String {
    format!("unable to parse requirement: {text:?}")
}

/// A field selector: all fields have to be (or not be) the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSelector(Vec<(String, Equality, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Equality {
    Is,
    IsNot,
}

impl FieldSelector {
    /// Reads `spec.nodeName=a,status.phase!=b`; a server selects only by few fields of each kind.
    pub fn parse(text: &str, kind: &ObjectKind) -> Result<Self, String> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let parts = parts.map(|part| {
            let (field, equality, value) = [
                ("!=", Equality::IsNot),
                ("==", Equality::Is),
                ("=", Equality::Is),
            ]
            .into_iter()
            .find_map(|(sign, equality)| {
                part.split_once(sign)
                    .map(|(field, value)| (field.trim(), equality, value.trim()))
            })
            .ok_or_else(|| format!("invalid selector: {part:?}; can't understand {part:?}"))?;
            match selectable(kind, field) {
                true => Ok((field.to_owned(), equality, value.to_owned())),
                false => Err(format!("field label not supported: {field}")),
            }
        });
        Ok(Self(parts.collect::<Result<_, String>>()?))
    }

    pub fn matches(&self, object: &Json) -> bool {
        self.0.iter().all(|(field, equality, wanted)| {
            let found = field.split('.').fold(object, |value, name| &value[name]);
            let is = found.as_str().unwrap_or_default() == wanted;
            is == (*equality == Equality::Is)
        })
    }
}

fn selectable(kind: &ObjectKind, field: &str) -> bool {
    match field {
        "metadata.name" => true,
        "metadata.namespace" => kind.namespaced,
        "spec.nodeName" => kind.plural == "pods",
        "status.phase" => matches!(&*kind.plural, "pods" | "namespaces"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requirements_hold_as_documented() {
        let object =
            json!({"metadata": {"labels": {"app": "web", "tier": "front", "a.b/c": "", "n": "5"}}});
        for (selector, holds) in [
            ("", true),
            ("app=web", true),
            ("app==web, tier = front", true),
            ("app=db", false),
            ("app!=db", true),
            ("app!=web", false),
            ("none!=x", true),
            ("app in (db, web)", true),
            ("app in (db)", false),
            ("app notin (db,x),tier", true),
            ("app notin (web)", false),
            ("none notin (x)", true),
            ("app", true),
            ("none", false),
            ("!none", true),
            ("!app", false),
            ("a.b/c=", true),
            ("n>4,n<6", true),
            ("n>5", false),
            ("app>1", false),
        ] {
            let parsed =
                LabelSelector::parse(selector).unwrap_or_else(|why| panic!("{selector}: {why}"));
            assert_eq!(parsed.matches(&object), holds, "{selector}");
        }
        for wrong in [
            "app in web",
            "app in (a",
            "a)b",
            "=x",
            "a b",
            "a=b=c",
            "app inn (a)",
            "n>x",
        ] {
            assert!(LabelSelector::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_are_few() {
        let pods = ObjectKind {
            api_version: "v1".into(),
            kind: "Pod".into(),
            plural: "pods".into(),
            namespaced: true,
        };
        let object =
            json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"nodeName": "x"}});
        for (selector, holds) in [
            ("metadata.name=a,metadata.namespace=n", true),
            ("spec.nodeName!=x", false),
            ("spec.nodeName==x,status.phase!=Running", true),
            ("status.phase=", true),
        ] {
            assert_eq!(
                FieldSelector::parse(selector, &pods)
                    .unwrap()
                    .matches(&object),
                holds,
                "{selector}"
            );
        }
        let wrong = FieldSelector::parse("spec.hostNetwork=true", &pods).unwrap_err();
        assert_eq!(wrong, "field label not supported: spec.hostNetwork");
        assert!(FieldSelector::parse("metadata.name", &pods).is_err());
        let nodes = ObjectKind {
            plural: "nodes".into(),
            ..pods
        };
        assert!(FieldSelector::parse("spec.nodeName=x", &nodes).is_err());
    }
}
