//! A network in training mode, in `f64` and as plainly as can be: what gradients are held against.

use std::collections::HashMap;

use swath_models::train::{Batch, Parameters};
use swath_models::{
    Activation, Axes, Conv, ConvTranspose, Coordinates, CropPlace, Extent, Graph, Interpolation, MaxUnpool, Op, PadFill, Padding,
    Pool, PoolKind, Resize, Shape,
};

/// Values of several samples, `(samples, depth, height, width, channels)`.
#[derive(Clone)]
struct Value {
    samples: usize,
    shape: Shape,
    values: Vec<f64>,
}

impl Value {
    fn zeros(samples: usize, shape: Shape) -> Self {
        Self { samples, shape, values: vec![0.0; samples * shape.elements()] }
    }

    fn index(&self, sample: usize, at: Extent, channel: usize) -> usize {
        let Axes { z, y, x } = self.shape.extent;
        (((sample * z + at.z) * y + at.y) * x + at.x) * self.shape.channels + channel
    }

    fn get(&self, sample: usize, at: Extent, channel: usize) -> f64 {
        self.values[self.index(sample, at, channel)]
    }

    fn set(&mut self, sample: usize, at: Extent, channel: usize, value: f64) {
        let index = self.index(sample, at, channel);
        self.values[index] = value;
    }

    /// A value of a result, from sample, position and channel.
    fn from_fn(samples: usize, shape: Shape, mut f: impl FnMut(usize, Extent, usize) -> f64) -> Self {
        let mut value = Self::zeros(samples, shape);
        for sample in 0..samples {
            for at in positions(shape.extent) {
                for channel in 0..shape.channels {
                    value.set(sample, at, channel, f(sample, at, channel));
                }
            }
        }
        value
    }
}

fn positions(extent: Extent) -> impl Iterator<Item = Extent> {
    (0..extent.product()).map(move |i| Axes { z: i / (extent.y * extent.x), y: i / extent.x % extent.y, x: i % extent.x })
}

/// A window's step, the distance between its taps, and what is added around the input.
struct Sliding {
    stride: Extent,
    dilation: Extent,
    padding: Axes<Padding>,
}

impl Sliding {
    /// Position `at * stride + tap * dilation - padding`, if there is one.
    fn position(&self, at: Extent, tap: Extent, extent: Extent) -> Option<Extent> {
        let before = self.padding.map(|padding| padding.before);
        let axis = |at: usize, stride: usize, tap: usize, dilation: usize, before: usize, length: usize| {
            (at * stride + tap * dilation).checked_sub(before).filter(|position| *position < length)
        };
        Some(Axes {
            z: axis(at.z, self.stride.z, tap.z, self.dilation.z, before.z, extent.z)?,
            y: axis(at.y, self.stride.y, tap.y, self.dilation.y, before.y, extent.y)?,
            x: axis(at.x, self.stride.x, tap.x, self.dilation.x, before.x, extent.x)?,
        })
    }
}

/// What a network computes.
pub struct Outcome {
    /// In the order of a batch's values.
    pub scores: Vec<f64>,
    /// The smallest distance of a value from a bend of its activation, but for values right there, which are zeros or bounds from another one.
    pub margin: f64,
}

