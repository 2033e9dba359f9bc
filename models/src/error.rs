//! What can go wrong with a model.

use std::path::{Path, PathBuf};

use crate::Shape;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a model. Each variant names the file, node, tensor or field.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Axes that are not depth, height and width once each.
    #[error("expected each of the axes 0, 1 and 2 once, got {got:?}")]
    Axes {
        /// The axes given.
        got: [usize; 3],
    },
    /// A file that should be there is empty.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A JSON file is not what it should be.
    #[error("cannot parse {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A safetensors file is damaged.
    #[error("cannot parse {} as safetensors", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// An ONNX file is damaged.
    #[error("cannot parse {} as ONNX", path.display())]
    Protobuf {
        /// The file.
        path: PathBuf,
        /// Why.
        source: prost::DecodeError,
    },
    /// A file of weights is damaged, or holds what is not supported.
    #[error("cannot parse {} as {format}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should be.
        format: &'static str,
        /// Why not, lower case.
        reason: String,
    },
    /// A pickle names something that is neither a tensor nor a plain container. Nothing of it was run.
    #[error("{}: expected tensors and plain containers, got `{name}`, which is not run", path.display())]
    Global {
        /// The file.
        path: PathBuf,
        /// Module and name.
        name: String,
    },
    /// A file is not one that weights or networks are read from.
    #[error("{}: expected {expected}, got {got}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Which files are read.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// The network's first convolution takes other bands than the file's.
    #[error("tensor `{tensor}`: expected weights for {expected} bands, got {got}")]
    Bands {
        /// The tensor's name.
        tensor: String,
        /// The network's bands.
        expected: usize,
        /// The file's.
        got: usize,
    },
    /// Two tensors of a file would have the same name in the network.
    #[error("tensors `{first}` and `{second}` of the file are both `{tensor}` of the network")]
    SameTensor {
        /// One of them.
        first: String,
        /// The other one.
        second: String,
        /// The name in the network.
        tensor: String,
    },
    /// An ONNX operator that Swath does not know.
    #[error("node `{node}`: operator {operator} is not supported")]
    UnsupportedOperator {
        /// The node's name in the file.
        node: String,
        /// Its operator, with the domain if it is not ONNX's own.
        operator: String,
    },
    /// A known operator used in a way that Swath does not support.
    #[error("node `{node}` ({operator}): {reason}")]
    UnsupportedUse {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// What is not supported, lower case.
        reason: String,
    },
    /// The file as a whole is not a network that Swath can run.
    #[error("not a network that labels every pixel: {reason}")]
    Unsuitable {
        /// Why, lower case.
        reason: String,
    },
    /// A node does not fit its inputs.
    #[error("node `{node}`: expected {expected}, got {got}")]
    Node {
        /// The node's name.
        node: String,
        /// What it needs.
        expected: String,
        /// What it was given.
        got: String,
    },
    /// Something is wrong with the tensors of a file.
    #[error("cannot use the tensors of {}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Which tensor, and what is wrong with it.
        source: Box<Error>,
    },
    /// The weights lack a tensor.
    #[error("tensor `{tensor}` is missing from the weights")]
    MissingTensor {
        /// The tensor's name.
        tensor: String,
    },
    /// A tensor has another shape than the graph says.
    #[error("tensor `{tensor}`: expected shape {expected:?}, got {got:?}")]
    TensorShape {
        /// The tensor's name.
        tensor: String,
        /// What the graph needs.
        expected: Vec<usize>,
        /// What the file holds.
        got: Vec<usize>,
    },
    /// A tensor has a type that is not supported.
    #[error("tensor `{tensor}`: expected F32, F16, BF16 or F64, got {got}")]
    TensorType {
        /// The tensor's name.
        tensor: String,
        /// What the file holds.
        got: String,
    },
    /// A tensor holds NaN or infinity.
    #[error("tensor `{tensor}` holds {value} at element {index}")]
    TensorValue {
        /// The tensor's name.
        tensor: String,
        /// The first bad value.
        value: f32,
        /// Where, in C order.
        index: usize,
    },
    /// The weights hold tensors that the graph does not use.
    #[error("the weights hold tensors that the graph does not use: {}", .tensors.join(", "))]
    UnusedTensors {
        /// Their names.
        tensors: Vec<String>,
    },
    /// A number of values that is not that of the shape.
    #[error("expected {expected} values for shape {shape}, got {got}")]
    Length {
        /// The shape.
        shape: Shape,
        /// How many values it has.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// A field of the model card is missing, wrong, or disagrees with the graph.
    #[error("model card {}: `{field}`: expected {expected}, got {got}", path.display())]
    Card {
        /// The card.
        path: PathBuf,
        /// The field.
        field: String,
        /// What it should say.
        expected: String,
        /// What it says.
        got: String,
    },
    /// The result of a node could not be computed.
    #[error("node `{node}` failed")]
    Execution {
        /// The node's name.
        node: String,
        /// Why.
        source: candle_core::Error,
    },
    /// A device cannot be used.
    #[error("cannot compute on {device}")]
    Device {
        /// The device.
        device: String,
        /// Why.
        source: candle_core::Error,
    },
    /// An instruction set was asked for that the processor lacks.
    #[error("cannot compute on this processor: {reason}")]
    Processor {
        /// Why, lower case.
        reason: String,
    },
    /// A precision is asked for that the processor does not compute in.
    #[error("expected a precision of f32 or bf16 on the processor, got {precision}")]
    Precision {
        /// The one asked for.
        precision: &'static str,
    },
    /// CUDA cannot be used here.
    #[error("cannot compute on CUDA: {missing}")]
    NoCuda {
        /// What is missing, and where it was looked for; lower case.
        missing: String,
    },
    /// A graphics processor does not do as it is asked.
    #[error("CUDA device {device} cannot {action}: {reason}")]
    Cuda {
        /// Which one, from 0 on.
        device: usize,
        /// What it was asked to do.
        action: String,
        /// What the library says.
        reason: String,
    },
    /// The golden input does not give the golden output.
    #[error("golden output of {}: largest difference {difference:e} is above {tolerance:e}", path.display())]
    Golden {
        /// The file with input and output.
        path: PathBuf,
        /// The largest absolute difference found.
        difference: f32,
        /// The largest one allowed.
        tolerance: f32,
    },
    /// A network of this name is not in the zoo.
    #[error("no network is called `{name}`: expected one of {}", .known.join(", "))]
    UnknownNetwork {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A setting of the training is out of its range.
    #[error("`{setting}`: expected {expected}, got {got}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// Targets are not those of the scores.
    #[error("targets: expected {expected}, got {got}")]
    TargetShape {
        /// What the scores are.
        expected: String,
        /// What the targets are.
        got: String,
    },
    /// A target is not a class.
    #[error("sample {sample}: expected targets below {classes} or 255, got {class}")]
    TargetClass {
        /// Which sample of the batch.
        sample: usize,
        /// The target.
        class: u8,
        /// Number of classes.
        classes: usize,
    },
    /// The input of a network in training holds NaN or infinity.
    #[error("sample {sample}: expected finite input values, got {value}")]
    Input {
        /// Which sample of the batch.
        sample: usize,
        /// The first bad value.
        value: f32,
    },
    /// The gradient of a tensor holds NaN or infinity.
    #[error("the gradient of tensor `{tensor}` holds {value} at element {index}")]
    Gradient {
        /// The tensor's name.
        tensor: String,
        /// The first bad value.
        value: f32,
        /// Where, in C order.
        index: usize,
    },
    /// A network in training gives scores that are not finite.
    #[error("sample {sample}: expected finite scores, got {value}")]
    Score {
        /// Which sample of the batch.
        sample: usize,
        /// The first bad value.
        value: f32,
    },
    /// Views of a tile that a network cannot be run on.
    #[error("expected {expected} for {views} of network `{network}`, got {got}")]
    Augmentation {
        /// The views, as on the command line.
        views: String,
        /// The network's name.
        network: String,
        /// What the network has to be like.
        expected: &'static str,
        /// What it is like.
        got: String,
    },
    /// Models that cannot be averaged.
    #[error("model `{second}`: expected {what} of model `{first}`, {expected}, got {got}")]
    Ensemble {
        /// The first model.
        first: String,
        /// The one that differs.
        second: String,
        /// In what.
        what: &'static str,
        /// What the first one has.
        expected: String,
        /// What the other one has.
        got: String,
    },
}

impl Error {
    /// The error with the file whose tensors it is about, if it does not say so itself.
    pub(crate) fn of_weights(self, path: &Path) -> Self {
        match self {
            Self::Bands { .. }
            | Self::SameTensor { .. }
            | Self::MissingTensor { .. }
            | Self::TensorShape { .. }
            | Self::TensorType { .. }
            | Self::TensorValue { .. }
            | Self::UnusedTensors { .. } => Self::Weights { path: path.into(), source: Box::new(self) },
            other => other,
        }
    }
}
