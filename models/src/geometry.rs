//! What an output pixel can see of the input, and on which pixels tiles must start.

use crate::infer::MAX_STEP;
use crate::{
    Axes, Conv, ConvTranspose, Coordinates, CropPlace, Error, Extent, Graph, Interpolation, Node, Op, Orientation, Padding, Pool,
    Rank, Resize, ResizeTo, Result,
};

/// How the output's pixels relate to the input's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Tiles that start and end on multiples of this, in input pixels, meet every strided layer in the same phase as the whole raster does.
    pub stride: Axes<usize>,
    /// Input pixels at either side that have no output (convolutions without padding lose them); 0 for networks that keep the extent.
    pub margin: Axes<Padding>,
    /// How far an output pixel sees.
    pub reach: Reach,
    /// The most input pixels that one output pixel sees along each axis.
    field: Axes<usize>,
}

/// How far an output pixel sees into the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// So many pixels around its own place, before and after, at most; not every pixel sees both.
    Halo(Axes<Padding>),
    /// All of the input: what a tile yields depends on where it was cut.
    WholeTile {
        /// The node that makes it so.
        node: String,
    },
}

impl Geometry {
    /// The same along the axes of a raster that lies so to the network.
    pub(crate) fn oriented(self, orientation: &Orientation) -> Self {
        let reach = match self.reach {
            Reach::Halo(halo) => Reach::Halo(orientation.padding_to_raster(halo)),
            Reach::WholeTile { node } => Reach::WholeTile { node },
        };
        Self {
            stride: orientation.to_raster(self.stride),
            margin: orientation.padding_to_raster(self.margin),
            reach,
            field: orientation.to_raster(self.field),
        }
    }

    /// The larger side of the halo along each axis, if there is one.
    #[must_use]
    pub fn halo(&self) -> Option<Axes<usize>> {
        match self.reach {
            Reach::Halo(halo) => Some(halo.map(|p| p.before.max(p.after))),
            Reach::WholeTile { .. } => None,
        }
    }

    /// The receptive field: the most input pixels that one output pixel sees along each axis, if that is not all of them. It can be less than
    /// both sides of the halo together, which different pixels see; of several networks, or views, it is taken for as much.
    #[must_use]
    pub fn receptive_field(&self) -> Option<Axes<usize>> {
        match self.reach {
            Reach::Halo(_) => Some(self.field),
            Reach::WholeTile { .. } => None,
        }
    }

    /// As far as two networks see: to each side the farther of both. One may see what lies before a pixel, the other what lies after it.
    pub(crate) fn join(&mut self, other: &Self) {
        self.reach = farther(&self.reach, &other.reach);
        self.see_mirrored();
    }

    /// The receptive field with both sides of the halo, as a network has that is also run on what is mirrored, or turned.
    pub(crate) fn see_mirrored(&mut self) {
        if let Reach::Halo(halo) = self.reach {
            self.field = halo.map(|side| side.total() + 1);
        }
    }

    /// A geometry that sees so much farther along height and width.
    #[must_use]
    pub fn widened(mut self, by: usize) -> Self {
        if let Reach::Halo(halo) = &mut self.reach {
            let wider = |side: Padding| Padding { before: side.before + by, after: side.after + by };
            *halo = Axes { y: wider(halo.y), x: wider(halo.x), ..*halo };
        }
        self.field = Axes { y: self.field.y + 2 * by, x: self.field.x + 2 * by, ..self.field };
        self
    }
}

/// A fraction in lowest terms, neither number above [`Ratio::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ratio {
    num: usize,
    den: usize,
}

impl Ratio {
    const ONE: Self = Self { num: 1, den: 1 };

    /// Far more than any network resizes by, and small enough that products with positions do not overflow.
    const MAX: usize = 1 << 22;

    /// `None` beyond [`Ratio::MAX`].
    fn new(num: usize, den: usize) -> Option<Self> {
        let g = gcd(num, den);
        let ratio = Self { num: num / g, den: den / g };
        (ratio.num <= Self::MAX && ratio.den <= Self::MAX).then_some(ratio)
    }

    fn times(self, other: Self) -> Option<Self> {
        Self::new(self.num * other.num, self.den * other.den)
    }

    fn over(self, other: Self) -> Option<Self> {
        Self::new(self.num * other.den, self.den * other.num)
    }

    /// The fraction with a denominator up to 64 that an `f64` factor stands for.
    fn from_factor(factor: f64) -> Option<Self> {
        (1..=64usize).find_map(|den| {
            let num = factor * den as f64;
            if num >= 1.0 && (num - num.round()).abs() < 1e-6 * num { Self::new(num.round() as usize, den) } else { None }
        })
    }
}