/// The scores of `graph` for these values of its parameters.
pub fn run(graph: &Graph, parameters: &Parameters, tensors: &[f64], input: &Batch) -> Outcome {
    let ranges: HashMap<&str, _> = parameters.list().iter().map(|p| (p.name.as_str(), p.range.clone())).collect();
    let shapes = graph.shapes(input.shape().extent).unwrap();
    let samples = input.samples();
    let mut values: Vec<Value> = Vec::new();
    let mut margin = f64::INFINITY;
    for (index, node) in graph.nodes().iter().enumerate() {
        let tensor = |part: &str| -> &[f64] { &tensors[ranges[format!("{}.{part}", node.name).as_str()].clone()] };
        let x = node.inputs.first().map(|input| &values[input.index()]);
        let other = node.inputs.get(1).map(|input| &values[input.index()]);
        let shape = shapes[index];
        let map = |f: &dyn Fn(usize, Extent, usize) -> f64| Value::from_fn(samples, shape, f);
        let value = match (&node.op, x) {
            (Op::Input { .. }, _) | (_, None) => {
                Value { samples, shape, values: input.values().iter().map(|&v| f64::from(v)).collect() }
            }
            (Op::Conv(c), Some(x)) => {
                let bias = if c.bias { tensor("bias").to_vec() } else { vec![0.0; c.out_channels] };
                convolution(c, x, shape, tensor("weight"), &bias)
            }
            (Op::ConvTranspose(c), Some(x)) => {
                let bias = if c.bias { tensor("bias").to_vec() } else { vec![0.0; c.out_channels] };
                transposed(c, x, shape, tensor("weight"), &bias)
            }
            (Op::BatchNorm(norm), Some(x)) => {
                let count = (samples * shape.extent.product()) as f64;
                let sum = |channel: usize, f: &dyn Fn(f64) -> f64| -> f64 {
                    x.values.iter().skip(channel).step_by(shape.channels).map(|v| f(*v)).sum()
                };
                let mean: Vec<f64> = (0..shape.channels).map(|c| sum(c, &|v| v) / count).collect();
                let var: Vec<f64> = (0..shape.channels).map(|c| sum(c, &|v| (v - mean[c]).powi(2)) / count).collect();
                map(&|n, at, c| {
                    (x.get(n, at, c) - mean[c]) / (var[c] + norm.epsilon).sqrt() * tensor("weight")[c] + tensor("bias")[c]
                })
            }
            (Op::InstanceNorm(norm), Some(x)) => {
                let factors = norm.affine.then(|| [tensor("weight"), tensor("bias")]);
                normalised(x, shape.channels, norm.epsilon, factors)
            }
            (Op::GroupNorm(norm), Some(x)) => normalised(x, norm.groups, norm.epsilon, Some([tensor("weight"), tensor("bias")])),
            (Op::L2Norm { epsilon }, Some(x)) => map(&|n, at, c| {
                let squares: f64 = (0..shape.channels).map(|c| x.get(n, at, c).powi(2)).sum();
                x.get(n, at, c) / (squares + epsilon).sqrt() * tensor("weight")[c]
            }),
            (Op::PRelu { .. }, Some(x)) => {
                margin = x.values.iter().map(|v| v.abs()).filter(|distance| *distance > 0.0).fold(margin, f64::min);
                let weight = tensor("weight");
                map(&|n, at, c| x.get(n, at, c).max(0.0) + weight[c % weight.len()] * x.get(n, at, c).min(0.0))
            }
            (Op::MaxUnpool(unpool), Some(x)) => unpooled(unpool, x, other.unwrap()),
            (Op::AdaptiveAveragePool { bins }, Some(x)) => map(&|n, at, c| {
                let inside = at.zip(*bins).zip(x.shape.extent).map(|((at, bins), length)| {
                    let (first, end) = (at * length / bins, ((at + 1) * length).div_ceil(bins));
                    first..end
                });
                let is_inside = |at: &Extent| inside.z.contains(&at.z) && inside.y.contains(&at.y) && inside.x.contains(&at.x);
                let values: Vec<f64> = positions(x.shape.extent).filter(is_inside).map(|at| x.get(n, at, c)).collect();
                values.iter().sum::<f64>() / values.len() as f64
            }),
            (Op::Encoding(_), Some(x)) => encoded(x, shape, tensor("codewords"), tensor("scale")),
            (Op::Turn(_), Some(x)) => map(&|n, at, c| x.get(n, Axes { x: c, ..at }, at.x)),
            (Op::Crop { place }, Some(x)) => map(&|n, at, c| {
                let before = match place {
                    CropPlace::Middle => x.shape.extent.zip(shape.extent).map(|(from, to)| (from - to) / 2),
                    CropPlace::After { before } => *before,
                };
                x.get(n, at.zip(before).map(|(at, before)| at + before), c)
            }),
            (Op::Affine, Some(x)) => map(&|n, at, c| x.get(n, at, c) * tensor("weight")[c] + tensor("bias")[c]),
            (Op::Activation(f), Some(x)) => {
                let distances = bends(*f).into_iter().flat_map(|bend| x.values.iter().map(move |v| (v - bend).abs()));
                margin = distances.filter(|distance| *distance > 0.0).fold(margin, f64::min);
                map(&|n, at, c| activation(*f, x.get(n, at, c)))
            }
            (Op::Softmax, Some(x)) => map(&|n, at, c| {
                let sum: f64 = (0..shape.channels).map(|c| x.get(n, at, c).exp()).sum();
                x.get(n, at, c).exp() / sum
            }),
            (Op::Pool(p), Some(x)) => map(&|n, at, c| pool(p, x, n, at, c)),
            (Op::GlobalAveragePool, Some(x)) => {
                map(&|n, _, c| positions(x.shape.extent).map(|at| x.get(n, at, c)).sum::<f64>() / x.shape.extent.product() as f64)
            }
            (Op::Add, Some(x)) => map(&|n, at, c| broadcast(x, n, at, c) + broadcast(other.unwrap(), n, at, c)),
            (Op::Mul, Some(x)) => map(&|n, at, c| broadcast(x, n, at, c) * broadcast(other.unwrap(), n, at, c)),
            (Op::Concat, _) => map(&|n, at, mut c| {
                for input in &node.inputs {
                    let part = &values[input.index()];
                    if c < part.shape.channels {
                        return part.get(n, at, c);
                    }
                    c -= part.shape.channels;
                }
                unreachable!("a channel beyond the parts")
            }),
            (Op::Channels { start, .. }, Some(x)) => map(&|n, at, c| x.get(n, at, start + c)),
            (Op::Resize(resize), Some(x)) => resized(resize, x, shape),
            (Op::Pad { padding, fill }, Some(x)) => map(&|n, at, c| padded(*padding, *fill, x, n, at, c)),
        };
        values.push(value);
    }
    Outcome { scores: values.swap_remove(graph.output().index()).values, margin }
}

