//! Values that want to be more than a value.
#![allow(dead_code, reason = "each test binary uses its own part")]

/// At least sixty of them; each is text, and those without NUL can be an argument of a program. Whatever runs
/// `touch pwned` leaves a file in the directory where it ran.
pub fn hostile() -> Vec<String> {
    let mut values: Vec<String> = [
        "",
        " ",
        "  two  spaces  ",
        "\n",
        "ends in a line feed\n",
        "\n\nbegins\nand ends\n\n",
        "carriage\r\nreturn\r",
        "\ttab",
        "'",
        "''",
        "'; touch pwned; '",
        "it's",
        "\"",
        "\"; touch pwned; \"",
        "a'b\"c`d",
        "'\\''",
        "'\"'\"'; touch pwned #",
        "\\",
        "\\\\",
        "ends in \\",
        "\\n\\t\\0",
        "$(touch pwned)",
        "`touch pwned`",
        "${IFS}touch${IFS}pwned",
        "$((1+1))",
        "$HOME",
        "$0",
        "$$",
        "$'\\x74ouch pwned'",
        "; touch pwned",
        "& touch pwned &",
        "&& touch pwned",
        "|| touch pwned",
        "| touch pwned",
        "> pwned",
        "2>&1 >pwned",
        "< /etc/passwd",
        "<(touch pwned)",
        "() { :; }; touch pwned",
        "*",
        "?",
        "[a-z]*",
        "{a,b}",
        "~",
        "~root",
        "!",
        "!!",
        "^a^b",
        "%s%n%d",
        "%",
        "-",
        "--",
        "-n",
        "-e",
        "-rf",
        "--help",
        "-oProxyCommand=touch pwned",
        "#",
        "# comment",
        "a=b",
        "PATH=/tmp",
        "exit 1",
        "}",
        "{",
        ")",
        "EOF",
        "\u{1b}[2J\u{1b}]0;title\u{7}",
        "\u{9b}31m",
        "\u{202e}txt.sh",
        "\u{200b}",
        "\u{feff}",
        "é 日本 🦀",
        "e\u{301}",
        "\u{1}\u{2}\u{7f}",
        "NaN",
        "null",
        "../../../../etc/passwd",
        "${v}",
        "‹secret›",
    ]
    .map(str::to_owned)
    .into();
    values.push("x".repeat(20_000));
    values.push("'".repeat(3_000));
    values
}

/// Those that nothing can carry to a program.
pub const IMPOSSIBLE: [&str; 3] = ["\0", "a\0b", "ends in NUL\0"];

/// As a text of the language: every character by its number, so that nothing depends on how scripts are read.
pub fn literal(value: &str) -> String {
    let characters: String = value
        .chars()
        .map(|c| format!("\\U{:08X}", c as u32))
        .collect();
    format!("\"{characters}\"")
}
