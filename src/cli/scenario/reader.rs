//! Reads the YAML of scenario files into their types, going on after each
//! problem.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    file::{Action, Call, ClockStep, Expect, FileProblem, PolicyStep, Save, Step, parse_wait},
    run::requests,
    template::has_variables,
};
use crate::{
    wire::Directory,
    yaml::{
        self, DUPLICATE_FIELD, UNKNOWN_FIELD,
        located::{self, Entry, Node, Value},
        near,
    },
};

/// Files within files: more is a mistake.
const MAX_INCLUDES: usize = 8;

const FILE_KEYS: [&str; 5] = ["name", "clock", "include", "metadata", "steps"];
/// What a step can be; exactly one of these.
const ACTIONS: [&str; 5] = ["call", "policy", "wait", "until", "restart"];
const CALL_KEYS: [&str; 7] =
    ["call", "request", "save", "expect", "expect_error", "metadata", "say"];

/// What one file holds, included files' steps first.
#[derive(Default)]
pub(super) struct Found {
    pub(super) name: Option<String>,
    pub(super) clock: Option<Timestamp>,
    pub(super) steps: Vec<Step>,
}

/// Reads files and gathers their problems.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<FileProblem>,
    /// The files being read, each included by the one before.
    open: Vec<PathBuf>,
}

type Metadata = Vec<(String, String)>;