fn convolution(c: &Conv, x: &Value, shape: Shape, weight: &[f64], bias: &[f64]) -> Value {
    let (ins, outs) = (x.shape.channels / c.groups, c.out_channels / c.groups);
    let sliding = Sliding { stride: c.stride, dilation: c.dilation, padding: c.padding };
    Value::from_fn(x.samples, shape, |n, at, out| {
        let mut sum = bias[out];
        for (k, from) in positions(c.kernel).map(|k| sliding.position(at, k, x.shape.extent)).enumerate() {
            let Some(from) = from else { continue };
            for i in 0..ins {
                sum += weight[(out * ins + i) * c.kernel.product() + k] * x.get(n, from, out / outs * ins + i);
            }
        }
        sum
    })
}

fn transposed(c: &ConvTranspose, x: &Value, shape: Shape, weight: &[f64], bias: &[f64]) -> Value {
    let (ins, outs) = (x.shape.channels / c.groups, c.out_channels / c.groups);
    let sliding = Sliding { stride: c.stride, dilation: c.dilation, padding: c.padding };
    let mut y = Value::from_fn(x.samples, shape, |_, _, out| bias[out]);
    for (n, from) in (0..x.samples).flat_map(|n| positions(x.shape.extent).map(move |from| (n, from))) {
        for (k, to) in positions(c.kernel).map(|k| sliding.position(from, k, shape.extent)).enumerate() {
            let Some(to) = to else { continue };
            for (i, o) in (0..x.shape.channels).flat_map(|i| (0..outs).map(move |o| (i, o))) {
                let index = y.index(n, to, i / ins * outs + o);
                y.values[index] += weight[(i * outs + o) * c.kernel.product() + k] * x.get(n, from, i);
            }
        }
    }
    y
}

