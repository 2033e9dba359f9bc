//! Kernels, strides and padding of everything that slides a window.

use super::call::Call;
use super::draft::Draft;
use super::layout::Layout;
use super::value::Feature;
use crate::{Axes, Extent, Padding, Rank, Result};

/// Attributes that convolutions and poolings share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sliding {
    pub(super) kernel: Axes<usize>,
    pub(super) stride: Axes<usize>,
    pub(super) dilation: Axes<usize>,
    /// `pads`; what `auto_pad` says is left to [`Sliding::padding`].
    pads: Axes<Padding>,
    auto_pad: AutoPad,
}

/// Which side gets the odd one of automatic padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AutoPad {
    NotSet,
    Valid,
    SameUpper,
    SameLower,
}

impl Sliding {
    /// Reads the attributes. `kernel` is the weights' one; poolings have only the attribute.
    pub(super) fn read(call: &Call<'_>, rank: Rank, kernel: Option<&[usize]>) -> Result<Self> {
        let attribute = |name: &str| -> Result<Option<Axes<usize>>> {
            call.ints(name).map(|list| positive(call, name, list).and_then(|list| axes(call, rank, name, &list, 1))).transpose()
        };
        let given = kernel.map(|k| axes(call, rank, "weight", k, 1)).transpose()?;
        let kernel = match (attribute("kernel_shape")?, given) {
            (Some(a), Some(b)) if a != b => return Err(call.refuse("kernel_shape is not that of the weight")),
            (Some(kernel), _) | (None, Some(kernel)) => kernel,
            (None, None) => return Err(call.refuse("kernel_shape is missing")),
        };
        let auto_pad = match call.text("auto_pad", "NOTSET").as_ref() {
            "NOTSET" | "" => AutoPad::NotSet,
            "VALID" => AutoPad::Valid,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            other => return Err(call.refuse(format!("auto_pad {other}"))),
        };
        let pads = match call.ints("pads") {
            Some(list) => paddings(call, rank, list)?,
            None => Axes::default(),
        };
        let stride = attribute("strides")?.unwrap_or(Axes::cube(1));
        let dilation = attribute("dilations")?.unwrap_or(Axes::cube(1));
        Ok(Self { kernel, stride, dilation, pads, auto_pad })
    }

    /// Positions from the first to the last tap of the kernel, both counted.
    pub(super) fn reach(&self) -> Axes<usize> {
        self.kernel.zip(self.dilation).map(|(k, d)| (k - 1) * d + 1)
    }

    /// Padding for an input whose extent may be known.
    pub(super) fn padding(&self, call: &Call<'_>, input: Option<Extent>) -> Result<Axes<Padding>> {
        match self.auto_pad {
            AutoPad::NotSet => Ok(self.pads),
            AutoPad::Valid => Ok(Axes::default()),
            AutoPad::SameUpper | AutoPad::SameLower => {
                let total = match input {
                    // As many outputs as strides fit into the input, the last one perhaps in part.
                    Some(input) => input
                        .zip(self.stride.zip(self.reach()))
                        .map(|(n, (stride, reach))| ((n.div_ceil(stride) - 1) * stride + reach).saturating_sub(n)),
                    None if self
                        .stride
                        .zip(self.reach())
                        .into_array()
                        .iter()
                        .all(|(stride, reach)| *stride == 1 || *reach == 1) =>
                    {
                        self.reach().map(|reach| reach - 1)
                    }
                    None => return Err(call.refuse("auto_pad with a stride depends on the input's extent, which is free")),
                };
                Ok(self.shared(total))
            }
        }
    }

