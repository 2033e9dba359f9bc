//! The cases of `golden/make_operators.py` (PyTorch; for some resizings onnxruntime).

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use swath_models::{Builder, Extent, Graph, NodeId, Op, Rank, Result, Shape, Tensor, Weights};

/// One operator, what it is given and what it has to give.
pub struct Case {
    pub name: String,
    pub rank: Rank,
    pub op: Op,
    /// Of an operator of two inputs, how one of them is made of the case's.
    pub before: Option<Before>,
    pub input: Tensor,
    /// The operator's own tensors, by the names that they have in [`Case::graph`].
    pub tensors: Weights,
    pub output: Tensor,
}

/// An operator before the one that a case is about.
#[derive(Clone)]
pub struct Before {
    op: Op,
    inputs: [Source; 2],
}

/// What an operator of two inputs is given.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Source {
    Input,
    Before,
}

/// A case as operators.json has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    rank: Rank,
    op: Op,
    before: Option<Op>,
    inputs: Option<[Source; 2]>,
}

impl Case {
    /// A network of the operator alone, named after the case; it takes only the case's input extent.
    pub fn graph(&self) -> Result<Graph> {
        let mut builder = Builder::new(&self.name, self.rank, self.input.shape().channels);
        let input = builder.input();
        let output = self.push(&mut builder, input);
        let graph = builder.build(output)?;
        let extent = Some(self.input.shape().extent);
        Graph::new(self.name.clone(), self.rank, graph.nodes().to_vec(), output, extent)
    }

    /// Adds the operator, and what makes its other input, to what reads `input`.
    pub fn push(&self, builder: &mut Builder, input: NodeId) -> NodeId {
        let inputs = self.before.as_ref().map_or(vec![input], |before| {
            let made = builder.push("made", before.op.clone(), vec![input]).node();
            before.inputs.map(|source| if source == Source::Input { input } else { made }).to_vec()
        });
        builder.push(&self.name, self.op.clone(), inputs).node()
    }
}

pub fn cases() -> Vec<Case> {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let json = fs::read_to_string(golden.join("operators.json")).unwrap();
    let entries: Vec<Entry> = serde_json::from_str(&json).unwrap();
    let all = Weights::read(&golden.join("operators.safetensors")).unwrap();
    entries
        .into_iter()
        .map(|Entry { name, rank, op, before, inputs }| {
            let before = before.zip(inputs).map(|(op, inputs)| Before { op, inputs });
            let (mut input, mut output, mut tensors) = (None, None, Weights::new());
            for spec in all.specs().filter(|s| s.name.rsplit_once('.').is_some_and(|(case, _)| case == name)) {
                let data = all.get(&spec.name).unwrap().to_vec();
                match spec.name.rsplit('.').next() {
                    Some("input") => input = Some(tensor(&spec.shape, data)),
                    Some("output") => output = Some(tensor(&spec.shape, data)),
                    _ => tensors.insert(spec.name, spec.shape, data),
                }
            }
            Case { input: input.expect(&name), output: output.expect(&name), name, rank, op, before, tensors }
        })
        .collect()
}

/// From `(channels, [depth,] height, width)`.
fn tensor(shape: &[usize], data: Vec<f32>) -> Tensor {
    let shape = match *shape {
        [channels, y, x] => Shape::planar(channels, y, x),
        [channels, z, y, x] => Shape { channels, extent: Extent { z, y, x } },
        _ => panic!("expected 3 or 4 axes, got {shape:?}"),
    };
    Tensor::new(shape, data).unwrap()
}
