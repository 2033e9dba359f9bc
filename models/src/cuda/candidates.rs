//! The plans that cuDNN offers for a convolution with what follows it.

use std::sync::Arc;

use super::convolution_plan::ConvolutionShape;
use super::descriptor::{
    Attribute, Bool, Char, ConvolutionMode, DataType, Described, Double, Handle, HeuristicsMode, Int, Kind, Note, PointwiseMode,
    Refusal, Single,
};
use super::functions::{Cudnn, Opaque};
use super::kernel::Stored;
use crate::{Activation, Axes, Extent, Precision};

/// Most engine configurations that are asked for.
pub(super) const MOST: usize = 32;

/// Most bytes of workspace: more than this is not worth the time it saves.
const MOST_WORKSPACE: i64 = 512 << 20;

/// The names that a plan's operands go by.
pub(super) mod operand {
    pub(crate) const INPUT: i64 = 1;
    pub(crate) const WEIGHTS: i64 = 2;
    pub(crate) const BIAS: i64 = 3;
    pub(crate) const RESIDUAL: i64 = 4;
    pub(crate) const OUTPUT: i64 = 5;
    /// Of values between the operations.
    pub(crate) const BETWEEN: i64 = 10;
}

/// For which card plans are made.
#[derive(Debug)]
pub(super) enum Target {
    /// The one of a handle.
    Handle(Opaque),
    /// One that need not be there, by its properties: what the tests plan for.
    #[cfg(test)]
    Properties(Described),
}

impl Target {
    /// A card of these properties, as cuDNN writes them in JSON.
    #[cfg(test)]
    pub(super) fn of_properties(cudnn: &Arc<Cudnn>, json: &str) -> Result<Self, Refusal> {
        let bytes: Vec<Char> = json.bytes().map(Char).collect();
        let properties = Described::new(cudnn, Kind::DeviceProperties)?.with(Attribute::DeviceJson, &bytes)?.ready()?;
        Ok(Self::Properties(properties))
    }

    fn for_graph(&self, graph: Described) -> Result<Described, Refusal> {
        match self {
            Self::Handle(handle) => graph.with(Attribute::GraphHandle, &[Handle(*handle)]),
            #[cfg(test)]
            Self::Properties(_) => Ok(graph),
        }
    }

    #[cfg_attr(not(test), expect(clippy::unnecessary_wraps, reason = "in tests, there is what can fail"))]
    fn for_heuristics(&self, heuristics: Described) -> Result<Described, Refusal> {
        match self {
            Self::Handle(_) => Ok(heuristics),
            #[cfg(test)]
            Self::Properties(properties) => heuristics.with_all(Attribute::HeuristicsDevice, &[properties]),
        }
    }

    fn for_plan(&self, plan: Described) -> Result<Described, Refusal> {
        match self {
            Self::Handle(handle) => plan.with(Attribute::PlanHandle, &[Handle(*handle)]),
            #[cfg(test)]
            Self::Properties(properties) => plan.with_all(Attribute::PlanDevice, &[properties]),
        }
    }
}

/// A plan that is ready to run.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) plan: Described,
    pub(super) workspace: usize,
}

impl Candidate {
    fn new(plan: Described) -> Result<Self, Refusal> {
        let mut bytes = [Int(0)];
        plan.read(Attribute::PlanWorkspace, &mut bytes)?;
        let [Int(bytes)] = bytes;
        if bytes > MOST_WORKSPACE {
            return Err(Refusal(format!("a workspace of {bytes} bytes")));
        }
        Ok(Self { plan, workspace: bytes.max(0) as usize })
    }

    /// A plan as [`Candidate::to_json`] wrote it.
    pub(super) fn from_json(cudnn: &Arc<Cudnn>, target: &Target, json: &[u8]) -> Result<Self, Refusal> {
        let json: Vec<Char> = json.iter().copied().map(Char).collect();
        Self::new(target.for_plan(Described::new(cudnn, Kind::Plan)?)?.with(Attribute::PlanJson, &json)?.ready()?)
    }

    /// The plan in the form in which it is kept on disk.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, Refusal> {
        let length = self.plan.read::<Char>(Attribute::PlanJson, &mut [])?;
        let mut json = vec![Char(0); length];
        self.plan.read(Attribute::PlanJson, &mut json)?;
        // The last one ends the string.
        Ok(json.into_iter().map(|Char(c)| c).take_while(|c| *c != 0).collect())
    }
}

