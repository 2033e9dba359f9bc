//! The ways to lay a box with square planes on itself that keep its depth.

use crate::{Extent, Result, Shape, Tensor};

/// How a tile is turned: mirrored along some of its axes, then perhaps with rows and columns exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symmetry {
    /// The last slice first.
    pub(super) slices: Mirror,
    /// The last row first.
    pub(super) rows: Mirror,
    /// The last column first.
    pub(super) columns: Mirror,
    pub(super) axes: Order,
}

/// Along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mirror {
    No,
    Yes,
}

/// Of rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Kept,
    Exchanged,
}

impl Mirror {
    fn place(self, at: usize, length: usize) -> usize {
        match self {
            Self::No => at,
            Self::Yes => length - 1 - at,
        }
    }
}

impl Symmetry {
    pub(super) const NONE: Self = Self { slices: Mirror::No, rows: Mirror::No, columns: Mirror::No, axes: Order::Kept };

    /// The extent of what is turned.
    pub(super) fn extent(self, Extent { z, y, x }: Extent) -> Extent {
        match self.axes {
            Order::Kept => Extent { z, y, x },
            Order::Exchanged => Extent { z, y: x, x: y },
        }
    }

    /// Turns a tile.
    pub(super) fn turn(self, tensor: &Tensor) -> Result<Tensor> {
        let from = tensor.shape();
        let to = Shape { extent: self.extent(from.extent), ..from };
        self.copy(tensor, to, |y, x| {
            let (y, x) = self.exchanged(y, x);
            (self.rows.place(y, from.extent.y), self.columns.place(x, from.extent.x))
        })
    }

    /// Turns a tile back.
    pub(super) fn turn_back(self, tensor: &Tensor) -> Result<Tensor> {
        let from = tensor.shape();
        // Exchanging twice is none.
        let to = Shape { extent: self.extent(from.extent), ..from };
        self.copy(tensor, to, |y, x| self.exchanged(self.rows.place(y, to.extent.y), self.columns.place(x, to.extent.x)))
    }

    fn exchanged(self, y: usize, x: usize) -> (usize, usize) {
        match self.axes {
            Order::Kept => (y, x),
            Order::Exchanged => (x, y),
        }
    }

    /// Fills a tensor with the values of another's planes, each from the places that `source` says.
    fn copy(self, tensor: &Tensor, to: Shape, source: impl Fn(usize, usize) -> (usize, usize)) -> Result<Tensor> {
        if self == Self::NONE {
            return Ok(tensor.clone());
        }
        let (from, extent) = (tensor.shape().extent, to.extent);
        let mut data = Vec::with_capacity(to.elements());
        let slice = from.y * from.x;
        for at in 0..to.channels * extent.z {
            let (channel, z) = (at / extent.z, self.slices.place(at % extent.z, extent.z));
            let plane = &tensor.data()[(channel * from.z + z) * slice..][..slice];
            for y in 0..extent.y {
                data.extend((0..extent.x).map(|x| {
                    let (y, x) = source(y, x);
                    plane[y * from.x + x]
                }));
            }
        }
        Tensor::new(to, data)
    }
}
