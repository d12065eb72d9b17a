//! A YAML document as a tree in which every node knows its place in the text, to the byte.

use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StructureStyle};

/// A place in a text, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Why a text has no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeError {
    /// Where.
    pub place: Place,
    /// Why, without the place.
    pub why: String,
    /// How many characters are meant.
    pub length: usize,
}

/// One document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Its node; none if there is nothing but comments.
    pub root: Option<Node>,
    /// The bytes of the comments, in the order of the text.
    pub comments: Vec<Range<usize>>,
    /// Where the document's content may go on: the end of the text, or its `...` mark.
    pub end: usize,
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What it is.
    pub content: Content,
    /// Its bytes. Those of a block end with its last child, and of a block scalar (`|`) leave out the header.
    pub range: Range<usize>,
    /// Where it starts.
    pub place: Place,
    /// Whether it is an anchor (`&name`) that others may repeat.
    pub anchored: bool,
    /// Whether it has a tag (`!!str`).
    pub tagged: bool,
}

/// How a list or map is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// By indentation.
    Block,
    /// In brackets.
    Flow,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A text, number, truth value or null, as its text after escapes.
    Scalar(String, ScalarStyle),
    /// A list.
    List(Vec<Node>, Layout),
    /// A map, in the order of the text.
    Map(Vec<(Node, Node)>, Layout),
    /// `*name`: another node again.
    Alias(usize),
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing is written here at all.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty() && matches!(self.content, Content::Scalar(_, ScalarStyle::Plain))
    }

    /// Whether it is null, written out or not.
    pub fn is_null(&self) -> bool {
        let null = |text: &str| matches!(text, "" | "~" | "null" | "Null" | "NULL");
        matches!(&self.content, Content::Scalar(text, ScalarStyle::Plain) if null(text))
            && !self.tagged
    }
}

/// Reads a text of at most one document; refuses duplicate keys.
pub(crate) fn read(text: &str) -> Result<Document, TreeError> {
    let mut options = Options::default();
    // A long header of comments is no reason to refuse a file; its size is bounded elsewhere.
    options.max_buffered_comment_events = usize::MAX;
    let mut reader = Reader {
        text,
        events: Parser::new_from_str_with_options(text, options),
        comments: Vec::new(),
    };
    let mut document = Document {
        root: None,
        comments: Vec::new(),
        end: text.len(),
    };
    let mut documents = 0;
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart | Event::StreamEnd => {}
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(error(
                        &span,
                        3,
                        "a second YAML document starts; only one is understood",
                    ));
                }
            }
            Event::DocumentEnd => {
                let range = bytes(&span);
                if !range.is_empty() {
                    document.end = range.start;
                }
            }
            event => document.root = Some(reader.node(event, &span)?),
        }
    }
    document.comments = reader.comments;
    Ok(document)
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, granit_parser::StrInput<'a>>,
    comments: Vec<Range<usize>>,
}

impl<'a> Reader<'a> {
    /// The next event that is no comment.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, TreeError> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Err(problem)) => return Err(self.scan_error(&problem)),
                Some(Ok((Event::Comment(..), span))) => self.comments.push(bytes(&span)),
                Some(Ok(event)) => return Ok(Some(event)),
            }
        }
    }

    fn scan_error(&self, problem: &ScanError) -> TreeError {
        let marker = problem.marker();
        let place = Place {
            line: as_u32(marker.line()),
            column: as_u32(marker.col() + 1),
        };
        let line = self.text.lines().nth(marker.line().saturating_sub(1));
        let indentation = line.map(|line| &line[..line.len() - line.trim_start().len()]);
        let why = if indentation.is_some_and(|indentation| indentation.contains('\t')) {
            "the line is indented with a tab; YAML wants spaces".to_owned()
        } else {
            problem.info()
        };
        TreeError {
            place,
            why,
            length: 1,
        }
    }

    /// The next node inside a list or map; none at its end, whose span is given instead.
    fn child(&mut self) -> Result<Result<Node, Span>, TreeError> {
        match self.next()? {
            Some((Event::SequenceEnd | Event::MappingEnd, span)) => Ok(Err(span)),
            Some((event, span)) => self.node(event, &span).map(Ok),
            None => Ok(Err(Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, TreeError> {
        let mut node = Node {
            content: Content::Alias(0),
            range: bytes(span),
            place: place(span),
            anchored: false,
            tagged: false,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                (node.anchored, node.tagged) = (anchor != 0, tag.is_some());
                node.content = Content::Scalar(text.into_owned(), style);
            }
            Event::SequenceStart(style, anchor, tag) => {
                (node.anchored, node.tagged) = (anchor != 0, tag.is_some());
                let mut items = Vec::new();
                let end = loop {
                    match self.child()? {
                        Ok(item) => items.push(item),
                        Err(end) => break end,
                    }
                };
                let last = items.last().map(|item| item.range.end);
                node.range.end = end_of(style, &end, last, node.range.end);
                node.content = Content::List(items, layout(style));
            }
            Event::MappingStart(style, anchor, tag) => {
                (node.anchored, node.tagged) = (anchor != 0, tag.is_some());
                let (entries, end) = self.entries()?;
                let last = entries
                    .last()
                    .map(|(key, value)| key.range.end.max(value.range.end));
                node.range.end = end_of(style, &end, last, node.range.end);
                node.content = Content::Map(entries, layout(style));
            }
            Event::Alias(id) => node.content = Content::Alias(id),
            other => return Err(error(span, 1, &format!("unexpected here: {other:?}"))),
        }
        Ok(node)
    }

    fn entries(&mut self) -> Result<(Vec<(Node, Node)>, Span), TreeError> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        // Positions of the keys seen so far; a map of a thousand keys must not take a million looks.
        let mut seen = std::collections::HashMap::new();
        loop {
            let key = match self.child()? {
                Ok(key) => key,
                Err(end) => return Ok((entries, end)),
            };
            if let Some(text) = key.text()
                && let Some(first) = seen.insert(text.to_owned(), key.place.line)
            {
                return Err(TreeError {
                    place: key.place,
                    why: format!(
                        "the key `{text}` stands twice in the same map, first on line {first}"
                    ),
                    length: text.chars().count(),
                });
            }
            match self.child()? {
                Ok(value) => entries.push((key, value)),
                Err(end) => return Ok((entries, end)),
            }
        }
    }
}

fn end_of(style: StructureStyle, end: &Span, last: Option<usize>, start: usize) -> usize {
    match style {
        StructureStyle::Flow => bytes(end).end,
        StructureStyle::Block => last.unwrap_or(start),
    }
}

fn layout(style: StructureStyle) -> Layout {
    match style {
        StructureStyle::Flow => Layout::Flow,
        StructureStyle::Block => Layout::Block,
    }
}

fn bytes(span: &Span) -> Range<usize> {
    // A parser over a string always knows byte offsets; were one missing, the range would be empty at the start,
    // and the proof after each edit would refuse what came of it.
    let offset = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or_default();
    offset(&span.start)..offset(&span.end)
}

fn place(span: &Span) -> Place {
    Place {
        line: as_u32(span.start.line()),
        column: as_u32(span.start.col() + 1),
    }
}

fn as_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn error(span: &Span, length: usize, why: &str) -> TreeError {
    TreeError {
        place: place(span),
        why: why.to_owned(),
        length,
    }
}
