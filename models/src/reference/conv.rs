//! Convolutions as sums of candle's planar ones.

use candle_core::{Result, Tensor};

use super::ops::{SPATIAL, pad, select};
use crate::{Axes, Conv, ConvTranspose, Extent, PadFill, Padding};

/// `weight`: `(out, in / groups, kernel z, kernel y, kernel x)`.
pub(super) fn conv(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, c: &Conv) -> Result<Tensor> {
    let reach = |axis: usize| c.dilation.into_array()[axis] * (c.kernel.into_array()[axis] - 1) + 1;
    // What is left over at the end of an axis, where no window fits any more.
    let left = |axis: usize, padding: Padding| -> Result<usize> {
        let len = x.dim(SPATIAL[axis])? + padding.before + padding.after;
        Ok((len - reach(axis)) % c.stride.into_array()[axis])
    };
    let (left_y, left_x) = (left(1, c.padding.y)?, left(2, c.padding.x)?);
    // candle pads height and width alike, and computes gradients as if as much were left over of both; anything else is padded and cut here.
    let alike = c.padding.y == c.padding.x && c.padding.y.before == c.padding.y.after && left_y == left_x;
    let (own, x) = if alike {
        let depth = Axes { z: c.padding.z, ..Axes::default() };
        (c.padding.y.before, pad(x, depth, PadFill::Constant { value: 0.0 })?)
    } else {
        let x = pad(x, c.padding, PadFill::Constant { value: 0.0 })?;
        (0, x.narrow(2, 0, x.dim(2)? - left_y)?.narrow(3, 0, x.dim(3)? - left_x)?.contiguous()?)
    };
    let depth = (x.dim(0)? - reach(0)) / c.stride.z + 1;
    let mut sum: Option<Tensor> = None;
    for tap in 0..c.kernel.z {
        let is_planar = c.kernel.z == 1 && c.stride.z == 1;
        let slices = if is_planar { x.clone() } else { select(&x, 0, (0..depth).map(|z| z * c.stride.z + tap * c.dilation.z))? };
        let part = planar(&slices, &weight.narrow(2, tap, 1)?.squeeze(2)?.contiguous()?, own, c)?;
        sum = Some(match sum {
            Some(sum) => (sum + part)?,
            None => part,
        });
    }
    let Some(sum) = sum else { candle_core::bail!("a kernel without taps") };
    match bias {
        Some(bias) => sum.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(sum),
    }
}

/// One planar convolution of every slice; candle takes one stride and one dilation for both axes.
fn planar(x: &Tensor, weight: &Tensor, padding: usize, c: &Conv) -> Result<Tensor> {
    let dilation = if c.kernel.y == 1 { c.dilation.x } else { c.dilation.y };
    if c.kernel.x != 1 && c.kernel.y != 1 && c.dilation.x != c.dilation.y {
        let spread = spread(&spread(weight, 2, c.dilation.y)?, 3, c.dilation.x)?;
        return planar(x, &spread, padding, &Conv { dilation: Axes { y: 1, x: 1, ..c.dilation }, ..*c });
    }
    if c.stride.y == c.stride.x {
        return x.conv2d(weight, padding, c.stride.x, dilation, c.groups);
    }
    let every = x.conv2d(weight, padding, 1, dilation, c.groups)?;
    let (height, width) = (every.dim(2)?, every.dim(3)?);
    select(&select(&every, 2, (0..height).step_by(c.stride.y))?, 3, (0..width).step_by(c.stride.x))
}

/// `weight`: `(in, out / groups, kernel z, kernel y, kernel x)`. A transposed convolution is a convolution of the input with zeros put between
/// its positions by the kernel turned around (Dumoulin & Visin 2016, section 4).
pub(super) fn conv_transpose(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    c: &ConvTranspose,
    extent: Extent,
) -> Result<Tensor> {
    let mut x = x.clone();
    for (dim, stride) in SPATIAL.into_iter().zip(c.stride.into_array()) {
        x = spread(&x, dim, stride)?;
    }
    let (inputs, outputs, kernel) = (weight.dim(0)?, weight.dim(1)?, c.kernel);
    let mut weight = weight.reshape((c.groups, inputs / c.groups, outputs, kernel.product()))?.transpose(1, 2)?.reshape((
        c.groups * outputs,
        inputs / c.groups,
        kernel.z,
        kernel.y,
        kernel.x,
    ))?;
    for (dim, len) in [2, 3, 4].into_iter().zip(kernel.into_array()) {
        weight = select(&weight, dim, (0..len).rev())?;
    }
    // The full result is as long as the spread input with the kernel's reach on both sides; `padding` cuts it, `output_padding` prolongs it.
    let full = Axes { z: x.dim(0)?, y: x.dim(2)?, x: x.dim(3)? };
    let mut padding = [Padding::default(); 3];
    let mut cut = [0; 3];
    let [reach, wanted] = [kernel.zip(c.dilation).map(|(k, d)| d * (k - 1)).into_array(), extent.into_array()];
    for axis in 0..3 {
        let before = c.padding.into_array()[axis].before;
        cut[axis] = before.saturating_sub(reach[axis]);
        padding[axis].before = reach[axis].saturating_sub(before);
        padding[axis].after =
            (wanted[axis] + reach[axis] + cut[axis]).saturating_sub(full.into_array()[axis] + padding[axis].before);
    }
    let direct = Conv {
        out_channels: c.out_channels,
        kernel,
        stride: Axes::cube(1),
        padding: Axes::from_array(padding),
        dilation: c.dilation,
        groups: c.groups,
        bias: bias.is_some(),
    };
    let mut y = conv(&x, &weight, bias, &direct)?;
    for axis in 0..3 {
        y = y.narrow(SPATIAL[axis], cut[axis], wanted[axis])?;
    }
    y.contiguous()
}

/// Puts `factor - 1` zeros between the positions of a dimension.
fn spread(x: &Tensor, dim: usize, factor: usize) -> Result<Tensor> {
    if factor == 1 || x.dim(dim)? == 1 {
        return Ok(x.clone());
    }
    let len = x.dim(dim)?;
    let spread = x.unsqueeze(dim + 1)?.pad_with_zeros(dim + 1, 0, factor - 1)?.flatten(dim, dim + 1)?;
    spread.narrow(dim, 0, (len - 1) * factor + 1)?.contiguous()
}
