//! From text to commands.

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Assignments, words, redirections.
    Simple(Vec<(String, Word)>, Vec<Word>, Vec<Redirect>),
    /// `a | b`.
    Pipe(Vec<Syntax>),
    /// `a && b`.
    And(Box<Syntax>, Box<Syntax>),
    /// `a || b`.
    Or(Box<Syntax>, Box<Syntax>),
    /// `! a`.
    Not(Box<Syntax>),
    /// `a; b`.
    List(Vec<Syntax>),
    /// Conditions with their bodies, and the `else`.
    If(Vec<(Syntax, Syntax)>, Option<Box<Syntax>>),
    /// `for x in words; do body; done`.
    For(String, Vec<Word>, Box<Syntax>),
    /// `while`, or `until` if the flag is set.
    While(Box<Syntax>, Box<Syntax>, bool),
    /// `{ … }` or `( … )` (the flag) with redirections.
    Group(Box<Syntax>, bool, Vec<Redirect>),
}

/// A word before expansion.
pub type Word = Vec<Part>;

/// A part of a word; the flag says whether it is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(String, bool),
    /// `$x`, with the word of `${x:-word}`.
    Variable(String, Option<Word>, bool),
    /// `$(…)`.
    Command(Box<Syntax>, bool),
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// `< file`.
    Input(Word),
    /// `> file` or `>> file` (the flag) of a stream.
    Output(u8, Word, bool),
    /// `2>&1`: the first goes where the second goes.
    Duplicate(u8, u8),
}

/// How deep commands may nest.
const DEPTH: usize = 40;

