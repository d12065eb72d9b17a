//! The one place where bytes become shell text.

/// A word that any POSIX shell reads back as exactly `text`: in single quotes, where nothing has a meaning but
/// the single quote itself. `None` if there is a NUL, which no argument of a program can hold.
pub(in crate::transport) fn word(text: &str) -> Option<String> {
    (!text.contains('\0')).then(|| format!("'{}'", text.replace('\'', r"'\''")))
}

/// The same on one line: line feeds come from the variable `n`, which [`super::exchange::ONCE`] and [`super::exchange::SERVE`] set.
pub(super) fn line_word(text: &str) -> Option<String> {
    word(text).map(|quoted| quoted.replace('\n', r#"'"$n"'"#))
}

/// Whether this can be the name of an environment variable that a shell exports.
pub(super) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
