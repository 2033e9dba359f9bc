//! Channels and extents of every node, from the nodes alone.

use crate::windows::{transposed, windowed};
use crate::{
    Axes, Conv, ConvTranspose, CropPlace, Encoding, Error, Extent, GroupNorm, MaxUnpool, Node, Op, PadFill, Padding, Pool,
    Resize, ResizeTo, Result, Shape, Turn,
};

/// Channels of every node; checks arity and that channels fit.
pub(crate) fn channels(nodes: &[Node]) -> Result<Vec<usize>> {
    let mut channels: Vec<usize> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let inputs: Vec<usize> = node.inputs.iter().map(|i| channels[i.0]).collect();
        channels.push(node_channels(node, &inputs)?);
    }
    Ok(channels)
}

/// Channels of one node from those of its inputs.
pub(crate) fn node_channels(node: &Node, inputs: &[usize]) -> Result<usize> {
    let fail = |expected: String, got: String| Error::Node { node: node.name.clone(), expected, got };
    let arity = match &node.op {
        Op::Input { .. } => 0..=0,
        Op::Add | Op::Mul | Op::MaxUnpool(_) | Op::Crop { .. } => 2..=2,
        Op::Concat => 1..=usize::MAX,
        Op::Resize(r) if r.to == ResizeTo::Like => 2..=2,
        _ => 1..=1,
    };
    if !arity.contains(&inputs.len()) {
        return Err(fail(format!("{} inputs at least, {} at most", arity.start(), arity.end()), format!("{}", inputs.len())));
    }
    check_steps(node)?;
    let grouped = |groups: usize, out: usize| {
        if groups == 0 || out == 0 || !inputs[0].is_multiple_of(groups) || !out.is_multiple_of(groups) {
            return Err(fail(format!("input and output channels in {groups} groups"), format!("{} and {out}", inputs[0])));
        }
        Ok(out)
    };
    let channels = match &node.op {
        Op::Input { channels: 0 } => return Err(fail("at least one band".into(), "none".into())),
        Op::Turn(Turn { width, .. }) if inputs[0] != *width => {
            return Err(fail(format!("an input of {width} channels"), inputs[0].to_string()));
        }
        Op::Input { channels } | Op::Turn(Turn { channels, .. }) => *channels,
        Op::Conv(Conv { out_channels, groups, .. }) | Op::ConvTranspose(ConvTranspose { out_channels, groups, .. }) => {
            grouped(*groups, *out_channels)?
        }
        Op::GroupNorm(GroupNorm { groups, .. }) => grouped(*groups, inputs[0])?,
        Op::MaxUnpool(_) if inputs[0] != inputs[1] => {
            return Err(fail("two inputs with the same channels".into(), format!("{} and {}", inputs[0], inputs[1])));
        }
        Op::Encoding(Encoding { channels, .. }) if inputs[0] != *channels => {
            return Err(fail(format!("an input of {channels} channels"), inputs[0].to_string()));
        }
        Op::Encoding(Encoding { codewords, .. }) => *codewords,
        Op::Add | Op::Mul => match (inputs[0], inputs[1]) {
            (a, b) if a == b || b == 1 => a,
            (1, b) => b,
            (a, b) => return Err(fail("two inputs with the same channels".into(), format!("{a} and {b}"))),
        },
        Op::Concat => inputs.iter().sum(),
        Op::Channels { start, count } => {
            if *count == 0 || start.checked_add(*count).is_none_or(|end| end > inputs[0]) {
                return Err(fail(format!("channels within 0..{}", inputs[0]), format!("{count} from {start}")));
            }
            *count
        }
        _ => inputs[0],
    };
    if channels == 0 {
        return Err(fail("at least one channel".into(), "none".into()));
    }
    if channels > MAX_CHANNELS {
        return Err(fail(format!("at most {MAX_CHANNELS} channels"), channels.to_string()));
    }
    let weight = match &node.op {
        Op::Conv(Conv { kernel, groups, .. }) | Op::ConvTranspose(ConvTranspose { kernel, groups, .. }) => {
            (kernel.product() as u128) * (inputs[0] as u128) * (channels as u128) / (*groups as u128)
        }
        Op::Encoding(Encoding { codewords, channels }) => (*codewords as u128) * (*channels as u128),
        _ => 0,
    };
    if weight > MAX_VALUES {
        return Err(fail(format!("a weight of at most {MAX_VALUES} values"), weight.to_string()));
    }
    Ok(channels)
}