impl Reader {
    pub(super) fn read(&mut self, path: &Path) -> Found {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.add(path, 1, error.to_string());
                return Found::default();
            }
        };
        match located::parse(&text) {
            Ok(root) => {
                self.open.push(path.to_owned());
                let found = self.file(path, &root);
                self.open.pop();
                found
            }
            Err(problems) => {
                for problem in problems {
                    self.add(path, problem.line, problem.description);
                }
                Found::default()
            }
        }
    }

    fn add(&mut self, file: &Path, line: u32, description: impl Into<String>) {
        let file = file.to_owned();
        self.problems.push(FileProblem { file, line, description: description.into() });
    }

    fn file(&mut self, path: &Path, root: &Node) -> Found {
        let mut found = Found::default();
        let Some(entries) = root.as_map() else {
            self.add(path, root.line, format!("expected a map of {}", FILE_KEYS.join(", ")));
            return found;
        };
        self.known_keys(path, entries, &FILE_KEYS);
        found.name = root.get("name").and_then(|node| self.text(path, "name", node));
        for node in one_or_more(root.get("include")) {
            let Some(name) = self.text(path, "include", node) else { continue };
            let included = self.include(path, &name, node.line);
            found.steps.extend(included.steps);
            found.clock = found.clock.or(included.clock);
        }
        if let Some(node) = root.get("clock")
            && let Some(text) = self.text(path, "clock", node)
        {
            found.clock = yaml::parse_timestamp(&text);
            if found.clock.is_none() {
                self.add(path, node.line, instant_wanted("clock", &text));
            }
        }
        let metadata = self.metadata(path, root.get("metadata"), &Vec::new());
        let file: Arc<Path> = path.into();
        match root.get("steps").map(|node| (&node.value, node.line)) {
            None => {}
            Some((Value::List(steps), _)) => {
                found.steps.extend(steps.iter().filter_map(|s| self.step(&file, s, &metadata)));
            }
            Some((_, line)) => self.add(path, line, "`steps` must be a list"),
        }
        found
    }

    fn include(&mut self, from: &Path, name: &str, line: u32) -> Found {
        let path = from.parent().unwrap_or(Path::new("")).join(name);
        let again = |open: &PathBuf| open.canonicalize().ok() == path.canonicalize().ok();
        if !path.is_file() {
            self.add(from, line, format!("there is no file {} to include", path.display()));
        } else if self.open.iter().any(again) {
            self.add(from, line, format!("{name} includes itself"));
        } else if self.open.len() >= MAX_INCLUDES {
            self.add(from, line, format!("files are included more than {MAX_INCLUDES} deep"));
        } else {
            return self.read(&path);
        }
        Found::default()
    }

    fn step(&mut self, file: &Arc<Path>, node: &Node, metadata: &Metadata) -> Option<Step> {
        let entries = node.as_map().unwrap_or_default();
        let actions: Vec<&Entry> =
            entries.iter().filter(|entry| ACTIONS.contains(&entry.key.as_str())).collect();
        let [action] = actions.as_slice() else {
            let text = format!("a step must have exactly one of {}", ACTIONS.join(", "));
            self.add(file, node.line, text);
            return None;
        };
        let what = &action.value;
        let (known, action) = match action.key.as_str() {
            "call" => (&CALL_KEYS[..], self.call(file, node, what)),
            "policy" => (&["policy", "metadata", "say"][..], self.policy(file, what)),
            "wait" => (&["wait", "say"][..], self.wait(file, what)),
            "until" => (&["until", "say"][..], self.until(file, what)),
            _ => (&["restart", "say"][..], self.restart(file, what)),
        };
        self.known_keys(file, entries, known);
        let metadata = self.metadata(file, node.get("metadata"), metadata);
        let say = node.get("say").and_then(|say| self.text(file, "say", say));
        Some(Step { file: Arc::clone(file), line: node.line, metadata, say, action: action? })
    }

    fn call(&mut self, file: &Path, step: &Node, name: &Node) -> Option<Action> {
        let method = match Directory.method(&self.text(file, "call", name)?) {
            Ok(method) => method,
            Err(unknown) => {
                self.add(file, name.line, unknown.to_string());
                return None;
            }
        };
        let nothing =
            if method.is_client_streaming() { Value::List(vec![]) } else { Value::Map(vec![]) };
        let nothing = Node { line: step.line, value: nothing };
        let request = step.get("request").cloned().unwrap_or(nothing);
        if let Err(problems) = requests(&request, &method) {
            // With variables in it, values can be judged only when they are filled in.
            let variable = has_variables(&request);
            let sure = [UNKNOWN_FIELD, DUPLICATE_FIELD];
            for p in problems.into_iter().filter(|p| !variable || sure.contains(&p.reason)) {
                let path = if p.path.is_empty() { p.path } else { format!("{}: ", p.path) };
                self.add(file, p.line, format!("request: {path}{}", p.description));
            }
        }
        let expect = match (step.get("expect"), step.get("expect_error")) {
            (Some(_), Some(error)) => {
                self.add(file, error.line, "either `expect` or `expect_error`, not both");
                return None;
            }
            (Some(subset), None) => Expect::Subset(subset.clone()),
            (None, Some(failure)) => Expect::Failure(failure.clone()),
            (None, None) => Expect::Answer,
        };
        let save = self.save(file, step.get("save"));
        if let (Expect::Failure(failure), Some(save)) = (&expect, save.first()) {
            self.add(file, save.line, "nothing can be saved of a failure");
            self.error_shape(file, failure);
        } else if let Expect::Failure(failure) = &expect {
            self.error_shape(file, failure);
        }
        Some(Action::Call(Box::new(Call { method, request, save, expect })))
    }

    /// A code that does not exist would make a step that cannot pass.
    fn error_shape(&mut self, file: &Path, failure: &Node) {
        let Some(code) = failure.get("code") else {
            self.add(file, failure.line, "`expect_error` needs a `code`, such as NOT_FOUND");
            return;
        };
        let Some(text) = self.text(file, "code", code) else { return };
        if !crate::wire::code_names().any(|name| name == text) {
            let hint = near::did_you_mean(&text, crate::wire::code_names());
            self.add(file, code.line, format!("there is no status code `{text}`{hint}"));
        }
    }

    fn save(&mut self, file: &Path, node: Option<&Node>) -> Vec<Save> {
        let mut saves = Vec::new();
        for (name, path, line) in self.pairs(file, "save", node) {
            match path {
                Some(path) if yaml::path::steps(&path).is_some() => {
                    saves.push(Save { name, path, line });
                }
                _ => self.add(file, line, format!("`save`: {name} needs a path into the answer")),
            }
        }
        saves
    }

    fn metadata(&mut self, file: &Path, node: Option<&Node>, outer: &Metadata) -> Metadata {
        let mut all = outer.clone();
        for (name, value, line) in self.pairs(file, "metadata", node) {
            let name = name.to_ascii_lowercase();
            all.retain(|(outer, _)| *outer != name);
            let Some(value) = value else { continue };
            if let Err(text) = crate::wire::metadata([(name.as_str(), value.as_str())]) {
                self.add(file, line, text);
            }
            all.push((name, value));
        }
        all
    }

    /// A map of texts; None for a value that says there is nothing.
    fn pairs(
        &mut self,
        file: &Path,
        key: &str,
        node: Option<&Node>,
    ) -> Vec<(String, Option<String>, u32)> {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
        let Some(entries) = node.as_map() else {
            self.add(file, node.line, format!("`{key}` must be a map of texts"));
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for entry in entries {
            let value = if entry.value.is_null() {
                Some(None)
            } else {
                self.text(file, &entry.key, &entry.value).map(Some)
            };
            pairs.extend(value.map(|value| (entry.key.clone(), value, entry.line)));
        }
        pairs
    }

    fn policy(&mut self, file: &Path, node: &Node) -> Option<Action> {
        let Some(entries) = node.as_map() else {
            self.add(file, node.line, "`policy` needs `file` and `programme`");
            return None;
        };
        self.known_keys(file, entries, &["file", "programme"]);
        let (name, programme) = (node.get("file"), node.get("programme"));
        let (Some(name), Some(programme)) = (name, programme) else {
            self.add(file, node.line, "`policy` needs `file` and `programme`");
            return None;
        };
        Some(Action::Policy(PolicyStep {
            file: self.text(file, "file", name)?,
            programme: self.text(file, "programme", programme)?,
        }))
    }

    fn wait(&mut self, file: &Path, node: &Node) -> Option<Action> {
        let text = self.text(file, "wait", node)?;
        if !has_variables(node) && parse_wait(&text).is_none() {
            let hint = "a duration such as 61s, 30m, 24h or 1h30m";
            self.add(file, node.line, format!("`wait`: expected {hint}, came `{text}`"));
            return None;
        }
        Some(Action::Clock(ClockStep::Wait(text)))
    }

    fn until(&mut self, file: &Path, node: &Node) -> Option<Action> {
        let text = self.text(file, "until", node)?;
        if !has_variables(node) && yaml::parse_timestamp(&text).is_none() {
            self.add(file, node.line, instant_wanted("until", &text));
            return None;
        }
        Some(Action::Clock(ClockStep::Until(text)))
    }

    fn restart(&mut self, file: &Path, node: &Node) -> Option<Action> {
        match self.text(file, "restart", node)?.as_str() {
            "true" => Some(Action::Restart { drain: true }),
            "kill" => Some(Action::Restart { drain: false }),
            other => {
                let text = format!("`restart`: expected true or kill, came `{other}`");
                self.add(file, node.line, text);
                None
            }
        }
    }

    fn known_keys(&mut self, file: &Path, entries: &[Entry], known: &[&str]) {
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let hint = near::did_you_mean(&entry.key, known.iter().copied());
                let text =
                    format!("unknown key `{}`{hint} (known: {})", entry.key, known.join(", "));
                self.add(file, entry.line, text);
            }
        }
    }

    fn text(&mut self, file: &Path, key: &str, node: &Node) -> Option<String> {
        match node.as_scalar() {
            Some(scalar) if !scalar.is_null() => Some(scalar.text.clone()),
            _ => {
                self.add(file, node.line, format!("`{key}` must be a text"));
                None
            }
        }
    }
}

fn one_or_more(node: Option<&Node>) -> &[Node] {
    match node {
        None => &[],
        Some(Node { value: Value::List(items), .. }) => items,
        Some(one) => std::slice::from_ref(one),
    }
}

fn instant_wanted(key: &str, came: &str) -> String {
    format!("`{key}`: expected an instant such as 2026-03-02T10:00:00+08:00, came `{came}`")
}