/// By mean and variance of every sample's groups of channels.
fn normalised(x: &Value, groups: usize, epsilon: f64, factors: Option<[&[f64]; 2]>) -> Value {
    let of_group = x.shape.channels / groups;
    let mean = |n: usize, channel: usize, f: &dyn Fn(f64) -> f64| -> f64 {
        let first = channel / of_group * of_group;
        let places = positions(x.shape.extent).flat_map(|at| (first..first + of_group).map(move |c| (at, c)));
        places.map(|(at, c)| f(x.get(n, at, c))).sum::<f64>() / (of_group * x.shape.extent.product()) as f64
    };
    let moments: Vec<Vec<(f64, f64)>> = (0..x.samples)
        .map(|n| {
            let of = |c: usize| {
                let centre = mean(n, c, &|v| v);
                (centre, mean(n, c, &|v| (v - centre).powi(2)))
            };
            (0..x.shape.channels).map(of).collect()
        })
        .collect();
    Value::from_fn(x.samples, x.shape, |n, at, c| {
        let (centre, variance) = moments[n][c];
        let normal = (x.get(n, at, c) - centre) / (variance + epsilon).sqrt();
        factors.map_or(normal, |[weight, bias]| normal * weight[c] + bias[c])
    })
}

/// Values at the places of the first maxima of `pooled`.
fn unpooled(unpool: &MaxUnpool, x: &Value, pooled: &Value) -> Value {
    let mut y = Value::zeros(x.samples, pooled.shape);
    for (n, window) in (0..x.samples).flat_map(|n| positions(x.shape.extent).map(move |window| (n, window))) {
        for c in 0..x.shape.channels {
            let at = |tap: Extent| window.zip(unpool.stride).zip(tap).map(|((window, stride), tap)| window * stride + tap);
            let mut places = positions(unpool.kernel).map(at);
            let first = places.next().unwrap();
            let winner = places.fold(first, |best, at| if pooled.get(n, at, c) > pooled.get(n, best, c) { at } else { best });
            y.set(n, winner, c, x.get(n, window, c));
        }
    }
    y
}

/// Sums of residuals from codewords.
fn encoded(x: &Value, shape: Shape, codewords: &[f64], scale: &[f64]) -> Value {
    let (channels, mut y) = (x.shape.channels, Value::zeros(x.samples, shape));
    for (n, at) in (0..x.samples).flat_map(|n| positions(x.shape.extent).map(move |at| (n, at))) {
        let residual = |k: usize, c: usize| x.get(n, at, c) - codewords[k * channels + c];
        let logits: Vec<f64> =
            scale.iter().enumerate().map(|(k, s)| s * (0..channels).map(|c| residual(k, c).powi(2)).sum::<f64>()).collect();
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        for (k, c) in (0..scale.len()).flat_map(|k| (0..channels).map(move |c| (k, c))) {
            let index = y.index(n, Axes { z: 0, y: 0, x: c }, k);
            y.values[index] += logits[k].exp() / sum * residual(k, c);
        }
    }
    y
}

/// Where the function bends.
fn bends(f: Activation) -> Vec<f64> {
    match f {
        Activation::Relu | Activation::LeakyRelu { .. } => vec![0.0],
        Activation::Sigmoid | Activation::Silu => Vec::new(),
        Activation::HardSigmoid | Activation::HardSwish => vec![-3.0, 3.0],
        Activation::Clip { min, max } => min.into_iter().chain(max).collect(),
    }
}

