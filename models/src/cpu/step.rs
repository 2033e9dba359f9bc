//! One operation of a program.

use std::mem;

use super::arena::Arena;
use super::fusion::Group;
use super::kernels::{Element, Epilogue, Held, Isa, PixelsMut};
use super::layer::Layer;
use super::ops::{self, Combination, Operand, Part, Positions, Sampling, Split};
use super::program::Program;
use crate::{Activation, Axes, Error, Extent, Graph, MaxUnpool, Op, Pool, Result, Shape};

/// One operation of a program. Values are called by the node that gives them.
#[derive(Debug)]
pub(super) struct Step<E: Element> {
    pub(super) work: Work<E>,
    /// Applied to the result.
    activation: Option<Activation>,
    /// The second input of a convolution, if there is one, is added to its result before the activation.
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
    /// The input whose buffer the output takes over.
    pub(super) overwritten: Option<usize>,
    /// Values that it needs room for while it runs.
    pub(super) scratch: usize,
    pub(super) scratch_buffer: Option<usize>,
}

/// What a step computes.
#[derive(Debug)]
pub(super) enum Work<E: Element> {
    Layer(Layer<E>),
    Combine(Combination),
    Activate,
    Softmax,
    Pool(Pool),
    Unpool(MaxUnpool),
    Mean,
    Bins(Extent),
    Turn,
    Crop {
        before: Axes<usize>,
    },
    /// Puts every input in its place, which starts at a channel.
    Concat {
        starts: Vec<usize>,
    },
    Channels {
        start: usize,
    },
    Resize(Sampling),
    Pad(Positions),
}

impl<E: Element> Work<E> {
    /// Whether its output may be computed in the place of its input: an output value needs no other input value than the one at its place, or
    /// those of its pixel, or all are read before any is written.
    pub(super) fn is_local(&self) -> bool {
        let layer =
            |layer: &Layer<E>| matches!(layer, Layer::Scale(_) | Layer::Normalise(_) | Layer::L2Norm(_) | Layer::Slopes(_));
        match self {
            Self::Layer(own) => layer(own),
            _ => matches!(self, Self::Combine(_) | Self::Activate | Self::Softmax),
        }
    }

    /// Whether the pixels of its output may have others' channels between them.
    pub(super) fn writes_views(&self) -> bool {
        let layer = matches!(self, Self::Layer(Layer::Convolution(_) | Layer::Transposed(_)));
        layer || matches!(self, Self::Pool(_) | Self::Resize(_) | Self::Crop { .. })
    }
}

impl<E: Element> Step<E> {
    /// The step that computes a group of nodes.
    pub(super) fn new(graph: &Graph, layers: &[Option<Layer<E>>], shapes: &[Shape], group: &Group) -> Result<Self> {
        let node = &graph.nodes()[group.node];
        let input = node.inputs.first().map_or(shapes[0], |input| shapes[input.index()]);
        let mut activation = group.activation;
        let work = match (&node.op, &layers[group.node]) {
            (_, Some(layer)) => Work::Layer(layer.clone()),
            (
                Op::Input { .. }
                | Op::Conv(_)
                | Op::ConvTranspose(_)
                | Op::BatchNorm(_)
                | Op::InstanceNorm(_)
                | Op::GroupNorm(_)
                | Op::L2Norm { .. }
                | Op::Affine
                | Op::PRelu { .. }
                | Op::Encoding(_),
                None,
            ) => {
                return Err(Error::MissingTensor { tensor: format!("{}.weight", node.name) });
            }
            (Op::Add, None) => Work::Combine(Combination::Add),
            (Op::Mul, None) => Work::Combine(Combination::Mul),
            (Op::Activation(own), None) => {
                activation = Some(*own);
                Work::Activate
            }
            (Op::Softmax, None) => Work::Softmax,
            (Op::Pool(pool), None) => Work::Pool(*pool),
            (Op::MaxUnpool(unpool), None) => Work::Unpool(*unpool),
            (Op::GlobalAveragePool, None) => Work::Mean,
            (Op::AdaptiveAveragePool { bins }, None) => Work::Bins(*bins),
            (Op::Turn(_), None) => Work::Turn,
            (Op::Crop { place }, None) => Work::Crop { before: place.before(input.extent, shapes[group.node].extent) },
            (Op::Concat, None) => {
                let channels = node.inputs.iter().map(|input| shapes[input.index()].channels);
                let starts = channels.scan(0, |end, channels| Some(mem::replace(end, *end + channels)));
                Work::Concat { starts: starts.collect() }
            }
            (Op::Channels { start, .. }, None) => Work::Channels { start: *start },
            (Op::Resize(resize), None) => Work::Resize(Sampling::new(*resize, input.extent, shapes[group.node].extent)),
            (Op::Pad { padding, fill }, None) => {
                Work::Pad(Positions::new(input.extent, *padding, *fill).ok_or_else(|| Error::Node {
                    node: node.name.clone(),
                    expected: "more positions than are reflected".into(),
                    got: input.to_string(),
                })?)
            }
        };
        let scratch = match &work {
            Work::Layer(Layer::Transposed(transposed)) => transposed.scratch(input.extent),
            _ => 0,
        };
        let inputs = node.value_inputs().iter().chain(&group.residual).map(|input| input.index()).collect();
        Ok(Self { work, activation, inputs, output: group.output, overwritten: None, scratch, scratch_buffer: None })
    }

