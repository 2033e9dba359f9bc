//! Where a convolution's outputs look into its input.

use std::ops::Range;

use crate::{Axes, Conv, Extent, Padding};

/// The geometry of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) kernel: Axes<usize>,
    pub(super) stride: Axes<usize>,
    pub(super) padding: Axes<Padding>,
    pub(super) dilation: Axes<usize>,
}

impl Window {
    pub(super) fn new(conv: &Conv) -> Self {
        Self { kernel: conv.kernel, stride: conv.stride, padding: conv.padding, dilation: conv.dilation }
    }

    /// Number of taps.
    pub(super) fn taps(&self) -> usize {
        self.kernel.product()
    }

    /// The extent of the output for an input that is at least as large as the kernel.
    pub(super) fn output(&self, input: Extent) -> Extent {
        let reach = self.kernel.zip(self.dilation).map(|(kernel, dilation)| dilation * (kernel - 1) + 1);
        let room =
            input.zip(self.padding).zip(reach).map(|((len, padding), reach)| (len + padding.total()).saturating_sub(reach));
        room.zip(self.stride).map(|(room, stride)| room / stride + 1)
    }

    /// The same along depth, height and width of an input.
    pub(super) fn along(&self, input: Extent) -> [Along; 3] {
        let axes = self.stride.zip(self.dilation).zip(self.padding).zip(input);
        axes.map(|(((stride, dilation), padding), len)| Along { stride, dilation, before: padding.before, len }).into_array()
    }
}

/// Where outputs look along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along {
    pub(super) stride: usize,
    pub(super) dilation: usize,
    /// Positions of padding before the input.
    pub(super) before: usize,
    /// Positions of the input.
    pub(super) len: usize,
}

impl Along {
    /// The input position that a tap of an output position reads; `None` in the padding.
    pub(super) fn position(&self, output: usize, tap: usize) -> Option<usize> {
        (output * self.stride + tap * self.dilation).checked_sub(self.before).filter(|&position| position < self.len)
    }

    /// Those of the output positions at which a tap reads the input.
    pub(super) fn inside(&self, tap: usize, outputs: Range<usize>) -> Range<usize> {
        let first = self.before.saturating_sub(tap * self.dilation).div_ceil(self.stride);
        let end = (self.len + self.before).saturating_sub(tap * self.dilation).div_ceil(self.stride);
        let start = outputs.start.max(first);
        start..outputs.end.min(end).max(start)
    }
}