fn activation(f: Activation, v: f64) -> f64 {
    match f {
        Activation::Relu => v.max(0.0),
        Activation::LeakyRelu { slope } => {
            if v > 0.0 {
                v
            } else {
                slope * v
            }
        }
        Activation::Sigmoid => 1.0 / (1.0 + (-v).exp()),
        Activation::HardSigmoid => (v + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSwish => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Silu => v / (1.0 + (-v).exp()),
        Activation::Clip { min, max } => v.max(min.unwrap_or(f64::NEG_INFINITY)).min(max.unwrap_or(f64::INFINITY)),
    }
}

fn pool(p: &Pool, x: &Value, n: usize, at: Extent, c: usize) -> f64 {
    let sliding = Sliding { stride: p.stride, dilation: Axes::cube(1), padding: p.padding };
    let inside = positions(p.kernel).filter_map(|k| sliding.position(at, k, x.shape.extent));
    let values: Vec<f64> = inside.map(|from| x.get(n, from, c)).collect();
    match p.kind {
        PoolKind::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
        PoolKind::AverageWithPadding => values.iter().sum::<f64>() / p.kernel.product() as f64,
        PoolKind::AverageInside => values.iter().sum::<f64>() / values.len() as f64,
    }
}

fn broadcast(x: &Value, n: usize, at: Extent, c: usize) -> f64 {
    let at = at.zip(x.shape.extent).map(|(at, length)| at.min(length - 1));
    x.get(n, at, c.min(x.shape.channels - 1))
}

fn resized(resize: &Resize, x: &Value, shape: Shape) -> Value {
    let extents = x.shape.extent.zip(shape.extent);
    Value::from_fn(x.samples, shape, |n, at, c| {
        let [zs, ys, xs] = at.zip(extents).map(|(at, (input, output))| weights(resize, at, input, output)).into_array();
        let mut sum = 0.0;
        for (z, wz) in zs {
            for (y, wy) in ys {
                for (at_x, wx) in xs {
                    sum += wz * wy * wx * x.get(n, Axes { z, y, x: at_x }, c);
                }
            }
        }
        sum
    })
}

/// The two input positions that an output position is a mean of, with their weights.
fn weights(resize: &Resize, at: usize, input: usize, output: usize) -> [(usize, f64); 2] {
    let (x, scale, end) = (at as f64, output as f64 / input as f64, (input - 1) as f64);
    let source = match resize.coordinates {
        Coordinates::HalfPixel => (x + 0.5) / scale - 0.5,
        Coordinates::Asymmetric => x / scale,
        Coordinates::AlignCorners => {
            if output == 1 {
                0.0
            } else {
                x * end / (output - 1) as f64
            }
        }
    };
    let source = source.clamp(0.0, end);
    let nearest = match resize.interpolation {
        Interpolation::Linear => {
            let low = source.floor();
            return [(low as usize, 1.0 - (source - low)), ((low + 1.0).min(end) as usize, source - low)];
        }
        Interpolation::NearestFloor => source.floor(),
        Interpolation::NearestCeil => source.ceil(),
        Interpolation::NearestPreferFloor => (source - 0.5).ceil(),
        Interpolation::NearestPreferCeil => (source + 0.5).floor(),
    };
    [(nearest.clamp(0.0, end) as usize, 1.0), (0, 0.0)]
}

fn padded(padding: Axes<Padding>, fill: PadFill, x: &Value, n: usize, at: Extent, c: usize) -> f64 {
    let mut outside = None;
    let from = at.zip(padding).zip(x.shape.extent).map(|((at, padding), length)| {
        let (at, end) = (at as i64 - padding.before as i64, length as i64 - 1);
        let inside = match fill {
            PadFill::Reflect if at < 0 => -at,
            PadFill::Reflect if at > end => 2 * end - at,
            PadFill::Reflect | PadFill::Edge => at.clamp(0, end),
            PadFill::Constant { value } => {
                if at != at.clamp(0, end) {
                    outside = Some(value);
                }
                at.clamp(0, end)
            }
        };
        inside as usize
    });
    outside.unwrap_or_else(|| x.get(n, from, c))
}
