//! Operators other than convolutions, over values in the order `(depth, height, width, channels)`, parallel over rows.

mod activation;
mod combine;
mod copy;
mod exp;
mod head;
mod layout;
mod mean;
mod pad;
mod pool;
mod resize;
mod scale;
mod softmax;
mod transposed;
mod vectorised;

pub(super) use activation::{activate, activate_slice};
pub(super) use combine::{Combination, Operand, combine};
pub(super) use copy::{Part, channels, concat, copy};
pub(crate) use exp::exp;
pub(crate) use head::Last;
pub(super) use head::{Head, Map};
pub(super) use layout::channels_last;
pub(super) use mean::mean;
pub(crate) use pad::Positions;
pub(super) use pool::pool;
pub(super) use resize::Sampling;
pub(super) use scale::Scale;
pub(super) use softmax::softmax;
pub(super) use transposed::Transposed;
pub(super) use vectorised::vectorised;