/// Parses a text; the error says what is not understood.
pub fn parse(text: &str) -> Result<Syntax, String> {
    let mut parser = Parser {
        chars: text.chars().collect(),
        at: 0,
        depth: 0,
    };
    let list = parser.list(&[])?;
    match parser.peek() {
        None => Ok(list),
        Some(other) => Err(format!("syntax error near unexpected `{other}'")),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn ahead(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c))
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.ahead(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn blanks(&mut self) {
        loop {
            if self.eat("\\\n") {
                continue;
            }
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn separators(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                Some('\n' | ';') if !self.ahead(";;") => self.at += 1,
                _ => return,
            }
        }
    }

    /// The reserved word that comes next, if it is one of these.
    fn reserved(&self, words: &[&str]) -> bool {
        words.iter().any(|word| {
            self.ahead(word)
                && self
                    .chars
                    .get(self.at + word.len())
                    .is_none_or(|c| " \t\n;)&|".contains(*c))
        })
    }

    fn keyword(&mut self, word: &str) -> Result<(), String> {
        self.separators();
        if self.reserved(&[word]) {
            self.at += word.len();
            return Ok(());
        }
        Err(format!("syntax error: `{word}' expected"))
    }

    fn list(&mut self, ends: &[&str]) -> Result<Syntax, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("commands nest too deeply for the lab's shell".into());
        }
        let mut items = vec![];
        loop {
            self.separators();
            if self.peek().is_none_or(|c| c == ')') || self.reserved(ends) {
                break;
            }
            items.push(self.and_or()?);
            self.blanks();
            match self.peek() {
                Some('&') => {
                    return Err("`&' (background) is not understood by the lab's shell; launch the command detached or with systemd-run".into());
                }
                Some(';' | '\n') | None => {}
                Some(')') => break,
                Some(other) => return Err(format!("syntax error near unexpected `{other}'")),
            }
            if self.ahead(";;") {
                return Err("`case' is not understood by the lab's shell".into());
            }
        }
        self.depth -= 1;
        Ok(match items.len() {
            1 => items.remove(0),
            _ => Syntax::List(items),
        })
    }

    fn and_or(&mut self) -> Result<Syntax, String> {
        let mut left = self.pipeline()?;
        loop {
            self.blanks();
            let and = self.ahead("&&");
            if !and && !self.ahead("||") {
                return Ok(left);
            }
            self.at += 2;
            while self.peek().is_some_and(char::is_whitespace) {
                self.at += 1;
            }
            let right = Box::new(self.pipeline()?);
            left = if and {
                Syntax::And(Box::new(left), right)
            } else {
                Syntax::Or(Box::new(left), right)
            };
        }
    }

    fn pipeline(&mut self) -> Result<Syntax, String> {
        self.blanks();
        if self.reserved(&["!"]) {
            self.at += 1;
            return Ok(Syntax::Not(Box::new(self.pipeline()?)));
        }
        let mut stages = vec![self.command()?];
        loop {
            self.blanks();
            if !self.ahead("|") || self.ahead("||") {
                break;
            }
            self.at += 1;
            while self.peek().is_some_and(char::is_whitespace) {
                self.at += 1;
            }
            stages.push(self.command()?);
        }
        Ok(match stages.len() {
            1 => stages.remove(0),
            _ => Syntax::Pipe(stages),
        })
    }

    fn command(&mut self) -> Result<Syntax, String> {
        self.blanks();
        if self.reserved(&["if"]) {
            self.at += 2;
            return self.if_command();
        }
        if self.reserved(&["for"]) {
            self.at += 3;
            return self.for_command();
        }
        for (word, until) in [("while", false), ("until", true)] {
            if self.reserved(&[word]) {
                self.at += word.len();
                let condition = self.list(&["do"])?;
                let body = self.do_block()?;
                return Ok(Syntax::While(Box::new(condition), Box::new(body), until));
            }
        }
        for word in ["case", "function", "select"] {
            if self.reserved(&[word]) {
                return Err(format!("`{word}' is not understood by the lab's shell"));
            }
        }
        if self.reserved(&["{"]) {
            self.at += 1;
            let body = self.list(&["}"])?;
            self.keyword("}")?;
            return Ok(Syntax::Group(Box::new(body), false, self.redirects()?));
        }
        if self.eat("(") {
            if self.peek() == Some('(') {
                return Err("arithmetic `((' is not understood by the lab's shell".into());
            }
            let body = self.list(&[])?;
            if !self.eat(")") {
                return Err("syntax error: `)' expected".into());
            }
            return Ok(Syntax::Group(Box::new(body), true, self.redirects()?));
        }
        self.simple()
    }

    fn if_command(&mut self) -> Result<Syntax, String> {
        let mut branches = vec![];
        loop {
            let condition = self.list(&["then"])?;
            self.keyword("then")?;
            let body = self.list(&["elif", "else", "fi"])?;
            branches.push((condition, body));
            if self.reserved(&["elif"]) {
                self.at += 4;
                continue;
            }
            let otherwise = if self.reserved(&["else"]) {
                self.at += 4;
                Some(Box::new(self.list(&["fi"])?))
            } else {
                None
            };
            self.keyword("fi")?;
            return Ok(Syntax::If(branches, otherwise));
        }
    }

    fn for_command(&mut self) -> Result<Syntax, String> {
        self.blanks();
        let name = self.name();
        self.keyword("in")?;
        let mut words = vec![];
        loop {
            self.blanks();
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        let body = self.do_block()?;
        Ok(Syntax::For(name, words, Box::new(body)))
    }

    fn do_block(&mut self) -> Result<Syntax, String> {
        self.keyword("do")?;
        let body = self.list(&["done"])?;
        self.keyword("done")?;
        Ok(body)
    }

    fn simple(&mut self) -> Result<Syntax, String> {
        let (mut assignments, mut words, mut redirects) = (vec![], vec![], vec![]);
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty()
                && let Some(assignment) = self.assignment()?
            {
                assignments.push(assignment);
                continue;
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        self.blanks();
        if self.peek() == Some('(') {
            return Err("functions are not understood by the lab's shell".into());
        }
        if words.is_empty() && assignments.is_empty() && redirects.is_empty() {
            return Err(match self.peek() {
                Some(other) => format!("syntax error near unexpected `{other}'"),
                None => "syntax error: unexpected end of the text".into(),
            });
        }
        Ok(Syntax::Simple(assignments, words, redirects))
    }

    fn redirects(&mut self) -> Result<Vec<Redirect>, String> {
        let mut redirects = vec![];
        loop {
            self.blanks();
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(redirects),
            }
        }
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, String> {
        let start = self.at;
        let stream = match self.peek() {
            Some(digit @ '0'..='2') => {
                self.at += 1;
                Some(digit as u8 - b'0')
            }
            _ => None,
        };
        if self.ahead("<<") {
            return Err("here-documents are not understood by the lab's shell".into());
        }
        let input = self.eat("<");
        if !input && !self.eat(">") {
            self.at = start;
            return Ok(None);
        }
        let stream = stream.unwrap_or(u8::from(!input));
        if !input && self.eat("&") {
            let to = match self.peek() {
                Some(digit @ '1'..='2') => digit as u8 - b'0',
                _ => return Err("only >&1 and >&2 are understood by the lab's shell".into()),
            };
            self.at += 1;
            return Ok(Some(Redirect::Duplicate(stream, to)));
        }
        let append = !input && self.eat(">");
        self.blanks();
        let word = self
            .word()?
            .ok_or("syntax error: a redirection needs a file")?;
        Ok(Some(if input {
            Redirect::Input(word)
        } else {
            Redirect::Output(stream, word, append)
        }))
    }

    fn assignment(&mut self) -> Result<Option<(String, Word)>, String> {
        let start = self.at;
        let name = self.name();
        if name.is_empty() || !self.eat("=") {
            self.at = start;
            return Ok(None);
        }
        Ok(Some((name, self.word()?.unwrap_or_default())))
    }

    fn name(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| {
            c == '_' || c.is_ascii_alphabetic() || (self.at > start && c.is_ascii_digit())
        }) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn word(&mut self) -> Result<Option<Word>, String> {
        let mut parts: Word = vec![];
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.at += 1;
                    let text = self.until_quote()?;
                    parts.push(Part::Text(text, true));
                }
                '"' => {
                    self.at += 1;
                    self.double_quoted(&mut parts)?;
                }
                '\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => {}
                        Some(next) => parts.push(Part::Text(next.into(), true)),
                        None => parts.push(Part::Text("\\".into(), true)),
                    }
                    self.at += 1;
                }
                '`' => {
                    return Err("backticks are not understood by the lab's shell; use $(…)".into());
                }
                '$' => parts.push(self.dollar(false)?),
                _ => {
                    self.at += 1;
                    match parts.last_mut() {
                        Some(Part::Text(text, false)) => text.push(c),
                        _ => parts.push(Part::Text(c.into(), false)),
                    }
                }
            }
        }
        Ok((self.at > start).then_some(parts))
    }

    fn until_quote(&mut self) -> Result<String, String> {
        let start = self.at;
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == '\'' {
                return Ok(self.chars[start..self.at - 1].iter().collect());
            }
        }
        Err("syntax error: unterminated quoted string".into())
    }

    fn double_quoted(&mut self, parts: &mut Word) -> Result<(), String> {
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err("syntax error: unterminated quoted string".into()),
                Some('"') => {
                    self.at += 1;
                    parts.push(Part::Text(text, true));
                    return Ok(());
                }
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => {}
                        Some(c @ ('$' | '"' | '\\' | '`')) => text.push(c),
                        Some(c) => text.extend(['\\', c]),
                        None => {}
                    }
                    self.at += 1;
                }
                Some('`') => {
                    return Err("backticks are not understood by the lab's shell; use $(…)".into());
                }
                Some('$') => {
                    parts.push(Part::Text(std::mem::take(&mut text), true));
                    parts.push(self.dollar(true)?);
                }
                Some(c) => {
                    self.at += 1;
                    text.push(c);
                }
            }
        }
    }

    fn dollar(&mut self, quoted: bool) -> Result<Part, String> {
        self.at += 1;
        if self.ahead("((") {
            return Err("arithmetic $((…)) is not understood by the lab's shell".into());
        }
        if self.eat("(") {
            let body = self.list(&[])?;
            if !self.eat(")") {
                return Err("syntax error: `)' expected".into());
            }
            return Ok(Part::Command(Box::new(body), quoted));
        }
        if self.eat("{") {
            let name = self.variable_name();
            let default = if self.eat(":-") || self.eat("-") {
                let parts = self.default_word()?;
                Some(parts)
            } else {
                None
            };
            if name.is_empty() || !self.eat("}") {
                return Err(
                    "only ${name} and ${name:-word} are understood by the lab's shell".into(),
                );
            }
            return Ok(Part::Variable(name, default, quoted));
        }
        let name = self.variable_name();
        Ok(if name.is_empty() {
            Part::Text("$".into(), quoted)
        } else {
            Part::Variable(name, None, quoted)
        })
    }

    /// The word of `${x:-word}`, up to the brace that closes it; white space and operators are text in it.
    fn default_word(&mut self) -> Result<Word, String> {
        let mut depth = 0;
        let length = self.chars[self.at..]
            .iter()
            .position(|c| {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => return true,
                    '}' => depth -= 1,
                    _ => {}
                }
                false
            })
            .ok_or("syntax error: `}' expected")?;
        let mut inner = Parser {
            chars: self.chars[self.at..self.at + length].to_vec(),
            at: 0,
            depth: self.depth,
        };
        self.at += length;
        let mut parts = vec![];
        while let Some(next) = inner.peek() {
            match inner.word()? {
                Some(word) => parts.extend(word),
                None => {
                    inner.at += 1;
                    parts.push(Part::Text(next.into(), false));
                }
            }
        }
        Ok(parts)
    }

    fn variable_name(&mut self) -> String {
        match self.peek() {
            Some(c @ ('?' | '#' | '@' | '*' | '$' | '0'..='9')) => {
                self.at += 1;
                c.to_string()
            }
            _ => self.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_says_so() {
        for (text, word) in [
            ("sleep 5 &", "background"),
            ("cat <<EOF\nx\nEOF", "here-documents"),
            ("case x in x) ;; esac", "case"),
            ("f() { true; }", "functions"),
            ("echo $((1+1))", "arithmetic"),
            ("echo `date`", "backticks"),
            ("echo ${x%y}", "${name}"),
            ("echo 'x", "unterminated"),
            ("true &&", "unexpected end"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
