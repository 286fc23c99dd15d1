//! How large a policy may be. Compiling compares what stands side by side, so
//! bounds on each list keep the work small that anybody can ask for. Looked at
//! before anything else, over the schema as a whole: a construct that is added
//! to it is bounded without a line here.

use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::{
    diff::POLICY,
    path::Path,
    problem::{PolicyReason::TooLarge, Problem},
};
use crate::{domain::template::MOST_FACTS, proto::v1};

/// Most bytes of a policy, as it is encoded.
pub const MOST_BYTES: usize = 256 * 1024;
/// Most entries of lists and maps, by the name of their field.
pub const MOST_ENTRIES: [(&str, usize); 14] = [
    ("facts", MOST_FACTS),
    ("measures", 50),
    ("conditions", 200),
    ("limits", 100),
    ("draws", 16),
    ("timers", 50),
    ("alerts", 50),
    ("variants", 32),
    ("sources", 32),
    ("all", 100),
    ("any", 100),
    ("none", 100),
    ("values", 1000),
    ("tiers", 100),
];
/// Most entries of every other list or map: languages of a text, facts of a
/// scope, stages, roles, states, …
pub const MOST_OTHERS: usize = 16;
/// Most comparisons and branches of one condition.
pub const MOST_NODES: usize = 200;
/// Most comparisons and branches of a policy.
pub const MOST_NODES_IN_ALL: usize = 2000;
/// Longest text for merchants, in bytes.
pub const LONGEST_TEXT: usize = 4096;
/// Longest of every other text (ids, names, keys, values, zones, …), in bytes.
pub const LONGEST_WORD: usize = 1024;

/// Problems after which no more are looked for.
const ENOUGH: usize = 24;

/// Where a policy is too large.
pub fn exceeded(policy: &v1::Policy) -> Vec<Problem> {
    let bytes = policy.encoded_len();
    if bytes > MOST_BYTES {
        let text = format!("has {bytes} bytes as it is encoded; at most {MOST_BYTES}");
        return vec![Problem { field: "policy".to_owned(), reason: TooLarge, description: text }];
    }
    let encoded = policy.encode_to_vec();
    let Ok(message) = DynamicMessage::decode(POLICY.clone(), encoded.as_slice()) else {
        // What was encoded just now can be decoded.
        return Vec::new();
    };
    let mut walk = Walk::default();
    walk.message(&Path::default(), &message);
    walk.too_many("policy", walk.nodes_in_all, MOST_NODES_IN_ALL, "comparisons and branches");
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Vec<Problem>,
    /// Nodes of the condition at hand.
    nodes: usize,
    nodes_in_all: usize,
    /// How many conditions the walk is inside of.
    inside: usize,
}

impl Walk {
    fn too_many(&mut self, at: impl ToString, has: usize, most: usize, what: &str) {
        if has > most {
            let description = format!("has {has} {what}; at most {most}");
            self.found.push(Problem { field: at.to_string(), reason: TooLarge, description });
        }
    }

    fn message(&mut self, at: &Path, message: &DynamicMessage) {
        if self.found.len() >= ENOUGH {
            return;
        }
        if message.descriptor().name() != "Predicate" {
            return self.fields(at, message);
        }
        if self.inside == 0 {
            self.nodes = 0;
        }
        self.inside += 1;
        self.nodes += 1;
        self.nodes_in_all += 1;
        self.fields(at, message);
        self.inside -= 1;
        if self.inside == 0 {
            self.too_many(at, self.nodes, MOST_NODES, "comparisons and branches");
        }
    }

    fn fields(&mut self, at: &Path, message: &DynamicMessage) {
        for (field, value) in message.fields() {
            let at = at.field(field.name());
            match value {
                Value::List(list) => {
                    self.too_many(&at, list.len(), most(field.name()), "entries");
                    for (position, value) in list.iter().take(most(field.name())).enumerate() {
                        self.value(&at.at(position), value, LONGEST_WORD);
                    }
                }
                Value::Map(map) => {
                    self.too_many(&at, map.len(), most(field.name()), "entries");
                    for (key, value) in map.iter().take(most(field.name())) {
                        let key = key.as_str().unwrap_or_default();
                        let at = at.key(shown(key));
                        self.too_many(&at, key.len(), LONGEST_WORD, "bytes in its key");
                        self.value(&at, value, LONGEST_TEXT);
                    }
                }
                value => self.value(&at, value, LONGEST_WORD),
            }
        }
    }

    fn value(&mut self, at: &Path, value: &Value, longest: usize) {
        match value {
            Value::String(text) => self.too_many(at, text.len(), longest, "bytes"),
            Value::Message(message) => self.message(at, message),
            _ => {}
        }
    }
}

fn most(field: &str) -> usize {
    let named = MOST_ENTRIES.iter().find(|(name, _)| *name == field);
    named.map_or(MOST_OTHERS, |(_, most)| *most)
}

/// A key's beginning: keys are as long as the author likes, paths are not.
fn shown(key: &str) -> &str {
    key.char_indices().nth(40).map_or(key, |(end, _)| key.get(..end).unwrap_or_default())
}
