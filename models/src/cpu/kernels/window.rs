//! Where a convolution's outputs look into its input.

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

    /// Whether every output sees one position, its own.
    pub(super) fn is_point(&self) -> bool {
        let ones = Axes::cube(1);
        self.kernel == ones && self.stride == ones && self.padding == Axes::default()
    }

    /// Where a tap lies in the kernel.
    pub(super) fn tap(&self, tap: usize) -> Axes<usize> {
        let line = tap / self.kernel.x;
        Axes { z: line / self.kernel.y, y: line % self.kernel.y, x: tap % self.kernel.x }
    }

    /// Positions from the first tap to the last.
    fn reach(&self) -> Axes<usize> {
        self.kernel.zip(self.dilation).map(|(kernel, dilation)| dilation * (kernel - 1) + 1)
    }

    /// The extent of the output for an input that is at least as large as the kernel.
    pub(super) fn output(&self, input: Extent) -> Extent {
        let room = input
            .zip(self.padding)
            .zip(self.reach())
            .map(|((len, padding), reach)| (len + padding.total()).saturating_sub(reach));
        room.zip(self.stride).map(|(room, stride)| room / stride + 1)
    }

    /// The same along depth, height and width of an input.
    pub(super) fn along(&self, input: Extent) -> [Along; 3] {
        let axes = self.stride.zip(self.dilation).zip(self.padding).zip(self.reach()).zip(input);
        let along = axes.map(|((((stride, dilation), padding), reach), len)| Along {
            stride,
            dilation,
            before: padding.before,
            reach,
            len,
        });
        along.into_array()
    }
}

/// Where outputs look along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along {
    pub(super) stride: usize,
    pub(super) dilation: usize,
    /// Positions of padding before the input.
    pub(super) before: usize,
    /// Positions from the first tap to the last.
    pub(super) reach: usize,
    /// Positions of the input.
    pub(super) len: usize,
}

impl Along {
    /// The input position that a tap of an output position reads; `None` in the padding.
    pub(super) fn position(&self, output: usize, tap: usize) -> Option<usize> {
        (output * self.stride + tap * self.dilation).checked_sub(self.before).filter(|&position| position < self.len)
    }

    /// Whether all taps of an output position read the input.
    pub(super) fn sees_all(&self, output: usize) -> bool {
        let first = output * self.stride;
        first >= self.before && first + self.reach - self.before <= self.len
    }
}
