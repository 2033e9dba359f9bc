//! What tells one run from another.

use serde_json::{Map, Value};

/// What differs between two runs: "model", "options: tile 512 -> 1024"; empty if nothing does.
///
/// An identity is an object of groups. Of `options` each value is named, of the others that they differ.
pub(crate) fn difference(old: &Value, new: &Value) -> String {
    let empty = Map::new();
    let group = |identity: &Value, name: &str| identity.get(name).cloned().unwrap_or_default();
    let names = |identity: &Value| identity.as_object().unwrap_or(&empty).keys().cloned().collect::<Vec<_>>();
    let mut parts = Vec::new();
    for name in all(names(old), names(new)) {
        let [old, new] = [old, new].map(|identity| group(identity, &name));
        if old == new {
            continue;
        }
        if name != "options" {
            parts.push(name);
            continue;
        }
        let changed = |key: &String| {
            let [old, new] = [&old, &new].map(|options| options.get(key).unwrap_or(&Value::Null));
            (old != new).then(|| format!("{key} {} -> {}", shown(old), shown(new)))
        };
        let changes: Vec<String> = all(names(&old), names(&new)).iter().filter_map(changed).collect();
        parts.push(format!("options: {}", changes.join(", ")));
    }
    parts.join("; ")
}

/// All names, each once.
fn all(mut names: Vec<String>, more: Vec<String>) -> Vec<String> {
    names.extend(more);
    names.sort();
    names.dedup();
    names
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named() {
        let old = json!({ "model": "a", "scene": 1, "options": { "tile": 512, "blend": "hann", "bands": [1, 2] } });
        assert_eq!(difference(&old, &old), "");
        let new = json!({ "model": "b", "scene": 1, "options": { "tile": 1024, "blend": "hann", "bands": [2, 1], "window": "0,0,5,5" } });
        assert_eq!(difference(&old, &new), "model; options: bands 1,2 -> 2,1, tile 512 -> 1024, window none -> 0,0,5,5");
    }
}