/// Checks the numbers that windows are made of; files may hold anything.
fn check_steps(node: &Node) -> Result<()> {
    let fail = |got: String| {
        let expected = format!("numbers of 1 to {MAX_STEP}, or no padding");
        Err(Error::Node { node: node.name.clone(), expected, got })
    };
    let (steps, padding) = match &node.op {
        Op::Conv(Conv { kernel, stride, dilation, padding, .. }) => {
            (vec![("kernel", *kernel), ("stride", *stride), ("dilation", *dilation)], *padding)
        }
        Op::ConvTranspose(ConvTranspose { kernel, stride, dilation, padding, output_padding, .. }) => {
            if let Some(value) = output_padding.into_array().into_iter().find(|value| *value > MAX_STEP) {
                return fail(format!("an output padding of {value}"));
            }
            (vec![("kernel", *kernel), ("stride", *stride), ("dilation", *dilation)], *padding)
        }
        Op::Pool(Pool { kernel, stride, padding, .. }) => (vec![("kernel", *kernel), ("stride", *stride)], *padding),
        Op::MaxUnpool(MaxUnpool { kernel, stride }) => {
            if let Some((kernel, stride)) = kernel.zip(*stride).into_array().into_iter().find(|(kernel, stride)| kernel > stride)
            {
                let (expected, got) =
                    ("windows that do not overlap".into(), format!("a kernel of {kernel} with a stride of {stride}"));
                return Err(Error::Node { node: node.name.clone(), expected, got });
            }
            (vec![("kernel", *kernel), ("stride", *stride)], Axes::default())
        }
        Op::AdaptiveAveragePool { bins } => (vec![("number of bins", *bins)], Axes::default()),
        Op::Crop { place: CropPlace::After { before } } => (Vec::new(), before.map(|before| Padding { before, after: 0 })),
        Op::Pad { padding, .. } => (Vec::new(), *padding),
        Op::Resize(Resize { to: ResizeTo::Extent { extent }, .. }) => (vec![("resized length", *extent)], Axes::default()),
        Op::Resize(Resize { to: ResizeTo::Factor { factor }, .. }) => {
            let wrong = factor.into_array().into_iter().find(|factor| !(*factor > 0.0 && *factor <= MAX_STEP as f64));
            return wrong.map_or(Ok(()), |factor| fail(format!("a factor of {factor}")));
        }
        _ => return Ok(()),
    };
    for (name, values) in steps {
        if let Some(value) = values.into_array().into_iter().find(|value| !(1..=MAX_STEP).contains(value)) {
            return fail(format!("a {name} of {value}"));
        }
    }
    let padding = padding.into_array().into_iter().flat_map(|p| [p.before, p.after]).max().unwrap_or(0);
    if padding > MAX_STEP { fail(format!("a padding of {padding}")) } else { Ok(()) }
}

/// Far more than any network has, and small enough that sums and products of a few do not overflow.
pub(crate) const MAX_STEP: usize = 1 << 16;

/// Far more than any network has, and few enough that adding and multiplying some does not overflow.
const MAX_CHANNELS: usize = 1 << 24;

/// More values than any machine holds: a tensor of so many is a mistake in the file.
const MAX_VALUES: u128 = 1 << 40;

/// Shapes of every node for an input extent.
pub(crate) fn shapes(nodes: &[Node], channels: &[usize], input: Extent) -> Result<Vec<Shape>> {
    let mut extents: Vec<Extent> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let inputs: Vec<Extent> = match node.op {
            Op::Input { .. } => vec![input],
            _ => node.inputs.iter().map(|i| extents[i.0]).collect(),
        };
        extents.push(node_extent(node, &inputs)?);
    }
    let shape = |((node, &channels), extent): ((&Node, &usize), Extent)| {
        let shape = Shape { channels, extent };
        // Neither factor is above the 2^40 of `MAX_VALUES`.
        if channels as u128 * extent.product() as u128 > MAX_VALUES {
            let (expected, got) = (format!("a result of at most {MAX_VALUES} values"), shape.to_string());
            return Err(Error::Node { node: node.name.clone(), expected, got });
        }
        Ok(shape)
    };
    nodes.iter().zip(channels).zip(extents).map(shape).collect()
}