    /// What a transposed convolution cuts off; `output_shape` is what shall be left.
    pub(super) fn cropping(
        &self,
        call: &Call<'_>,
        input: Option<Extent>,
        output_padding: Axes<usize>,
        output_shape: Option<Extent>,
    ) -> Result<Axes<Padding>> {
        let fail = || call.refuse("the output is larger than what the kernel reaches");
        let over = |full: Axes<usize>, wanted: Axes<usize>| {
            let fits = full.zip(wanted).into_array().iter().all(|(full, wanted)| full >= wanted);
            if fits { Ok(self.shared(full.zip(wanted).map(|(full, wanted)| full - wanted))) } else { Err(fail()) }
        };
        let tail = self.reach().zip(output_padding).map(|(reach, more)| reach + more);
        match (output_shape, self.auto_pad) {
            (Some(wanted), _) => {
                let input = input.ok_or_else(|| call.refuse("output_shape with an input of free extent"))?;
                // What saturates is refused as a padding that no network has.
                let steps = input.zip(self.stride).map(|(n, stride)| (n - 1).saturating_mul(stride));
                over(steps.zip(tail).map(|(steps, tail)| steps.saturating_add(tail)), wanted)
            }
            (None, AutoPad::NotSet) => Ok(self.pads),
            (None, AutoPad::Valid) => Ok(Axes::default()),
            // The output is stride times the input, whose extent cancels out.
            (None, AutoPad::SameUpper | AutoPad::SameLower) => over(tail, self.stride),
        }
    }

    fn shared(&self, total: Axes<usize>) -> Axes<Padding> {
        total.map(|total| match self.auto_pad {
            AutoPad::SameUpper => Padding { before: total / 2, after: total - total / 2 },
            _ => Padding { before: total - total / 2, after: total / 2 },
        })
    }
}

/// The error if the axes of `x` are not batch, channels and space in their order.
pub(super) fn expect_channels_first(call: &Call<'_>, draft: &Draft, x: &Feature) -> Result<()> {
    let expected = Layout::channels_first(draft.rank());
    if x.layout == expected { Ok(()) } else { Err(call.refuse(format!("expected axes {expected}, got {}", x.layout))) }
}

/// One value per spatial axis of the file; a planar network's depth gets the neutral one.
pub(super) fn axes<T: Copy>(call: &Call<'_>, rank: Rank, what: &str, list: &[T], neutral: T) -> Result<Axes<T>> {
    match (rank, list) {
        (Rank::Planar, [y, x]) => Ok(Axes { z: neutral, y: *y, x: *x }),
        (Rank::Volumetric, [z, y, x]) => Ok(Axes { z: *z, y: *y, x: *x }),
        _ => Err(call.refuse(format!("{what}: expected one value per spatial axis, got {}", list.len()))),
    }
}

/// Values of at least 1.
fn positive(call: &Call<'_>, what: &str, list: &[i64]) -> Result<Vec<usize>> {
    if list.contains(&0) {
        return Err(call.refuse(format!("{what}: expected positive values, got {list:?}")));
    }
    sizes(call, what, list)
}

/// Values that are not negative, and so small that sums and products of a few do not overflow.
pub(super) fn sizes(call: &Call<'_>, what: &str, list: &[i64]) -> Result<Vec<usize>> {
    const LARGEST: usize = 1 << 24;
    let sizes: Option<Vec<usize>> = list.iter().map(|v| usize::try_from(*v).ok().filter(|v| *v <= LARGEST)).collect();
    sizes.ok_or_else(|| call.refuse(format!("{what}: expected values within 0..={LARGEST}, got {list:?}")))
}

/// Paddings from all starts followed by all ends.
pub(super) fn paddings(call: &Call<'_>, rank: Rank, list: &[i64]) -> Result<Axes<Padding>> {
    let sizes = sizes(call, "pads", list)?;
    let (before, after) = sizes.split_at(sizes.len() / 2);
    if before.len() != after.len() {
        return Err(call.refuse(format!("pads {list:?} are not two per axis")));
    }
    let pairs: Vec<Padding> = before.iter().zip(after).map(|(&before, &after)| Padding { before, after }).collect();
    axes(call, rank, "pads", &pairs, Padding::default())
}
