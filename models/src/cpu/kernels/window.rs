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

    /// The extent of the output for an input that is at least as large as the kernel.
    pub(super) fn output(&self, input: Extent) -> Extent {
        let reach = self.kernel.zip(self.dilation).map(|(kernel, dilation)| dilation * (kernel - 1) + 1);
        let room =
            input.zip(self.padding).zip(reach).map(|((len, padding), reach)| (len + padding.total()).saturating_sub(reach));
        room.zip(self.stride).map(|(room, stride)| room / stride + 1)
    }
}

/// The input position that tap number `tap` of output position `output` reads along one axis; `None` in the padding.
pub(super) fn position(output: usize, tap: usize, [stride, dilation, before, len]: [usize; 4]) -> Option<usize> {
    (output * stride + tap * dilation).checked_sub(before).filter(|&position| position < len)
}
