//! `host.file(path)`: look at a file and change it.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map, NativeCallContext};

use super::super::convert::{to_dynamic, to_value};
use super::super::failure::{self, Stop};
use super::super::scope::{self, Phase};
use super::super::session::{Session, misuse};
use super::super::unknown;
use super::each::detached;
use super::host::Host;
use super::options::Options;
use crate::model::{Target, TargetPath};
use crate::operation::{Action, ChangeFile, Failure, FileEdit, FileQuestion, LookAtFile};
use crate::script::convert::in_words;

type Evaluated = Result<Dynamic, Box<EvalAltResult>>;

/// A file of a host, as scripts hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOfHost {
    target: Target,
    path: TargetPath,
}

/// Mode and owner options.
#[derive(Default)]
struct Attributes {
    mode: Option<u32>,
    owner: (Option<u32>, Option<u32>),
}

fn attributes(word: &'static str, options: Map) -> Result<Attributes, String> {
    let mut options = Options::of(word, options);
    let number = |value: Option<usize>| value.and_then(|value| u32::try_from(value).ok());
    let found = Attributes {
        mode: mode(options.take("mode"))
            .ok_or_else(|| format!("{word}: `mode` is written in octal: \"0644\" or 0o644"))?,
        owner: (number(options.count("uid")?), number(options.count("gid")?)),
    };
    options.end()?;
    Ok(found)
}

/// A mode as a text of octal digits, or as a number; `None` for what is neither.
fn mode(value: Option<Dynamic>) -> Option<Option<u32>> {
    let Some(value) = value else {
        return Some(None);
    };
    let number = match value.read_lock::<ImmutableString>() {
        Some(text) => u32::from_str_radix(&text, 8).ok(),
        None => value
            .as_int()
            .ok()
            .and_then(|number| u32::try_from(number).ok()),
    };
    number.filter(|mode| *mode <= 0o7777).map(Some)
}

fn change(
    session: &Session,
    context: &NativeCallContext,
    file: &FileOfHost,
    edit: FileEdit<'_>,
    attributes: Attributes,
) -> Evaluated {
    let change = ChangeFile::new(file.target.clone(), file.path.clone(), edit)
        .mode(attributes.mode)
        .owner(attributes.owner.0, attributes.owner.1);
    session
        .perform(context, file.target.clone(), Action::Change(&change))
        .map(|value| to_dynamic(&value))
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    engine.register_type_with_name::<FileOfHost>("file");
    engine.register_fn("to_string", |file: &mut FileOfHost| {
        format!("{}:{}", file.target, file.path)
    });
    engine.register_get("path", |file: &mut FileOfHost| file.path.to_string());
    engine.register_fn(
        "file",
        |context: NativeCallContext,
         host: Host,
         path: &str|
         -> Result<FileOfHost, Box<EvalAltResult>> {
            if let Some(unknown) = unknown::in_text(path) {
                return Err(failure::raise(
                    Failure::PlanEnds(unknown),
                    context.call_position(),
                ));
            }
            let path = TargetPath::parse(path).map_err(|why| misuse(&context, why))?;
            Ok(FileOfHost {
                target: host.target(),
                path,
            })
        },
    );
    for (word, question) in [
        ("read", FileQuestion::Read),
        ("exists", FileQuestion::Exists),
        ("stat", FileQuestion::Stat),
    ] {
        let words = session.clone();
        engine.register_fn(
            word,
            move |context: NativeCallContext, file: FileOfHost| -> Evaluated {
                let look = LookAtFile {
                    target: file.target.clone(),
                    path: file.path.clone(),
                    question,
                };
                words
                    .perform(&context, file.target, Action::Observe(&look))
                    .map(|value| to_dynamic(&value))
            },
        );
    }
    writing(engine, session);
    editing(engine, session);
    keys(engine, session);
}