/// The plans that cuDNN offers and makes for a card, best guess first; no more than `most`.
pub(super) fn candidates(
    cudnn: &Arc<Cudnn>,
    target: &Target,
    shape: &ConvolutionShape,
    most: usize,
) -> Result<Vec<Candidate>, Refusal> {
    let graph = graph(cudnn, target, shape)?;
    let mut found = Vec::new();
    let mut refusal = Refusal("no engine is offered".into());
    // A is cuDNN's estimate, fallback what works in more cases and slowly.
    for mode in [HeuristicsMode(3), HeuristicsMode(2)] {
        let heuristics = Described::new(cudnn, Kind::Heuristics)?
            .with_all(Attribute::HeuristicsGraph, &[&graph.graph])?
            .with(Attribute::HeuristicsMode, &[mode])?;
        let heuristics = match target.for_heuristics(heuristics)?.ready() {
            Ok(heuristics) => heuristics,
            Err(error) => {
                refusal = error;
                continue;
            }
        };
        let configs: Vec<Described> = (0..MOST).map(|_| Described::new(cudnn, Kind::EngineConfig)).collect::<Result<_, _>>()?;
        let mut raw: Vec<_> = configs.iter().map(Described::raw).collect();
        let offered = heuristics.read(Attribute::HeuristicsResults, &mut raw)?;
        for config in configs.iter().take(offered) {
            if found.len() == most {
                break;
            }
            let made = is_allowed(cudnn, config, shape.precision).and_then(|()| {
                let plan = target.for_plan(Described::new(cudnn, Kind::Plan)?)?;
                Candidate::new(plan.with_all(Attribute::PlanConfig, &[config])?.ready()?)
            });
            match made {
                Ok(candidate) => found.push(candidate),
                Err(error) => refusal = error,
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(refusal)
}

/// An error if an engine computes less exactly than the precision says.
fn is_allowed(cudnn: &Arc<Cudnn>, config: &Described, precision: Precision) -> Result<(), Refusal> {
    const TENSOR_CORE: i32 = 0;
    const DOWN_CONVERTS: i32 = 1;
    const REDUCED_SUMS: i32 = 2;
    const NOT_DETERMINISTIC: i32 = 4;
    let engine = Described::new(cudnn, Kind::Engine)?;
    config.read(Attribute::ConfigEngine, &mut [engine.raw()])?;
    let mut notes = [Note(-1); 16];
    let count = engine.read(Attribute::EngineNotes, &mut notes)?;
    let refused: &[i32] = match precision {
        Precision::F32 => &[TENSOR_CORE, DOWN_CONVERTS, REDUCED_SUMS, NOT_DETERMINISTIC],
        Precision::Tf32 | Precision::F16 | Precision::Bf16 => &[DOWN_CONVERTS, REDUCED_SUMS, NOT_DETERMINISTIC],
    };
    match notes.iter().take(count).find(|Note(note)| refused.contains(note)) {
        Some(Note(note)) => Err(Refusal(format!("an engine with numerical note {note}"))),
        None => Ok(()),
    }
}

/// A graph with the descriptors that it refers to.
struct OperationGraph {
    graph: Described,
    _parts: Vec<Described>,
}

/// Builds descriptors of one kind of values.
struct Builder<'a> {
    cudnn: &'a Arc<Cudnn>,
    shape: &'a ConvolutionShape,
    /// Of what lies in memory.
    stored: DataType,
}

/// `CUDNN_DATA_FLOAT`: sums, and values between the operations.
const FLOAT: DataType = DataType(0);

/// A tensor's dimensions: batch, channels, then depth, height and width, or height and width only.
type Dimensions = Vec<i64>;

impl Builder<'_> {
    /// Whether there is no depth, so that the convolution is one in the plane.
    fn is_planar(&self) -> bool {
        let shape = self.shape;
        shape.input.z == 1 && shape.output.z == 1 && shape.kernel.z == 1 && shape.padding.z.total() == 0
    }

    fn spatial<T>(&self, axes: Axes<T>, number: impl Fn(T) -> i64) -> Vec<i64> {
        let all = axes.into_array().into_iter().map(number);
        if self.is_planar() { all.skip(1).collect() } else { all.collect() }
    }

    fn dimensions(&self, batch: usize, channels: usize, extent: Extent) -> Dimensions {
        [batch as i64, channels as i64].into_iter().chain(self.spatial(extent, |n| n as i64)).collect()
    }

    /// A tensor whose channels are its fastest axis.
    fn tensor(&self, name: i64, dimensions: &Dimensions, data: DataType, is_virtual: bool) -> Result<Described, Refusal> {
        let mut strides = vec![0; dimensions.len()];
        strides[1] = 1;
        let mut step = dimensions[1];
        for axis in (2..dimensions.len()).rev() {
            strides[axis] = step;
            step *= dimensions[axis];
        }
        strides[0] = step;
        let ints = |values: &[i64]| values.iter().copied().map(Int).collect::<Vec<_>>();
        Described::new(self.cudnn, Kind::Tensor)?
            .with(Attribute::TensorType, &[data])?
            .with(Attribute::TensorDimensions, &ints(dimensions))?
            .with(Attribute::TensorStrides, &ints(&strides))?
            .with(Attribute::TensorName, &[Int(name)])?
            .with(Attribute::TensorAlignment, &[Int(16)])?
            .with(Attribute::TensorIsVirtual, &[Bool(is_virtual)])?
            .ready()
    }

    /// An element-wise operation, and what it refers to.
    fn pointwise(
        &self,
        mode: Pointwise,
        input: &Described,
        other: Option<&Described>,
        output: &Described,
    ) -> Result<[Described; 2], Refusal> {
        let pointwise = Described::new(self.cudnn, Kind::Pointwise)?
            .with(Attribute::PointwiseMode, &[mode.number()])?
            .with(Attribute::PointwisePrecision, &[FLOAT])?;
        let pointwise = match mode {
            Pointwise::Add | Pointwise::Sigmoid => pointwise,
            Pointwise::Relu { upper, slope } => {
                let pointwise = match slope {
                    Some(slope) => pointwise.with(Attribute::ReluSlope, &[Double(slope)])?,
                    None => pointwise,
                };
                match upper {
                    Some(upper) => {
                        pointwise.with(Attribute::ReluLower, &[Double(0.0)])?.with(Attribute::ReluUpper, &[Double(upper)])?
                    }
                    None => pointwise,
                }
            }
        };
        let pointwise = pointwise.ready()?;
        let operation = Described::new(self.cudnn, Kind::PointwiseOperation)?
            .with_all(Attribute::OperationPointwise, &[&pointwise])?
            .with_all(Attribute::OperationInput, &[input])?
            .with_all(Attribute::OperationOutput, &[output])?;
        let operation = match other {
            Some(other) => operation.with_all(Attribute::OperationOther, &[other])?,
            None => operation,
        };
        Ok([operation.ready()?, pointwise])
    }

    fn convolution(&self) -> Result<Described, Refusal> {
        let shape = self.shape;
        let ints = |values: Vec<i64>| values.into_iter().map(Int).collect::<Vec<_>>();
        let axes = if self.is_planar() { 2 } else { 3 };
        // CUDNN_CROSS_CORRELATION
        Described::new(self.cudnn, Kind::Convolution)?
            .with(Attribute::ConvolutionAxes, &[Int(axes)])?
            .with(Attribute::ConvolutionPrecision, &[FLOAT])?
            .with(Attribute::ConvolutionMode, &[ConvolutionMode(1)])?
            .with(Attribute::ConvolutionPaddingBefore, &ints(self.spatial(shape.padding, |p| p.before as i64)))?
            .with(Attribute::ConvolutionPaddingAfter, &ints(self.spatial(shape.padding, |p| p.after as i64)))?
            .with(Attribute::ConvolutionDilations, &ints(self.spatial(shape.dilation, |n| n as i64)))?
            .with(Attribute::ConvolutionStrides, &ints(self.spatial(shape.stride, |n| n as i64)))?
            .ready()
    }
}

/// An element-wise operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pointwise {
    Add,
    Relu { upper: Option<f64>, slope: Option<f64> },
    Sigmoid,
}

