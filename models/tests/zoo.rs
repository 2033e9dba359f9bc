//! The networks of the zoo against independent implementations: logits and state dicts of `golden/make_zoo.py`, whose weights are a formula.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::formula::fill_zoo;
use serde::Deserialize;
use swath_models::{Arithmetic, Conv, Executor, Extent, Fused, Graph, Node, Op, Rank, Shape, Tensor, Weights, zoo};

/// Bands and classes of the golden cases.
const BANDS: usize = 3;
const CLASSES: usize = 4;

/// How many logits are stored of each case.
const SAMPLES: usize = 256;

/// Channels of VGG-16's classifier, and those of the golden cases.
const CLASSIFIER: usize = 4096;
const NARROW: usize = 128;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn weights(graph: &Graph) -> Weights {
    let mut weights = Weights::new();
    for spec in graph.tensors() {
        let data = fill_zoo(&spec.name, &spec.shape);
        weights.insert(spec.name, spec.shape, data);
    }
    weights
}

/// The network with a narrow classifier, if it has VGG-16's: the wide one holds nine tenths of all weights.
fn narrowed(graph: &Graph) -> Graph {
    let narrow = |node: &Node| match node.op {
        Op::Conv(conv) if conv.out_channels == CLASSIFIER => {
            Node { op: Op::Conv(Conv { out_channels: NARROW, ..conv }), ..node.clone() }
        }
        _ => node.clone(),
    };
    let nodes = graph.nodes().iter().map(narrow).collect();
    Graph::new(graph.name().into(), graph.rank(), nodes, graph.output(), graph.fixed_extent()).unwrap()
}

/// From `64x96` or `16x64x96`.
fn extent(text: &str) -> Extent {
    let sides: Vec<usize> = text.split('x').map(|side| side.parse().unwrap()).collect();
    match sides[..] {
        [y, x] => Extent::planar(y, x),
        [z, y, x] => Extent { z, y, x },
        _ => panic!("expected two or three sides, got {text}"),
    }
}

/// `SWATH_ZOO=segnet,unet_3d` checks these alone; `--nocapture` shows the table.
#[test]
fn logits_are_those_of_independent_implementations() {
    let golden = Weights::read(&golden().join("zoo.safetensors")).unwrap();
    let only = std::env::var("SWATH_ZOO").ok();
    let mut cases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for spec in golden.specs() {
        let (name, size) = spec.name.split_once('.').unwrap();
        cases.entry(name.into()).or_default().push(size.into());
    }
    println!("| network | input | largest logit | max difference | relative |\n|---|---|---|---|---|");
    for network in zoo::networks() {
        if only.as_ref().is_some_and(|only| !only.split(',').any(|name| name == network.name)) {
            continue;
        }
        let sizes = cases.get(network.name).unwrap_or_else(|| panic!("{}: no golden values", network.name));
        assert_eq!(sizes.len(), 2, "{}: {sizes:?}", network.name);
        let graph = narrowed(&network.build(BANDS, CLASSES).unwrap());
        let executor = Fused::new(graph.clone(), &weights(&graph), Arithmetic::default()).unwrap();
        for size in sizes {
            let input = Shape { channels: BANDS, extent: extent(size) };
            let sides = [input.extent.z, input.extent.y, input.extent.x];
            let sides = if graph.rank() == Rank::Planar { &sides[1..] } else { &sides[..] };
            let data = fill_zoo("input", &[&[1, BANDS], sides].concat());
            let logits = executor.run(Tensor::new(input, data).unwrap()).unwrap();
            let theirs = golden.get(&format!("{}.{size}", network.name)).unwrap();
            let count = logits.data().len();
            let ours: Vec<f32> = (0..SAMPLES).map(|k| logits.data()[k * 2_654_435_761 % count]).collect();
            let largest = theirs.iter().fold(0.0, |largest: f32, v| largest.max(v.abs()));
            let difference = ours.iter().zip(theirs).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
            let relative = difference / largest;
            println!("| `{}` | {size} | {largest:.3e} | {difference:.1e} | {relative:.1e} |", network.name);
            assert!(relative <= 1e-4, "{} of {size}: {relative}", network.name);
        }
    }
}

/// What a state dict is, as zoo.json has it.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct StateDict {
    tensors: usize,
    values: usize,
    hash: String,
}

#[test]
fn state_dicts_are_those_of_independent_implementations() {
    let text = std::fs::read_to_string(golden().join("zoo.json")).unwrap();
    let theirs: BTreeMap<String, StateDict> = serde_json::from_str(&text).unwrap();
    let expected: BTreeSet<&str> = zoo::names().into_iter().collect();
    assert_eq!(theirs.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    for (name, theirs) in theirs {
        let graph = zoo::build(&name, BANDS, CLASSES).unwrap();
        let mut lines: Vec<String> = graph
            .tensors()
            .into_iter()
            .map(|spec| {
                let axes: Vec<String> = spec.shape.iter().map(usize::to_string).collect();
                format!("{} {}\n", spec.name, axes.join(" "))
            })
            .collect();
        lines.sort();
        let hash = lines
            .concat()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let ours = StateDict { tensors: lines.len(), values: graph.parameters(), hash: format!("{hash:016x}") };
        assert_eq!(ours, theirs, "{name}; ours:\n{}", lines.concat());
    }
}
