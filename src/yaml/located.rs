//! A YAML document as a tree that keeps every scalar's own text and every
//! node's line. Bounded in size and depth; no value is interpreted here.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{DUPLICATE_FIELD, Problem, WRONG_TYPE, YAML_SYNTAX, path};

/// Largest document, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting. The messages of the contract need a fifth of it.
pub const MAX_DEPTH: usize = 64;
/// Most nodes, those that aliases repeat included.
pub const MAX_NODES: usize = 200_000;

/// A node and where it begins.
#[derive(Clone, Debug)]
pub struct Node {
    /// Line in the document, from 1.
    pub line: u32,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Value {
    /// A single value.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order it was written, duplicate keys included.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// The key's line.
    pub line: u32,
    /// The value.
    pub value: Node,
}

/// A single value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text: `500.00` stays `500.00`.
    pub text: String,
    /// True if it was written without quotes and not as a block.
    pub plain: bool,
}

impl Scalar {
    /// True for nothing at all, `~` and `null`, unquoted.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null")
    }
}

impl Node {
    /// The scalar, if it is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of that key, if it is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// True if it says that there is nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(Scalar::is_null)
    }

    /// The node as JSON: plain scalars that are JSON literals or numbers become
    /// those, everything else text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Scalar(scalar) => scalar_to_json(scalar),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => {
                let pairs = entries.iter().map(|e| (e.key.clone(), e.value.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

fn scalar_to_json(scalar: &Scalar) -> serde_json::Value {
    if scalar.is_null() {
        return serde_json::Value::Null;
    }
    if scalar.plain {
        // Quoted text and containers cannot come out of a plain scalar here.
        if let Ok(literal) = serde_json::from_str::<serde_json::Value>(&scalar.text)
            && !literal.is_string()
            && !literal.is_array()
            && !literal.is_object()
        {
            return literal;
        }
    }
    serde_json::Value::String(scalar.text.clone())
}

/// Reads a document; a key that occurs twice is a problem.
///
/// # Errors
/// The first error of syntax, or every duplicate key.
pub fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let root = parse_keeping_duplicates(text).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    find_duplicates(&root, "", &mut problems);
    if problems.is_empty() { Ok(root) } else { Err(problems) }
}

fn find_duplicates(node: &Node, at: &str, problems: &mut Vec<Problem>) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            for (i, item) in items.iter().enumerate() {
                find_duplicates(item, &path::index(at, i), problems);
            }
        }
        Value::Map(entries) => {
            let mut seen = HashMap::new();
            for entry in entries {
                let here = path::field(at, &entry.key);
                if let Some(first) = seen.get(entry.key.as_str()) {
                    problems.push(duplicate(here.clone(), entry.line, &entry.key, *first));
                } else {
                    seen.insert(entry.key.as_str(), entry.line);
                }
                find_duplicates(&entry.value, &here, problems);
            }
        }
    }
}

pub(super) fn duplicate(path: String, line: u32, name: &str, first: u32) -> Problem {
    let description = format!("`{name}` was given before, on line {first}");
    Problem { path, line, reason: DUPLICATE_FIELD, description }
}

/// Reads a document and leaves duplicate keys to the caller.
pub(super) fn parse_keeping_duplicates(text: &str) -> Result<Node, Problem> {
    if text.len() > MAX_BYTES {
        let description = format!("the document is larger than {MAX_BYTES} bytes");
        return Err(Problem { path: String::new(), line: 1, reason: YAML_SYNTAX, description });
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) =
            event.map_err(|error| syntax(line_of(error.marker().line()), error.info()))?;
        builder.take(event, span)?;
    }
    // An empty document says nothing, and has nothing wrong with it.
    Ok(builder.root.unwrap_or(Node { line: 1, value: null() }))
}

fn null() -> Value {
    Value::Scalar(Scalar { text: String::new(), plain: true })
}

fn line_of(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

fn syntax(line: u32, description: impl Into<String>) -> Problem {
    let description = description.into();
    Problem { path: String::new(), line, reason: YAML_SYNTAX, description }
}

/// Puts events together. Its stack is the path from the root to where the
/// parser is.
#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

/// A container that has not ended yet.
struct Open {
    line: u32,
    anchor: usize,
    nodes_before: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, u32)> },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let line = line_of(span.start.line());
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(syntax(line, "only one document is allowed in a file"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), line)?;
                self.count(1, line)?;
                let plain = style == ScalarStyle::Plain;
                let value = Value::Scalar(Scalar { text: text.into_owned(), plain });
                let node = Node { line, value };
                self.remember(anchor, &node, 1);
                self.place(node)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some(), line)?;
                self.open(line, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some(), line)?;
                self.open(line, anchor, Content::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, line),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, line: u32, anchor: usize, content: Content) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(syntax(line, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let nodes_before = self.nodes;
        self.count(1, line)?;
        self.stack.push(Open { line, anchor, nodes_before, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(open) = self.stack.pop() else {
            return Err(syntax(1, "a list or map ends that never began"));
        };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node { line: open.line, value };
        self.remember(open.anchor, &node, self.nodes - open.nodes_before);
        self.place(node)
    }

    fn alias(&mut self, anchor: usize, line: u32) -> Result<(), Problem> {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            return Err(syntax(line, "the alias refers to something it is part of"));
        };
        if self.stack.len() + depth(&node) > MAX_DEPTH {
            return Err(syntax(line, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        // Before cloning it into the tree: a few lines of aliases of aliases
        // would otherwise fill the memory.
        self.count(size, line)?;
        self.place(node)
    }

    fn count(&mut self, more: usize, line: u32) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            return Err(syntax(line, format!("the document has more than {MAX_NODES} values")));
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node, size: usize) {
        // 0 is the parser's way to say that there is no anchor.
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
    }

    fn place(&mut self, node: Node) -> Result<(), Problem> {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                Some((key, line)) => entries.push(Entry { key, line, value: node }),
                None => *key = Some(as_key(node)?),
            },
        }
        Ok(())
    }
}

fn as_key(node: Node) -> Result<(String, u32), Problem> {
    match node.value {
        Value::Scalar(scalar) if scalar.plain && scalar.text == "<<" => {
            Err(syntax(node.line, "merge keys (`<<`) are not supported; write the fields out"))
        }
        Value::Scalar(scalar) => Ok((scalar.text, node.line)),
        _ => Err(Problem {
            path: String::new(),
            line: node.line,
            reason: WRONG_TYPE,
            description: "a key must be a single value".to_owned(),
        }),
    }
}

fn refuse_tag(tagged: bool, line: u32) -> Result<(), Problem> {
    if tagged {
        return Err(syntax(line, "tags (`!…`) are not supported; quote a text instead"));
    }
    Ok(())
}

fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(_) => 0,
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
    }
}