impl Pointwise {
    /// `cudnnPointwiseMode_t`
    fn number(self) -> PointwiseMode {
        PointwiseMode(match self {
            Self::Add => 0,
            Self::Relu { .. } => 100,
            Self::Sigmoid => 102,
        })
    }

    /// An activation as cuDNN has it.
    fn of(activation: Activation) -> Option<Self> {
        match activation {
            Activation::Relu => Some(Self::Relu { upper: None, slope: None }),
            Activation::LeakyRelu { slope } => Some(Self::Relu { upper: None, slope: Some(slope) }),
            Activation::Clip { min: Some(0.0), max } => Some(Self::Relu { upper: max, slope: None }),
            Activation::Sigmoid => Some(Self::Sigmoid),
            Activation::Clip { .. } | Activation::HardSigmoid | Activation::HardSwish | Activation::Silu => None,
        }
    }
}

/// Whether cuDNN applies an activation itself.
pub(super) fn is_fused(activation: Activation) -> bool {
    Pointwise::of(activation).is_some()
}

/// The convolution, its bias, residual and activation as one graph.
fn graph(cudnn: &Arc<Cudnn>, target: &Target, shape: &ConvolutionShape) -> Result<OperationGraph, Refusal> {
    let stored = match shape.stored() {
        Stored::F32 => FLOAT,
        Stored::F16 => DataType(2),
        Stored::Bf16 => DataType(9),
    };
    let b = Builder { cudnn, shape, stored };
    let (input, output) =
        (b.dimensions(shape.batch, shape.in_channels, shape.input), b.dimensions(shape.batch, shape.out_channels, shape.output));
    let last = shape
        .activation
        .map(|activation| Pointwise::of(activation).ok_or_else(|| Refusal(format!("no activation like {activation:?}"))));
    let last = last.transpose()?;
    let input = b.tensor(operand::INPUT, &input, b.stored, false)?;
    let weights = b.dimensions(shape.out_channels, shape.in_channels, shape.kernel);
    let weights = b.tensor(operand::WEIGHTS, &weights, b.stored, false)?;
    let bias = b.tensor(operand::BIAS, &b.dimensions(1, shape.out_channels, Axes::cube(1)), FLOAT, false)?;
    // Each operation's result is a value in between, but for the last one's.
    let operations = 2 + usize::from(shape.residual) + usize::from(last.is_some());
    let mut results = Vec::new();
    for index in 0..operations {
        let is_last = index + 1 == operations;
        let name = if is_last { operand::OUTPUT } else { operand::BETWEEN + index as i64 };
        results.push(b.tensor(name, &output, if is_last { b.stored } else { FLOAT }, !is_last)?);
    }
    let convolution = b.convolution()?;
    let forward = Described::new(cudnn, Kind::ConvolutionForward)?
        .with_all(Attribute::ForwardInput, &[&input])?
        .with_all(Attribute::ForwardFilter, &[&weights])?
        .with_all(Attribute::ForwardOutput, &[&results[0]])?
        .with_all(Attribute::ForwardConvolution, &[&convolution])?
        .with(Attribute::ForwardAlpha, &[Single(1.0)])?
        .with(Attribute::ForwardBeta, &[Single(0.0)])?
        .ready()?;
    let mut all = vec![forward];
    let mut parts = vec![input, weights, convolution];
    let mut chain = |mode, other: Option<&Described>| -> Result<(), Refusal> {
        let [operation, part] = b.pointwise(mode, &results[all.len() - 1], other, &results[all.len()])?;
        all.push(operation);
        parts.push(part);
        Ok(())
    };
    let residual = shape.residual.then(|| b.tensor(operand::RESIDUAL, &output, b.stored, false)).transpose()?;
    chain(Pointwise::Add, Some(&bias))?;
    if let Some(residual) = &residual {
        chain(Pointwise::Add, Some(residual))?;
    }
    if let Some(last) = last {
        chain(last, None)?;
    }
    let graph = Described::new(cudnn, Kind::Graph)?.with_all(Attribute::GraphOperations, &all.iter().collect::<Vec<_>>())?;
    let graph = target.for_graph(graph)?.ready()?;
    parts.extend(results);
    parts.extend(all);
    parts.extend(residual);
    parts.push(bias);
    Ok(OperationGraph { graph, _parts: parts })
}