fn writing(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "write",
        move |context: NativeCallContext, file: FileOfHost, text: ImmutableString| -> Evaluated {
            change(
                &words,
                &context,
                &file,
                FileEdit::Write(text.to_string()),
                Attributes::default(),
            )
        },
    );
    let words = session.clone();
    engine.register_fn(
        "write",
        move |context: NativeCallContext,
              file: FileOfHost,
              text: ImmutableString,
              options: Map|
              -> Evaluated {
            let attributes = attributes("write", options).map_err(|why| misuse(&context, why))?;
            change(
                &words,
                &context,
                &file,
                FileEdit::Write(text.to_string()),
                attributes,
            )
        },
    );
    let words = session.clone();
    engine.register_fn(
        "remove",
        move |context: NativeCallContext, file: FileOfHost| -> Evaluated {
            change(
                &words,
                &context,
                &file,
                FileEdit::Remove,
                Attributes::default(),
            )
        },
    );
}

fn editing(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "edit",
        move |context: NativeCallContext, file: FileOfHost, closure: FnPtr| -> Evaluated {
            let closure = detached(&closure);
            let edit = |text: &str| -> Result<String, Failure> {
                let _inside = scope::enter_phase(Phase::Looking {
                    of: "the closure of edit",
                });
                let edited = closure.call_within_context::<Dynamic>(&context, (text.to_owned(),));
                let edited = edited.map_err(|error| match failure::understand(&error) {
                    Stop::Failure(failure) => failure,
                    Stop::Finish(_) => {
                        Failure::Misuse("`finish` is not allowed inside edit".into())
                    }
                })?;
                match edited.read_lock::<ImmutableString>() {
                    Some(text) => Ok(text.to_string()),
                    None => Err(Failure::Misuse(format!(
                        "the closure of edit must return the new text, not {}",
                        in_words(&edited)
                    ))),
                }
            };
            change(
                &words,
                &context,
                &file,
                FileEdit::Edit(Box::new(edit)),
                Attributes::default(),
            )
        },
    );
}

fn keys(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "set_line",
        move |context: NativeCallContext,
              file: FileOfHost,
              key: &str,
              value: Dynamic|
              -> Evaluated {
            let edit = set_line(key, &value, "=").map_err(|why| misuse(&context, why))?;
            change(&words, &context, &file, edit, Attributes::default())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "set_line",
        move |context: NativeCallContext,
              file: FileOfHost,
              key: &str,
              value: Dynamic,
              separator: &str|
              -> Evaluated {
            let edit = set_line(key, &value, separator).map_err(|why| misuse(&context, why))?;
            change(&words, &context, &file, edit, Attributes::default())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "set_yaml",
        move |context: NativeCallContext,
              file: FileOfHost,
              key: Dynamic,
              value: Dynamic|
              -> Evaluated {
            let edit = set_yaml(&key, &value).map_err(|why| misuse(&context, why))?;
            change(&words, &context, &file, edit, Attributes::default())
        },
    );
}

fn set_line(key: &str, value: &Dynamic, separator: &str) -> Result<FileEdit<'static>, String> {
    if !matches!(separator.trim(), "=" | ":") {
        return Err(format!(
            "set_line: the separator is `=` or `:` with spaces around it, not {separator:?}"
        ));
    }
    let value = to_value(value)?.to_string();
    Ok(FileEdit::SetLine {
        key: key.to_owned(),
        value,
        separator: separator.to_owned(),
    })
}

/// The key is a text (one key, dots and all) or an array of keys, outermost first.
fn set_yaml(key: &Dynamic, value: &Dynamic) -> Result<FileEdit<'static>, String> {
    let path = match to_value(key)? {
        crate::model::Value::Text(key) if !key.is_empty() => vec![key],
        crate::model::Value::List(keys) if !keys.is_empty() => {
            keys.iter().map(ToString::to_string).collect()
        }
        _ => {
            return Err(
                "set_yaml: the key is a text, or an array of texts for a key in a map in a map"
                    .into(),
            );
        }
    };
    Ok(FileEdit::SetYaml {
        path,
        value: to_value(value)?,
    })
}
