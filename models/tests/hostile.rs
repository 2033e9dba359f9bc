//! Graph files that hold anything: an error, never a panic or an endless loop.
#![expect(clippy::unwrap_used, reason = "a test may")]

use proptest::prelude::*;
use serde_json::{Value, json};
use swath_models::{Extent, Graph};

/// A graph with every operator that has numbers, labelling every pixel, for one input extent or for any.
fn base(is_fixed: bool) -> Value {
    let plane = |n: usize| json!({ "z": 1, "y": n, "x": n });
    let pads = |n: usize| json!({ "z": { "before": 0, "after": 0 }, "y": { "before": n, "after": n }, "x": { "before": n, "after": n } });
    let conv = |name: &str, stride: usize, input: usize| {
        json!({ "name": name, "op": "conv", "out_channels": 4, "kernel": plane(3), "stride": plane(stride), "padding": pads(1),
            "dilation": plane(1), "groups": 1, "bias": true, "inputs": [input] })
    };
    let pool = |name: &str, kind: &str, kernel: usize, input: usize| json!({ "name": name, "op": "pool", "kind": kind, "kernel": plane(kernel), "stride": plane(2), "padding": pads(0), "inputs": [input] });
    let resize = |name: &str, to: Value, inputs: &[usize]| json!({ "name": name, "op": "resize", "interpolation": "linear", "coordinates": "half_pixel", "to": to, "inputs": inputs });
    let last = if is_fixed {
        json!({ "to": "extent", "extent": plane(32) })
    } else {
        json!({ "to": "factor", "factor": { "z": 1.0, "y": 4.0, "x": 4.0 } })
    };
    json!({ "name": "base", "fixed_extent": if is_fixed { plane(32) } else { Value::Null }, "rank": "planar", "output": 12, "nodes": [
        { "name": "input", "op": "input", "channels": 4, "inputs": [] },
        conv("a", 1, 0),
        pool("b", "max", 2, 1),
        pool("c", "average_inside", 2, 2),
        { "name": "d", "op": "conv_transpose", "out_channels": 4, "kernel": plane(2), "stride": plane(2), "padding": pads(0),
            "output_padding": { "z": 0, "y": 0, "x": 0 }, "dilation": plane(1), "groups": 2, "bias": true, "inputs": [3] },
        resize("e", json!({ "to": "factor", "factor": { "z": 1.0, "y": 2.0, "x": 2.0 } }), &[4]),
        { "name": "f", "op": "concat", "inputs": [1, 5] },
        { "name": "g", "op": "channels", "start": 1, "count": 4, "inputs": [6] },
        { "name": "h", "op": "pad", "padding": pads(2), "fill": { "fill": "reflect" }, "inputs": [7] },
        pool("i", "average_with_padding", 5, 8),
        conv("j", 2, 9),
        resize("k", last, &[10]),
        resize("l", json!({ "to": "like" }), &[11, 0]),
    ] })
}

/// Where the numbers of a file are, as JSON pointers.
fn numbers(at: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(at.into()),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| numbers(&format!("{at}/{index}"), value, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| numbers(&format!("{at}/{key}"), value, found)),
        _ => {}
    }
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (0..40u64).prop_map(Value::from),
        4 => (0..64u32, 0..3u64).prop_map(|(power, less)| Value::from((1u64 << power).wrapping_sub(less))),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
    ]
}

/// All that looks at a graph before it runs.
fn look(graph: &Value) {
    let Ok(graph) = serde_json::from_str::<Graph>(&graph.to_string()) else { return };
    let _ = graph.geometry();
    for extent in [Extent::planar(64, 64), Extent::planar(1 << 16, 1 << 20), Extent { z: usize::MAX, y: usize::MAX, x: 3 }] {
        let _ = (graph.shapes(extent), graph.cost(extent));
    }
    if let Some(extent) = graph.fixed_extent() {
        let _ = (graph.shapes(extent), graph.cost(extent));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn numbers_of_any_size_do_not_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), number()), 1..6),
        is_fixed: bool,
    ) {
        let mut graph = base(is_fixed);
        let mut places = Vec::new();
        numbers("", &graph, &mut places);
        for (place, value) in changes {
            *graph.pointer_mut(place.get(places.as_slice()).as_str()).unwrap() = value;
        }
        look(&graph);
    }
}

/// The message for nodes after an input, each reading the one before it (twice where `op` says so).
fn refusal(nodes: Vec<Value>) -> String {
    let output = nodes.len();
    let mut all = vec![json!({ "name": "input", "op": "input", "channels": 1, "inputs": [] })];
    for (index, mut node) in nodes.into_iter().enumerate() {
        node["name"] = format!("n{index}").into();
        node["inputs"] = if node["op"] == "concat" { json!([index, index]) } else { json!([index]) };
        all.push(node);
    }
    let file = json!({ "name": "hostile", "rank": "planar", "output": output, "nodes": all });
    let result = serde_json::from_str::<Graph>(&file.to_string());
    result.map_err(|e| e.to_string()).and_then(|graph| graph.geometry().map_err(|e| e.to_string())).unwrap_err()
}

#[test]
fn the_graph_that_is_changed_is_sound() {
    for is_fixed in [false, true] {
        let graph: Graph = serde_json::from_str(&base(is_fixed).to_string()).unwrap();
        assert!(graph.geometry().unwrap().halo().is_some(), "{is_fixed}");
        graph.cost(Extent::planar(32, 32)).unwrap();
    }
}

#[test]
fn what_would_overflow_names_the_node() {
    let doubled = refusal(vec![json!({ "op": "concat" }); 66]);
    assert_eq!(doubled, "node `n24`: expected at most 16777216 channels, got 33554432");
    let wide = json!({ "z": 1, "y": 65536, "x": 65536 });
    let none = json!({ "before": 0, "after": 0 });
    let padding = json!({ "z": none, "y": none, "x": none });
    let pool = json!({ "op": "pool", "kind": "max", "kernel": wide, "stride": wide, "padding": padding });
    let pooled = refusal(vec![pool; 4]);
    assert!(pooled.starts_with("node `n1`: expected positions per input pixel as a simple fraction"), "{pooled}");
    let one = json!({ "z": 1, "y": 1, "x": 1 });
    let cut = json!({ "z": 0, "y": u64::MAX, "x": 0 });
    let transposed =
        refusal(vec![json!({ "op": "conv_transpose", "out_channels": 1, "kernel": one, "stride": one, "padding": padding,
        "output_padding": cut, "dilation": one, "groups": 1, "bias": false })]);
    assert!(transposed.contains("an output padding of 18446744073709551615"), "{transposed}");
}
