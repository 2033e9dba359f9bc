//! A file from its first byte to the finished graph.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

use prost::Message;

use super::budget::Budget;
use super::call::Call;
use super::constant::Constant;
use super::draft::Draft;
use super::folder::Folder;
use super::layout::Layout;
use super::operators;
use super::proto::{ElementType, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::value::{Feature, Value};
use crate::{Axes, Error, Extent, Graph, NodeId, Rank, Result, Weights};

/// The oldest version of ONNX's operators that is read: before it, broadcasting was written otherwise.
const OLDEST_OPSET: i64 = 7;

/// A network read from an ONNX file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, named after the file.
    pub graph: Graph,
    /// Exactly the tensors that the graph needs.
    pub weights: Weights,
    /// What the file calls its input.
    pub input_name: String,
    /// What the file calls the output that was read.
    pub output_name: String,
    /// The file's `metadata_props`, as they are.
    pub metadata: BTreeMap<String, String>,
}

/// Reads an ONNX file. `head` names the output to keep if there are several; only what it needs is read.
///
/// Values stored beside the file are read if they are in its folder. A fixed height and width of the input become
/// [`Graph::fixed_extent`]; a batch must be free or 1.
///
/// # Errors
/// If the file cannot be read, is empty or damaged, or holds something that a graph cannot express exactly: the error names the node or
/// tensor and the reason. With several outputs and no `head`, it lists them.
pub fn read(path: &Path, head: Option<&str>) -> Result<Imported> {
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    read_model(&decode(&bytes, path)?, path, head)
}

/// As [`read`], from a file's bytes; errors call it `name`, and so is the network called. Values beside the file are looked for in the folder of `name`.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8], name: &Path, head: Option<&str>) -> Result<Imported> {
    read_model(&decode(bytes, name)?, name, head)
}

fn decode(bytes: &[u8], path: &Path) -> Result<ModelProto> {
    if bytes.is_empty() {
        return Err(Error::Empty { path: path.into() });
    }
    ModelProto::decode(bytes).map_err(|source| Error::Protobuf { path: path.into(), source })
}

fn read_model(model: &ModelProto, path: &Path, head: Option<&str>) -> Result<Imported> {
    let Some(graph) = &model.graph else {
        return Err(unsuitable("the file holds no graph"));
    };
    let opset = opset(model)?;
    let output = choose_output(graph, head)?;
    let needed = Needed::of(graph, output);
    let input = choose_input(graph, &needed)?;
    let signature = Signature::read(graph, input)?;
    let folder = &Folder::new(path.parent().unwrap_or(Path::new("")));
    let budget = &Budget::new(model.encoded_len(), folder);

    let mut draft = Draft::new(signature.rank, &input.name, signature.channels, signature.fixed_extent)?;
    let mut values = constants(graph, &needed, folder)?;
    values.insert(&input.name, Feature { node: NodeId(0), layout: signature.layout }.into());
    for (index, node) in graph.node.iter().enumerate().filter(|(index, _)| needed.nodes[*index]) {
        let wanted = node.output.iter().map(|o| needed.names.contains(o.as_str())).collect();
        let call = Call { node, index, opset, folder, budget, inputs: inputs(node, &values)?, wanted };
        let results = operators::apply(&call, &mut draft)?;
        for (place, name) in node.output.iter().enumerate().filter(|(place, _)| call.wanted[*place]) {
            let value =
                results.get(place).cloned().flatten().ok_or_else(|| call.refuse(format!("output {place} is not supported")))?;
            values.insert(name, value);
        }
    }
    let Some(Value::Feature(scores)) = values.get(output) else {
        return Err(unsuitable(format!("output `{output}` does not depend on the input")));
    };
    if !scores.layout.is_image(signature.rank) {
        return Err(unsuitable(format!("output `{output}` has its axes as {}", scores.layout)));
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (graph, weights) = draft.finish(name, scores.node)?;
    let metadata = model.metadata_props.iter().map(|e| (e.key.clone(), e.value.clone())).collect();
    Ok(Imported { graph, weights, input_name: input.name.clone(), output_name: output.into(), metadata })
}

fn unsuitable(reason: impl Into<String>) -> Error {
    Error::Unsuitable { reason: reason.into() }
}

fn opset(model: &ModelProto) -> Result<i64> {
    let own = model.opset_import.iter().find(|o| matches!(o.domain.as_str(), "" | "ai.onnx"));
    let version = own.ok_or_else(|| unsuitable("the file does not say which version of ONNX's operators it uses"))?.version;
    if version >= OLDEST_OPSET {
        return Ok(version);
    }
    Err(unsuitable(format!("expected version {OLDEST_OPSET} of ONNX's operators or later, got {version}")))
}

fn choose_output<'f>(graph: &'f GraphProto, head: Option<&str>) -> Result<&'f str> {
    let names: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    let listed = || names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    match (head, names.as_slice()) {
        (_, []) => Err(unsuitable("the graph has no output")),
        (None, [one]) => Ok(one),
        (None, _) => Err(unsuitable(format!("expected one output or the name of one, got {}", listed()))),
        (Some(head), _) => names
            .iter()
            .find(|n| **n == head)
            .copied()
            .ok_or_else(|| unsuitable(format!("no output is called `{head}`: expected one of {}", listed()))),
    }
}