/// Which of two reaches sees farther.
fn farther(a: &Reach, b: &Reach) -> Reach {
    match (a, b) {
        (Reach::Halo(a), Reach::Halo(b)) => {
            Reach::Halo(a.zip(*b).map(|(a, b)| Padding { before: a.before.max(b.before), after: a.after.max(b.after) }))
        }
        (Reach::WholeTile { node }, _) | (_, Reach::WholeTile { node }) => Reach::WholeTile { node: node.clone() },
    }
}

/// The least common multiple.
pub(crate) fn lcm(a: usize, b: usize) -> usize {
    a / gcd(a, b) * b
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Positions of a node that are needed, first and last.
#[derive(Clone, Copy, Debug)]
struct Needed {
    first: i64,
    last: i64,
}

impl Needed {
    /// Farther away than any raster is long, and near enough that products with strides do not overflow.
    const FARTHEST: i64 = 1 << 32;

    fn is_near(self) -> bool {
        [self.first, self.last].iter().all(|position| position.abs() <= Self::FARTHEST)
    }

    fn union(self, other: Option<Self>) -> Self {
        other.map_or(self, |o| Self { first: self.first.min(o.first), last: self.last.max(o.last) })
    }
}

/// One of the three axes, by its place in [`Axes::into_array`].
type AxisIndex = usize;

fn along<T: Copy>(axes: Axes<T>, axis: AxisIndex) -> T {
    axes.into_array()[axis]
}

impl Graph {
    /// Stride, margin and receptive field, found by following every output pixel of one period back to the input.
    ///
    /// # Errors
    /// If the output has not one pixel per input pixel, or does not keep to the middle of the input, or a node has a scale or stride beyond all
    /// reason.
    pub fn geometry(&self) -> Result<Geometry> {
        let axes = match self.rank() {
            Rank::Planar => 1..3,
            Rank::Volumetric => 0..3,
        };
        let mut stride = Axes::cube(1).into_array();
        let mut margin = [Padding::default(); 3];
        let mut halo = [Padding::default(); 3];
        let mut field = [1; 3];
        let scales: Vec<_> = axes.clone().map(|axis| self.scales(axis)).collect::<Result<_>>()?;
        let readers = self.readers();
        for (axis, scales) in axes.clone().zip(&scales) {
            for ((node, scale), readers) in self.nodes().iter().zip(scales).zip(&readers) {
                // What the scores do not depend on does not matter.
                if readers.is_empty() {
                    continue;
                }
                // Neither factor is above `Ratio::MAX`.
                stride[axis] *= scale.den / gcd(stride[axis], scale.den);
                if stride[axis] > MAX_STEP {
                    return Err(Error::Node {
                        node: node.name.clone(),
                        expected: format!("strides of at most {MAX_STEP} in all"),
                        got: stride[axis].to_string(),
                    });
                }
            }
            if scales[self.output().0] != Ratio::ONE {
                let Ratio { num, den } = scales[self.output().0];
                return Err(Error::Unsuitable {
                    reason: format!("the output has {num}/{den} pixels per input pixel, expected 1"),
                });
            }
        }
        let stride = Axes::from_array(stride);
        let offsets = self.offsets(stride)?;
        for axis in axes.clone() {
            let lost = -along(offsets[self.output().0], axis);
            let Ok(lost) = usize::try_from(lost) else {
                return Err(Error::Unsuitable { reason: format!("the output is {} pixels larger than the input", -lost) });
            };
            margin[axis] = Padding { before: lost / 2, after: lost - lost / 2 };
        }
        let halves = margin;
        let whole = |node: &Node| Geometry {
            stride,
            margin: Axes::from_array(halves),
            reach: Reach::WholeTile { node: node.name.clone() },
            field: Axes::cube(usize::MAX),
        };
        for (axis, scales) in axes.zip(&scales) {
            let seen = |position: usize| self.seen(axis, position as i64, scales, &offsets);
            let seen = match (0..along(stride, axis)).map(seen).collect::<Result<Vec<Needed>, &Node>>() {
                Ok(seen) => seen,
                Err(node) => return Ok(whole(node)),
            };
            let lost = margin[axis].total();
            if lost > 0 {
                // A score belongs to the middle of what it sees, on average over a period.
                let twice: i64 = seen.iter().zip(0..).map(|(seen, position)| seen.first + seen.last - 2 * position).sum();
                let count = seen.len() as i64;
                let before = usize::try_from((twice + count - 1).div_euclid(2 * count)).unwrap_or(0).min(lost);
                margin[axis] = Padding { before, after: lost - before };
            }
            for (position, seen) in seen.iter().enumerate() {
                let place = (position + margin[axis].before) as i64;
                halo[axis].before = halo[axis].before.max(usize::try_from(place - seen.first).unwrap_or(0));
                halo[axis].after = halo[axis].after.max(usize::try_from(seen.last - place).unwrap_or(0));
                field[axis] = field[axis].max(usize::try_from(seen.last - seen.first + 1).unwrap_or(0));
            }
        }
        let [margin, halo] = [margin, halo].map(Axes::from_array);
        Ok(Geometry { stride, margin, reach: Reach::Halo(halo), field: Axes::from_array(field) })
    }

    /// Positions of every node per input position, along one axis.
    fn scales(&self, axis: AxisIndex) -> Result<Vec<Ratio>> {
        let mut scales: Vec<Ratio> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let of = |i: usize| scales[node.inputs[i].0];
            let fail = |expected: &str, got: String| Error::Node { node: node.name.clone(), expected: expected.into(), got };
            let scale = match &node.op {
                Op::Input { .. } => Some(Ratio::ONE),
                Op::Conv(Conv { stride, .. }) | Op::Pool(Pool { stride, .. }) => {
                    Ratio::new(along(*stride, axis), 1).and_then(|stride| of(0).over(stride))
                }
                Op::ConvTranspose(ConvTranspose { stride, .. }) => {
                    Ratio::new(along(*stride, axis), 1).and_then(|stride| of(0).times(stride))
                }
                Op::Resize(Resize { to, .. }) => match to {
                    ResizeTo::Like => Some(of(1)),
                    ResizeTo::Factor { factor } => {
                        let factor = along(*factor, axis);
                        let simple = Ratio::from_factor(factor);
                        of(0).times(simple.ok_or_else(|| fail("a resize factor that is a simple fraction", factor.to_string()))?)
                    }
                    ResizeTo::Extent { extent } => {
                        let input = self.fixed_extent().map_or(1, |fixed| along(fixed, axis));
                        Ratio::new(along(*extent, axis), input)
                    }
                },
                Op::MaxUnpool(_) => Some(of(1)),
                Op::Crop { .. } => Some(of(0)),
                // After a global mean there is one position, whatever the input; such a graph sees the whole tile anyway.
                _ => node.inputs.iter().map(|i| scales[i.0]).max_by_key(|r| r.num * 1024 / r.den).or(Some(Ratio::ONE)),
            };
            let expected = "positions per input pixel as a simple fraction";
            scales.push(scale.ok_or_else(|| fail(expected, format!("numbers above {} in it", Ratio::MAX)))?);
        }
        Ok(scales)
    }

    /// Positions of every node beyond `scale * input`, for inputs that are multiples of the stride.
    fn offsets(&self, stride: Axes<usize>) -> Result<Vec<Axes<i64>>> {
        let input = self.fixed_extent().unwrap_or_else(|| {
            let large = |side: usize| stride.map(|stride| side.next_multiple_of(stride));
            match self.rank() {
                Rank::Planar => Extent { z: 1, ..large(4096) },
                // Of a larger volume a wide network has more values than a result may have.
                Rank::Volumetric => large(1024),
            }
        });
        let shapes = self.shapes(input)?;
        let scales: Vec<Vec<Ratio>> = (0..3).map(|axis| self.scales(axis)).collect::<Result<_>>()?;
        Ok(shapes
            .iter()
            .enumerate()
            .map(|(node, shape)| {
                let offset = |axis: AxisIndex| {
                    let Ratio { num, den } = scales[axis][node];
                    along(shape.extent, axis) as i64 - (along(input, axis) * num / den) as i64
                };
                Axes { z: offset(0), y: offset(1), x: offset(2) }
            })
            .collect())
    }

    /// The input positions that one output position depends on, or the node that sees everything.
    fn seen(&self, axis: AxisIndex, position: i64, scales: &[Ratio], offsets: &[Axes<i64>]) -> Result<Needed, &Node> {
        let mut needed: Vec<Option<Needed>> = vec![None; self.nodes().len()];
        needed[self.output().0] = Some(Needed { first: position, last: position });
        let mut stretched = None;
        for (index, node) in self.nodes().iter().enumerate().rev() {
            let Some(Needed { first, last }) = needed[index] else { continue };
            let window = |kernel: usize, stride: usize, before: usize, dilation: usize| Needed {
                first: first * stride as i64 - before as i64,
                last: last * stride as i64 - before as i64 + (dilation * (kernel - 1)) as i64,
            };
            let read = match &node.op {
                Op::Input { .. } => continue,
                Op::Conv(c) => {
                    window(along(c.kernel, axis), along(c.stride, axis), along(c.padding, axis).before, along(c.dilation, axis))
                }
                Op::Pool(p) => window(along(p.kernel, axis), along(p.stride, axis), along(p.padding, axis).before, 1),
                Op::ConvTranspose(c) => {
                    let (stride, before) = (along(c.stride, axis) as i64, along(c.padding, axis).before as i64);
                    let reach = (along(c.dilation, axis) * (along(c.kernel, axis) - 1)) as i64;
                    Needed {
                        first: (first + before - reach + stride - 1).div_euclid(stride),
                        last: (last + before).div_euclid(stride),
                    }
                }
                Op::Pad { padding, .. } => {
                    let before = along(*padding, axis).before as i64;
                    Needed { first: first - before, last: last - before }
                }
                Op::GlobalAveragePool
                | Op::AdaptiveAveragePool { .. }
                | Op::InstanceNorm(_)
                | Op::GroupNorm(_)
                | Op::Encoding(_)
                | Op::Turn(_) => return Err(node),
                Op::MaxUnpool(p) => {
                    let (kernel, stride) = (along(p.kernel, axis) as i64, along(p.stride, axis) as i64);
                    let [first, last] = [first, last].map(|position| position.div_euclid(stride));
                    let values = Needed { first, last };
                    let windows = Needed { first: first * stride, last: last * stride + kernel - 1 };
                    for (input, read) in node.inputs.iter().zip([values, windows]) {
                        if !read.is_near() {
                            return Err(node);
                        }
                        needed[input.0] = Some(read.union(needed[input.0]));
                    }
                    continue;
                }
                Op::Crop { place } => {
                    // What is cut off must not depend on the extent.
                    let [from, to] = [node.inputs[0].0, node.inputs[1].0];
                    if scales[from] != scales[to] {
                        return Err(node);
                    }
                    let more = along(offsets[from], axis) - along(offsets[to], axis);
                    let before = match place {
                        CropPlace::Middle => more.div_euclid(2),
                        CropPlace::After { before } => along(*before, axis) as i64,
                    };
                    Needed { first: first + before, last: last + before }
                }
                Op::Resize(resize) => {
                    let input = node.inputs[0].0;
                    let Some(ratio) = scales[index].over(scales[input]) else { return Err(node) };
                    // Unlike ends change the factor with the extent, unless it is given and whole; aligned corners make it depend on the extent anyway.
                    let is_whole = matches!(resize.to, ResizeTo::Factor { .. }) && ratio.den == 1;
                    let [own, from] = [index, input].map(|node| along(offsets[node], axis));
                    let proportional = is_whole || own == 0 && from == 0;
                    if ratio != Ratio::ONE && (!proportional || resize.coordinates == Coordinates::AlignCorners) {
                        return Err(node);
                    }
                    // As long as its input, it is its input. A fixed difference, as valid convolutions make one, is a factor that depends on the extent.
                    // Before the node is blamed, those that it reads are asked: a global mean has no place either.
                    if ratio == Ratio::ONE && own != from {
                        stretched = stretched.or(Some(node));
                    }
                    resized(*resize, ratio, first, last)
                }
                _ => Needed { first, last },
            };
            if !read.is_near() {
                return Err(node);
            }
            for input in node.value_inputs() {
                needed[input.0] = Some(read.union(needed[input.0]));
            }
        }
        match stretched {
            Some(node) => Err(node),
            None => Ok(needed[0].unwrap_or(Needed { first: position, last: position })),
        }
    }
}

/// The input positions that a resampling reads for the output positions `first..=last`; `ratio` is output over input.
fn resized(resize: Resize, ratio: Ratio, first: i64, last: i64) -> Needed {
    let (num, den) = (ratio.num as i64, ratio.den as i64);
    // The input coordinate as a fraction `a / b`.
    let source = |x: i64| match resize.coordinates {
        Coordinates::HalfPixel => ((2 * x + 1) * den - num, 2 * num),
        Coordinates::Asymmetric | Coordinates::AlignCorners => (x * den, num),
    };
    let floor = |(a, b): (i64, i64)| a.div_euclid(b);
    let ceil = |(a, b): (i64, i64)| -(-a).div_euclid(b);
    match resize.interpolation {
        Interpolation::NearestFloor => Needed { first: floor(source(first)), last: floor(source(last)) },
        Interpolation::NearestCeil => Needed { first: ceil(source(first)), last: ceil(source(last)) },
        _ => Needed { first: floor(source(first)), last: ceil(source(last)) },
    }
}
