//! The launches that compute a batch of tiles.
#![expect(unsafe_code, reason = "launches read and write addresses")]

use std::sync::Arc;

use super::arguments::{self, Address, Function, GROUP, Steps, Value, pool_kind};
use super::blueprint::{Blueprint, inputs};
use super::convolution_plan::{ConvolutionPlan, ConvolutionShape, Operands};
use super::device::{Device, Memory, Recording};
use super::kernel::Launch;
use super::parameters::{Form, Parameters, Part};
use crate::cpu::{Group, Last, Positions};
use crate::resample::taps;
use crate::{Activation, Axes, Conv, ConvTranspose, Error, Extent, Graph, Op, Padding, Precision, Resize, Result, Shape};

/// Most parts into which the positions of a tile are split to find their mean.
const MOST_CHUNKS: usize = 256;

/// The launches that compute a batch of tiles, with all memory that they use.
#[derive(Debug)]
pub(super) struct Program {
    device: Arc<dyn Device>,
    blueprint: Blueprint,
    commands: Vec<Command>,
    /// What the commands read and write, beside the parameters: buffers, tables, workspace.
    _memory: Vec<Memory>,
    _parameters: Vec<Arc<Memory>>,
    recording: Option<Recording>,
    /// Where the network's input goes.
    pub(super) input: Value,
    /// What gives the scores.
    pub(super) head: arguments::Head,
}

/// One thing that the card is asked to do.
#[derive(Debug)]
enum Command {
    Launch(Launch),
    Plan { plan: Box<dyn ConvolutionPlan>, operands: Operands },
}

impl Program {
    /// Allocates what a batch takes, and finds the fastest plan for each convolution.
    pub(super) fn new(
        device: &Arc<dyn Device>,
        parameters: &Parameters,
        precision: Precision,
        blueprint: Blueprint,
    ) -> Result<Self> {
        let bytes = super::kernel::Stored::of(precision).bytes();
        let sizes = &blueprint.placement.buffers.sizes;
        let buffers = sizes.iter().map(|elements| Memory::new(device, elements * bytes)).collect::<Result<Vec<_>>>()?;
        let mut writer = Writer {
            device,
            parameters,
            precision,
            graph: parameters.graph(),
            blueprint: &blueprint,
            buffers: buffers.iter().map(Memory::address).collect(),
            commands: Vec::new(),
            memory: buffers,
            kept: Vec::new(),
            workspace: 0,
        };
        for (index, group) in blueprint.groups.iter().enumerate() {
            writer.write(index, group)?;
        }
        let input = writer.value(0)?;
        let head = writer.head()?;
        let Writer { mut commands, mut memory, kept, workspace, .. } = writer;
        // One after the other, so all plans share it.
        let shared = Memory::new(device, workspace)?;
        for command in &mut commands {
            if let Command::Plan { operands, .. } = command {
                operands.workspace = shared.address();
            }
        }
        memory.push(shared);
        let device = Arc::clone(device);
        Ok(Self { device, blueprint, commands, _memory: memory, _parameters: kept, recording: None, input, head })
    }

    /// Of the tiles.
    pub(super) fn tile(&self) -> Extent {
        self.blueprint.tile
    }

    /// Of the scores of a tile.
    pub(super) fn scores(&self, graph: &Graph) -> Shape {
        self.blueprint.shapes[graph.output().index()]
    }

    /// Records the launches, if the device can: they start faster then.
    pub(super) fn record(&mut self) -> Result<()> {
        // Once before, so that what libraries do at their first call is not recorded.
        self.issue()?;
        self.device.wait(&self.device.mark(super::device::Stream::Compute)?)?;
        self.recording = self.device.record(&mut || self.issue())?;
        Ok(())
    }

    /// Computes the maps of scores from the input.
    pub(super) fn run(&self) -> Result<()> {
        self.recording.as_ref().map_or_else(|| self.issue(), |recording| self.device.replay(recording))
    }

    fn issue(&self) -> Result<()> {
        self.commands.iter().try_for_each(|command| match command {
            // SAFETY: the writer took addresses and sizes from memory that the program keeps.
            Command::Launch(launch) => unsafe { self.device.launch(launch) },
            // SAFETY: as above.
            Command::Plan { plan, operands } => unsafe { plan.run(operands) },
        })
    }
}