/// What the output needs.
struct Needed<'f> {
    names: HashSet<&'f str>,
    /// For each node of the file.
    nodes: Vec<bool>,
}

impl<'f> Needed<'f> {
    /// Nodes stand after those that they read, so one pass from the end finds all.
    fn of(graph: &'f GraphProto, output: &'f str) -> Self {
        let mut names = HashSet::from([output]);
        let mut nodes = vec![false; graph.node.len()];
        for (needed, node) in nodes.iter_mut().zip(&graph.node).rev() {
            *needed = node.output.iter().any(|o| names.contains(o.as_str()));
            if *needed {
                names.extend(node.input.iter().filter(|i| !i.is_empty()).map(String::as_str));
            }
        }
        Self { names, nodes }
    }
}

/// The one input that is needed; old files list their constants among the inputs.
fn choose_input<'f>(graph: &'f GraphProto, needed: &Needed<'_>) -> Result<&'f ValueInfoProto> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let fed = |i: &&ValueInfoProto| needed.names.contains(i.name.as_str()) && !constants.contains(i.name.as_str());
    let inputs: Vec<&ValueInfoProto> = graph.input.iter().filter(fed).collect();
    match inputs.as_slice() {
        [input] => Ok(input),
        [] => Err(unsuitable("the output does not depend on an input")),
        _ => {
            let names: Vec<String> = inputs.iter().map(|i| format!("`{}`", i.name)).collect();
            Err(unsuitable(format!("expected one input, got {}", names.join(", "))))
        }
    }
}

fn constants<'f>(graph: &'f GraphProto, needed: &Needed<'_>, folder: &Folder<'_>) -> Result<HashMap<&'f str, Value>> {
    let tensors = graph.initializer.iter().filter(|t| needed.names.contains(t.name.as_str()));
    tensors.map(|t| Ok((t.name.as_str(), Value::Constant(Rc::new(Constant::decode(t, folder)?))))).collect()
}

fn inputs(node: &NodeProto, values: &HashMap<&str, Value>) -> Result<Vec<Option<Value>>> {
    let value = |name: &String| match name.as_str() {
        "" => Ok(None),
        name => values.get(name).cloned().map(Some).ok_or_else(|| unsuitable(format!("`{name}` is used before it is computed"))),
    };
    node.input.iter().map(value).collect()
}

/// What the input looks like.
struct Signature {
    rank: Rank,
    channels: usize,
    fixed_extent: Option<Extent>,
    layout: Layout,
}

impl Signature {
    fn read(graph: &GraphProto, input: &ValueInfoProto) -> Result<Self> {
        let fail = |what: String| unsuitable(format!("input `{}`: {what}", input.name));
        let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let Some((tensor, shape)) = tensor.and_then(|t| Some((t, t.shape.as_ref()?))) else {
            return Err(fail("expected a tensor of known number of axes".into()));
        };
        if !ElementType::from_code(tensor.elem_type).is_some_and(ElementType::is_real) {
            return Err(fail(format!("expected floating-point values, got ONNX type {}", tensor.elem_type)));
        }
        let dims: Vec<Option<usize>> = shape.dim.iter().map(|d| usize::try_from(d.dim_value).ok().filter(|d| *d > 0)).collect();
        let rank = match dims.len() {
            4 => Rank::Planar,
            5 => Rank::Volumetric,
            axes => return Err(fail(format!("expected 4 axes (an image) or 5 (a volume), got {axes}"))),
        };
        if let Some(batch @ 2..) = dims[0] {
            return Err(fail(format!("expected a batch that is free or 1, got {batch}")));
        }
        let last = dims.len() - 1;
        let (layout, channels, space) = if dims[1].is_none() || is_channels_last(graph, &input.name, last) {
            (Layout::channels_last(rank), dims[last], &dims[1..last])
        } else {
            (Layout::channels_first(rank), dims[1], &dims[2..])
        };
        let channels = channels.ok_or_else(|| fail("expected a fixed number of channels".into()))?;
        let fixed_extent = match *space {
            [Some(y), Some(x)] => Some(Axes { z: 1, y, x }),
            [Some(z), Some(y), Some(x)] => Some(Axes { z, y, x }),
            _ if space.iter().all(Option::is_none) => None,
            _ => return Err(fail(format!("expected all spatial axes to be free, or none, got {space:?}"))),
        };
        Ok(Self { rank, channels, fixed_extent, layout })
    }
}

/// Whether the first thing that happens to the input, but for arithmetic on its values, is that its last axis becomes the second.
fn is_channels_last(graph: &GraphProto, input: &str, last: usize) -> bool {
    let mut names = HashSet::from([input]);
    for node in graph.node.iter().filter(|n| n.op_type != "Shape") {
        if !node.input.iter().any(|i| names.contains(i.as_str())) {
            continue;
        }
        match node.op_type.as_str() {
            "Transpose" => {
                let perm = node.attribute.iter().find(|a| a.name == "perm");
                return perm.is_some_and(|a| a.ints.get(1) == Some(&(last as i64)) && a.ints.get(2) == Some(&1));
            }
            "Add" | "Cast" | "Clip" | "Div" | "Identity" | "Mul" | "Sub" => names.extend(node.output.iter().map(String::as_str)),
            _ => return false,
        }
    }
    false
}