/// Extent of one node from those of its inputs; that of the network's input for its first node.
pub(crate) fn node_extent(node: &Node, inputs: &[Extent]) -> Result<Extent> {
    let of = |i: usize| inputs[i];
    let fail = |expected: String, got: Extent| Error::Node {
        node: node.name.clone(),
        expected,
        got: format!("an input of {} x {} x {}", got.z, got.y, got.x),
    };
    let extent = match &node.op {
        Op::Conv(c) => windowed(of(0), c.kernel, c.stride, c.padding, c.dilation)
            .ok_or_else(|| fail("an input no smaller than the kernel".into(), of(0)))?,
        Op::Pool(Pool { kernel, stride, padding, .. }) => windowed(of(0), *kernel, *stride, *padding, Axes::cube(1))
            .ok_or_else(|| fail("an input no smaller than the window".into(), of(0)))?,
        Op::ConvTranspose(c) => transposed(of(0), c).ok_or_else(|| fail("a larger input".into(), of(0)))?,
        Op::GlobalAveragePool => Axes::cube(1),
        Op::AdaptiveAveragePool { bins } => *bins,
        Op::MaxUnpool(MaxUnpool { kernel, stride }) => {
            let pooled = windowed(of(1), *kernel, *stride, Axes::default(), Axes::cube(1));
            if pooled != Some(of(0)) {
                let wanted = pooled.map_or("a second input no smaller than the window".into(), |Axes { z, y, x }| {
                    format!("as many values as the second input has windows, {z} x {y} x {x}")
                });
                return Err(fail(wanted, of(0)));
            }
            of(1)
        }
        Op::Encoding(Encoding { channels, .. }) => Axes { x: *channels, ..Axes::cube(1) },
        Op::Turn(Turn { channels, width }) => {
            if of(0) != (Axes { x: *channels, ..Axes::cube(1) }) {
                return Err(fail(format!("an input of 1 x 1 x {channels}"), of(0)));
            }
            Axes { x: *width, ..Axes::cube(1) }
        }
        Op::Crop { place } => {
            let (from, to) = (of(0), of(1));
            let before = place.before(from, to);
            let fits = from.zip(to).zip(before).into_array().into_iter().all(|((from, to), before)| before + to <= from);
            if !fits {
                let end = to.zip(before).map(|(to, before)| to + before);
                return Err(fail(format!("at least {} x {} x {} positions to cut from", end.z, end.y, end.x), from));
            }
            to
        }
        Op::Add | Op::Mul => broadcast(of(0), of(1)).ok_or_else(|| {
            let Axes { z, y, x } = of(1);
            fail(format!("two inputs of the same extent, one being {z} x {y} x {x}"), of(0))
        })?,
        Op::Concat => {
            if let Some(other) = inputs.iter().find(|e| **e != of(0)) {
                let Axes { z, y, x } = of(0);
                return Err(fail(format!("inputs that are all {z} x {y} x {x}"), *other));
            }
            of(0)
        }
        Op::Resize(r) => match r.to {
            ResizeTo::Like => of(1),
            ResizeTo::Factor { factor } => of(0).zip(factor).map(|(n, f)| (n as f64 * f).floor() as usize),
            ResizeTo::Extent { extent } => extent,
        },
        Op::Pad { padding, fill } => {
            let too_few = |(n, p): (usize, Padding)| p.before.max(p.after) >= n;
            if *fill == PadFill::Reflect && of(0).zip(*padding).into_array().into_iter().any(too_few) {
                return Err(fail("more positions than are reflected".into(), of(0)));
            }
            of(0).zip(*padding).map(|(n, p)| n + p.total())
        }
        Op::Input { .. }
        | Op::BatchNorm(_)
        | Op::InstanceNorm(_)
        | Op::GroupNorm(_)
        | Op::L2Norm { .. }
        | Op::Affine
        | Op::Activation(_)
        | Op::PRelu { .. }
        | Op::Softmax
        | Op::Channels { .. } => of(0),
    };
    match extent.into_array().into_iter().try_fold(1, usize::checked_mul) {
        Some(0) => Err(fail("a result of at least one position".into(), of(0))),
        Some(positions) if positions as u128 <= MAX_VALUES => Ok(extent),
        _ => Err(fail(format!("a result of at most {MAX_VALUES} positions"), of(0))),
    }
}

fn broadcast(a: Extent, b: Extent) -> Option<Extent> {
    let axis = |a: usize, b: usize| match (a, b) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    };
    Some(Axes { z: axis(a.z, b.z)?, y: axis(a.y, b.y)?, x: axis(a.x, b.x)? })
}
