//! What the labels of a scene depend on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Everything that the labels of a scene depend on: the model, what the scene is read from, and what the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(Map<String, Value>);

impl Identity {
    /// Of named parts.
    #[must_use]
    pub fn new(parts: Map<String, Value>) -> Self {
        Self(parts)
    }

    /// The first part, in alphabetical order, in which `other` differs: its name, this value and the other one. Parts of parts are named with a dot.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        difference("", &Value::Object(self.0.clone()), &Value::Object(other.0.clone()))
    }
}

/// A part in which two identities differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which part: "model", "options.tile".
    pub part: String,
    /// Its value in the first one.
    pub first: String,
    /// Its value in the second one.
    pub second: String,
}

fn difference(name: &str, first: &Value, second: &Value) -> Option<Difference> {
    if let (Value::Object(a), Value::Object(b)) = (first, second) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        let part = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        let value = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
        return keys.into_iter().find_map(|key| difference(&part(key), &value(a, key), &value(b, key)));
    }
    (first != second).then(|| Difference { part: name.to_owned(), first: first.to_string(), second: second.to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity(value: Value) -> Identity {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_part_that_differs_is_named() {
        let first = identity(json!({ "model": "a", "options": { "tile": 512, "blend": "hann" } }));
        assert_eq!(first.difference(&first.clone()), None);
        let second = identity(json!({ "model": "a", "options": { "tile": 1024, "blend": "hann" } }));
        let found = first.difference(&second).unwrap();
        assert_eq!((found.part.as_str(), found.first.as_str(), found.second.as_str()), ("options.tile", "512", "1024"));
        let lacking = identity(json!({ "model": "a", "options": { "tile": 512 } }));
        assert_eq!(first.difference(&lacking).unwrap().part, "options.blend");
    }
}