    /// What its convolutions hold while they run.
    pub(super) fn held(&self, program: &Program<E>, threads: usize) -> Held {
        match (&self.work, self.inputs.first()) {
            (Work::Layer(Layer::Convolution(convolution)), Some(&input)) => convolution.held(program.shapes[input], threads),
            (Work::Layer(Layer::Transposed(transposed)), Some(&input)) => transposed.held(program.shapes[input], threads),
            _ => Held::default(),
        }
    }

    /// Computes the output's values in its buffer.
    pub(super) fn run(&self, isa: Isa, program: &Program<E>, arena: &mut Arena<E>) {
        let Some(place) = program.places[self.output] else { return };
        let mut buffer = arena.take(Some(place.buffer));
        let mut scratch = arena.take(self.scratch_buffer);
        let output = place.pixels_mut(&mut buffer, program.shapes[self.output]);
        self.compute(isa, program, arena, &mut scratch[..self.scratch], output);
        arena.put(Some(place.buffer), buffer);
        arena.put(self.scratch_buffer, scratch);
    }

    fn compute(&self, isa: Isa, program: &Program<E>, arena: &Arena<E>, scratch: &mut [E], output: PixelsMut<'_, E>) {
        let Self { activation, .. } = *self;
        let shape = program.shapes[self.output];
        // What is overwritten is in the output already.
        let mut operands = self
            .inputs
            .iter()
            .filter(|input| Some(**input) != self.overwritten)
            .map(|&input| Operand { pixels: arena.pixels(program, input), shape: program.shapes[input] });
        if let Work::Combine(combination) = &self.work {
            let first = if self.overwritten.is_none() { operands.next() } else { None };
            if let Some(second) = operands.next() {
                ops::combine(isa, *combination, first, second, activation, shape, output.values);
            }
            return;
        }
        if let Work::Concat { starts } = &self.work {
            let parts: Vec<_> = operands.zip(starts).map(|(operand, &start)| Part { operand, start }).collect();
            return ops::concat(&parts, shape, output.values);
        }
        let Some(input) = operands.next() else { return self.compute_in_place(isa, shape, output.values) };
        match &self.work {
            Work::Layer(Layer::Convolution(convolution)) => {
                let residual = operands.next().map(|residual| residual.pixels);
                let Split { inside, after } = Split::of(activation);
                let mut output = output;
                convolution.run(input.pixels, input.shape, &Epilogue { residual, activation: inside }, output.reborrow());
                if let Some(after) = after {
                    ops::activate_pixels(isa, after, shape.channels, output);
                }
            }
            Work::Layer(Layer::Transposed(transposed)) => transposed.run(isa, input, activation, scratch, (output, shape.extent)),
            Work::Pool(pool) => ops::pool(isa, pool, input, shape.extent, output),
            Work::Unpool(unpool) => {
                if let Some(pooled) = operands.next() {
                    ops::max_unpool(isa, unpool, input, pooled, output.values);
                }
            }
            Work::Mean => ops::mean(isa, input.pixels, output.values),
            Work::Bins(bins) => ops::bins(isa, input, *bins, output.values),
            Work::Layer(Layer::Codewords(codewords)) => codewords.run(isa, input, output.values),
            Work::Turn => ops::turn(input, output.values),
            Work::Crop { before } => ops::crop(input, *before, shape.extent, output),
            Work::Channels { start } => ops::channels(input, *start, shape, output.values),
            Work::Resize(sampling) => sampling.run(isa, input, output),
            Work::Pad(positions) => positions.run(input, output.values),
            Work::Layer(_) | Work::Activate | Work::Softmax | Work::Combine(_) | Work::Concat { .. } => {
                ops::copy(input, output.values);
                self.compute_in_place(isa, shape, output.values);
            }
        }
    }

    /// Computes the output from the input in its buffer.
    fn compute_in_place(&self, isa: Isa, shape: Shape, values: &mut [E]) {
        match &self.work {
            Work::Layer(Layer::Scale(scale)) => scale.run(isa, self.activation, shape.extent.x, values),
            Work::Layer(Layer::Normalise(normalise)) => normalise.run(isa, self.activation, values),
            Work::Layer(Layer::L2Norm(norm)) => norm.run(isa, self.activation, shape.extent.x, values),
            Work::Layer(Layer::Slopes(slopes)) => slopes.run(isa, shape.extent.x, values),
            Work::Softmax => ops::softmax(isa, shape, values),
            _ => {
                if let Some(activation) = self.activation {
                    ops::activate(isa, activation, values);
                }
            }
        }
    }
}