/// Turns groups of nodes into commands.
struct Writer<'a> {
    device: &'a Arc<dyn Device>,
    parameters: &'a Parameters,
    precision: Precision,
    graph: &'a Graph,
    blueprint: &'a Blueprint,
    buffers: Vec<Address>,
    commands: Vec<Command>,
    memory: Vec<Memory>,
    kept: Vec<Arc<Memory>>,
    /// Bytes that the most demanding plan needs.
    workspace: usize,
}

/// Where the tables of a resampling lie, per axis.
struct Tables {
    z: Address,
    y: Address,
    x: Address,
}

impl Writer<'_> {
    /// The values of a node.
    fn value(&self, node: usize) -> Result<Value> {
        let buffer = self.blueprint.placement.buffer_of[node].ok_or_else(|| self.lost(node))?;
        self.laid(self.buffers[buffer], node)
    }

    /// Values of a node's shape at an address.
    fn laid(&self, at: Address, node: usize) -> Result<Value> {
        let Shape { channels, extent } = self.blueprint.shapes[node];
        let number = |n: usize| self.count(node, n);
        Ok(Value {
            at,
            batch: number(self.blueprint.batch)?,
            depth: number(extent.z)?,
            height: number(extent.y)?,
            width: number(extent.x)?,
            channels: number(channels)?,
            stride: number(channels.next_multiple_of(GROUP))?,
        })
    }

    /// A number as the kernels take it.
    fn count(&self, node: usize, number: usize) -> Result<i32> {
        i32::try_from(number).ok().ok_or_else(|| self.lost(node))
    }

    /// A node whose values have no place, or are too many.
    fn lost(&self, node: usize) -> Error {
        let got = self.blueprint.shapes[node].to_string();
        Error::Node { node: self.graph.nodes()[node].name.clone(), expected: "values that a card can count".into(), got }
    }

    fn table<T: super::device::Plain>(&mut self, values: &[T]) -> Result<Address> {
        let memory = Memory::of(self.device, values)?;
        let address = memory.address();
        self.memory.push(memory);
        Ok(address)
    }

    fn parameter(&mut self, node: usize, form: Form) -> Result<Address> {
        let memory = self.parameters.get(self.device, node, form)?;
        let address = memory.address();
        self.kept.push(memory);
        Ok(address)
    }

    fn push(&mut self, launch: Launch) {
        self.commands.push(Command::Launch(launch));
    }

    /// Writes what computes a group.
    fn write(&mut self, index: usize, group: &Group) -> Result<()> {
        let graph = self.graph;
        let node = &graph.nodes()[group.node];
        let read = inputs(graph, group);
        let input = read.first().map_or_else(|| self.value(0), |&input| self.value(input))?;
        let output = self.value(group.output)?;
        let function = Function::from(group.activation);
        let items = output.groups();
        match &node.op {
            Op::Input { .. } => return Err(self.lost(group.node)),
            Op::Conv(conv) => {
                let residual = group.residual.map(|id| self.value(id.index())).transpose()?;
                self.convolution(group, *conv, input, residual, output)?;
            }
            Op::ConvTranspose(conv) => self.transposed(index, group, *conv, input, output)?,
            Op::BatchNorm(_) | Op::Affine => {
                let [factors, summands] = [Form::Factors, Form::Summands].map(|form| self.parameter(group.node, form));
                self.push(
                    arguments::SCALE
                        .launch(arguments::Scale { input, output, factors: factors?, summands: summands?, function }, items),
                );
            }
            Op::InstanceNorm(norm) => self.norm(group, norm.epsilon, input.channels as usize, input, output)?,
            Op::GroupNorm(norm) => self.norm(group, norm.epsilon, norm.groups, input, output)?,
            Op::L2Norm { epsilon } => {
                let weight = self.parameter(group.node, Form::PerChannel(Part::Weight))?;
                let epsilon = *epsilon as f32;
                self.push(
                    arguments::UNIT_LENGTH
                        .launch(arguments::UnitLength { input, output, weight, epsilon, function }, output.pixels()),
                );
            }
            Op::PRelu { .. } => {
                let slopes = self.parameter(group.node, Form::PerChannel(Part::Weight))?;
                self.push(arguments::BEND.launch(arguments::Bend { input, output, slopes }, items));
            }
            Op::MaxUnpool(unpool) => {
                let pooled = self.value(read[1])?;
                let (kernel, stride) = (unpool.kernel.into(), unpool.stride.into());
                self.push(arguments::UNPOOL.launch(arguments::Unpool { values: input, pooled, output, kernel, stride }, items));
            }
            Op::AdaptiveAveragePool { bins } if *bins == Axes::cube(1) => self.mean(group.node, input, output)?,
            Op::AdaptiveAveragePool { .. } => self.push(arguments::BINS.launch(arguments::Bins { input, output }, items)),
            Op::Encoding(_) => self.encode(group.node, input, output)?,
            Op::Turn(_) => self.push(arguments::TURN.launch(arguments::Turn { input, output }, items)),
            Op::Crop { place } => {
                let before = place.before(self.blueprint.shapes[read[0]].extent, self.blueprint.shapes[group.node].extent);
                self.push(arguments::CROP.launch(arguments::Crop { input, output, before: before.into() }, items));
            }
            Op::Activation(activation) => {
                let function = Function::from(Some(*activation));
                self.push(arguments::ACTIVATE.launch(arguments::Activate { input, output, function }, items));
            }
            Op::Softmax => self.push(arguments::SOFTMAX.launch(arguments::Softmax { input, output }, output.pixels())),
            Op::Pool(pool) => {
                let window = arguments::PoolWindow {
                    input,
                    output,
                    kind: pool_kind(pool.kind),
                    kernel: pool.kernel.into(),
                    stride: pool.stride.into(),
                    before: Steps::before(pool.padding),
                };
                self.push(arguments::POOL.launch(window, items));
            }
            Op::GlobalAveragePool => self.mean(group.node, input, output)?,
            Op::Add | Op::Mul => {
                let second = self.value(read[1])?;
                let product = i32::from(node.op == Op::Mul);
                self.push(
                    arguments::COMBINE.launch(arguments::Combine { first: input, second, output, product, function }, items),
                );
            }
            Op::Concat => {
                let mut to = 0;
                for (part, &id) in read.iter().enumerate() {
                    let input = self.value(id)?;
                    let end = part + 1 == read.len();
                    self.copy(input, output, 0, to, input.channels, end);
                    to += input.channels;
                }
            }
            Op::Channels { start, count } => self.copy(input, output, *start as i32, 0, *count as i32, true),
            Op::Resize(resize) => {
                let (from, to) = (self.blueprint.shapes[read[0]].extent, self.blueprint.shapes[group.node].extent);
                let Tables { z, y, x } = self.taps(*resize, from, to)?;
                self.push(arguments::RESIZE.launch(arguments::Resample { input, output, z, y, x }, items));
            }
            Op::Pad { padding, fill } => {
                let extent = self.blueprint.shapes[read[0]].extent;
                let positions = Positions::new(extent, *padding, *fill).ok_or_else(|| self.lost(group.node))?;
                let axis = |positions: &Vec<Option<usize>>| positions.iter().map(|p| p.map_or(-1, |p| p as i32)).collect();
                let Axes { z, y, x } = positions.along();
                let [z, y, x] = [z, y, x].map(|positions| -> Vec<i32> { axis(positions) });
                let (z, y, x) = (self.table(&z)?, self.table(&y)?, self.table(&x)?);
                self.push(arguments::PAD.launch(arguments::Pad { input, output, z, y, x, fill: positions.fill() }, items));
            }
        }
        Ok(())
    }

    /// Copies `count` channels; those after the last part's become zeros.
    fn copy(&mut self, input: Value, output: Value, from: i32, to: i32, count: i32, is_last: bool) {
        let zeros = if is_last { output.stride - to - count } else { 0 };
        let copy = arguments::Copy { input, output, from, to, count, zeros };
        let aligned = [from, to, count].into_iter().all(|n| n % GROUP as i32 == 0) && zeros == 0;
        self.push(if aligned {
            arguments::COPY_GROUPS.launch(copy, input.pixels() * (count as usize / GROUP))
        } else {
            arguments::COPY_CHANNELS.launch(copy, input.pixels() * (count + zeros) as usize)
        });
    }

    /// Into how many chunks the positions of a tile are split.
    fn chunks(&self, input: Value) -> usize {
        (input.pixels() / self.blueprint.batch).div_ceil(64).min(MOST_CHUNKS)
    }

    /// Memory that no other step uses.
    fn own_memory(&mut self, bytes: usize) -> Result<Address> {
        let memory = Memory::new(self.device, bytes)?;
        let address = memory.address();
        self.memory.push(memory);
        Ok(address)
    }

    fn mean(&mut self, node: usize, input: Value, output: Value) -> Result<()> {
        let chunks = self.chunks(input);
        let items = self.blueprint.batch * chunks * (input.channels as usize).div_ceil(GROUP);
        let sums = self.own_memory(items * GROUP * size_of::<f64>())?;
        let chunks = self.count(node, chunks)?;
        let mean = arguments::Mean { input, output, sums, chunks };
        self.push(arguments::MEAN_SUMS.launch(mean, items));
        self.push(arguments::MEAN.launch(mean, output.groups()));
        Ok(())
    }

    fn norm(&mut self, group: &Group, epsilon: f64, groups: usize, input: Value, output: Value) -> Result<()> {
        let chunks = self.chunks(input);
        let channels = (input.channels as usize).next_multiple_of(GROUP);
        let items = self.blueprint.batch * chunks * channels / GROUP;
        let of_tiles = self.blueprint.batch * channels;
        let norm = arguments::Norm {
            input,
            output,
            sums: self.own_memory(items * GROUP * size_of::<f64>())?,
            means: self.own_memory(of_tiles * size_of::<f64>())?,
            scale: self.own_memory(of_tiles * size_of::<f32>())?,
            shift: self.own_memory(of_tiles * size_of::<f32>())?,
            weight: self.parameter(group.node, Form::PerChannel(Part::Weight))?,
            bias: self.parameter(group.node, Form::PerChannel(Part::Bias))?,
            epsilon,
            chunks: self.count(group.node, chunks)?,
            groups: self.count(group.node, groups)?,
            function: group.activation.into(),
        };
        self.push(arguments::NORM_SUMS.launch(norm, items));
        self.push(arguments::NORM_MEANS.launch(norm, of_tiles));
        self.push(arguments::NORM_SQUARES.launch(norm, items));
        self.push(arguments::NORM_SCALES.launch(norm, of_tiles));
        self.push(arguments::NORM_SCALED.launch(norm, output.groups()));
        Ok(())
    }

    fn encode(&mut self, node: usize, input: Value, output: Value) -> Result<()> {
        let (count, channels, chunks) = (output.channels as usize, input.channels as usize, self.chunks(input));
        let items = self.blueprint.batch * chunks * count * channels;
        let encode = arguments::Encode {
            input,
            output,
            codewords: self.parameter(node, Form::Plain(Part::Codewords))?,
            scale: self.parameter(node, Form::Plain(Part::Scale))?,
            weights: self.own_memory(input.pixels() * count * size_of::<f32>())?,
            sums: self.own_memory(items * size_of::<f64>())?,
            chunks: self.count(node, chunks)?,
        };
        self.push(arguments::ENCODE_WEIGHTS.launch(encode, input.pixels()));
        self.push(arguments::ENCODE_SUMS.launch(encode, items));
        self.push(arguments::ENCODE.launch(encode, output.groups()));
        Ok(())
    }

    fn taps(&mut self, resize: Resize, from: Extent, to: Extent) -> Result<Tables> {
        let axis = |from: usize, to: usize| -> Vec<arguments::Tap> {
            taps(from, to, resize.interpolation, resize.coordinates)
                .map(|tap| arguments::Tap { low: tap.low as i32, high: tap.high as i32, fraction: tap.fraction })
                .collect()
        };
        Ok(Tables {
            z: self.table(&axis(from.z, to.z))?,
            y: self.table(&axis(from.y, to.y))?,
            x: self.table(&axis(from.x, to.x))?,
        })
    }

    /// Writes a plan if there is one.
    fn plan(&mut self, shape: &ConvolutionShape, operands: impl FnOnce(&mut Self) -> Result<Operands>) -> Result<bool> {
        let Some(plan) = self.device.plan(shape)? else { return Ok(false) };
        self.workspace = self.workspace.max(plan.workspace());
        let operands = operands(self)?;
        self.commands.push(Command::Plan { plan, operands });
        Ok(true)
    }

    fn convolution(&mut self, group: &Group, conv: Conv, input: Value, residual: Option<Value>, output: Value) -> Result<()> {
        let node = group.node;
        let Conv { kernel, stride, padding, dilation, groups, .. } = conv;
        if let Some(shape) = self.blueprint.convolution(self.graph, group, self.precision) {
            let planned = self.plan(&shape, |writer| {
                Ok(Operands {
                    input: input.at,
                    weights: writer.parameter(node, Form::Filter)?,
                    bias: writer.parameter(node, Form::Bias)?,
                    residual: residual.map(|residual| residual.at),
                    output: output.at,
                    workspace: 0,
                })
            })?;
            if planned {
                if let Some(later) = Blueprint::later(group) {
                    self.push(
                        arguments::ACTIVATE
                            .launch(arguments::Activate { input: output, output, function: Some(later).into() }, output.groups()),
                    );
                }
                return Ok(());
            }
        }
        let depthwise = groups == conv.out_channels && input.channels == output.channels && groups > 1;
        let weights = self.parameter(node, if depthwise { Form::Depthwise } else { Form::Taps })?;
        let bias = self.parameter(node, Form::Bias)?;
        let residual = residual.unwrap_or_default();
        let own = own(kernel, stride, padding, dilation, groups, group.activation);
        let own = arguments::Convolution { input, output, residual, weights, bias, ..own };
        let kernel = if depthwise { arguments::DEPTHWISE } else { arguments::CONVOLUTION };
        self.push(kernel.launch(own, output.groups()));
        Ok(())
    }

    fn transposed(&mut self, index: usize, group: &Group, conv: ConvTranspose, input: Value, output: Value) -> Result<()> {
        let node = group.node;
        let ConvTranspose { kernel, stride, padding, dilation, groups, .. } = conv;
        let shape = self.blueprint.convolution(self.graph, group, self.precision);
        if let (Some(shape), Some(scratch)) = (shape, self.blueprint.placement.scratch[index]) {
            let phases = Value { at: self.buffers[scratch], channels: output.stride * stride.product() as i32, ..input };
            let phases = Value { stride: phases.channels, ..phases };
            let planned = self.plan(&shape, |writer| {
                Ok(Operands {
                    input: input.at,
                    weights: writer.parameter(node, Form::PhaseFilter)?,
                    bias: writer.parameter(node, Form::PhaseBias)?,
                    residual: None,
                    output: phases.at,
                    workspace: 0,
                })
            })?;
            if planned {
                let function = Blueprint::later(group).into();
                let shuffle = arguments::Shuffle { input: phases, output, stride: stride.into(), function };
                self.push(arguments::SHUFFLE.launch(shuffle, output.groups()));
                return Ok(());
            }
        }
        let weights = self.parameter(node, Form::Taps)?;
        let bias = self.parameter(node, Form::Bias)?;
        let own = own(kernel, stride, padding, dilation, groups, group.activation);
        let own = arguments::Convolution { input, output, weights, bias, ..own };
        self.push(arguments::TRANSPOSED.launch(own, output.groups()));
        Ok(())
    }

    /// The maps of scores, and what becomes of their sum.
    fn head(&mut self) -> Result<arguments::Head> {
        let output = self.graph.output().index();
        let to = self.blueprint.shapes[output].extent;
        let mut maps = Vec::new();
        for map in &self.blueprint.maps {
            let value = self.value(map.from.index())?;
            let resize = map.resized.map(|id| &self.graph.nodes()[id.index()].op);
            maps.push(if let Some(Op::Resize(resize)) = resize {
                let Tables { z, y, x } = self.taps(*resize, self.blueprint.shapes[map.from.index()].extent, to)?;
                arguments::Map { value, z, y, x }
            } else {
                arguments::Map { value, z: 0, y: 0, x: 0 }
            });
        }
        let function = match self.blueprint.last {
            Last::Nothing | Last::Softmax => None,
            Last::Activation(activation) => Some(activation),
        };
        Ok(arguments::Head {
            count: self.count(output, maps.len())?,
            maps: self.table(&maps)?,
            channels: self.count(output, self.blueprint.shapes[output].channels)?,
            softmax: i32::from(self.blueprint.last == Last::Softmax),
            function: function.into(),
        })
    }
}

/// The part of a convolution's arguments that follows from its parameters.
fn own(
    kernel: Axes<usize>,
    stride: Axes<usize>,
    padding: Axes<Padding>,
    dilation: Axes<usize>,
    groups: usize,
    activation: Option<Activation>,
) -> arguments::Convolution {
    let none = Value::default();
    arguments::Convolution {
        input: none,
        output: none,
        residual: none,
        weights: 0,
        bias: 0,
        kernel: kernel.into(),
        stride: stride.into(),
        before: Steps::before(padding),
        dilation: dilation.into(),
        groups: groups as i32,
        function: activation.into(),
    }
}
