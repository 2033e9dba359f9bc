//! The kernels: their sources, and what a launch of one is.

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;

use half::{bf16, f16};

use super::arguments::Arguments;
use crate::Precision;

/// A kernel that takes arguments of a type: the name in the sources.
pub(super) struct Kernel<A> {
    name: &'static str,
    takes: PhantomData<fn(A)>,
}

impl<A: Arguments> Kernel<A> {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, takes: PhantomData }
    }

    /// A launch that computes so many items.
    pub(super) fn launch(&self, arguments: A, items: usize) -> Launch {
        Launch { kernel: self.name, arguments: Box::new(arguments), items }
    }
}

/// One launch of a kernel, whose buffers and sizes never change.
pub(super) struct Launch {
    pub(super) kernel: &'static str,
    arguments: Box<dyn Arguments>,
    pub(super) items: usize,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} items", self.kernel, self.items)
    }
}

impl Launch {
    /// Where the arguments lie.
    pub(super) fn arguments(&self) -> *const c_void {
        (&raw const *self.arguments).cast()
    }
}

/// How the values between layers are kept: a choice of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stored {
    F32,
    F16,
    Bf16,
}

impl Stored {
    /// How a precision keeps them: tensor cores round `f32` to `tf32` themselves.
    pub(super) fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 | Precision::Tf32 => Self::F32,
            Precision::F16 => Self::F16,
            Precision::Bf16 => Self::Bf16,
        }
    }

    /// Values in the form in which they are kept.
    pub(super) fn bytes_of(self, values: &[f32]) -> Vec<u8> {
        let values = values.iter();
        match self {
            Self::F32 => values.flat_map(|v| v.to_ne_bytes()).collect(),
            Self::F16 => values.flat_map(|v| f16::from_f32(*v).to_ne_bytes()).collect(),
            Self::Bf16 => values.flat_map(|v| bf16::from_f32(*v).to_ne_bytes()).collect(),
        }
    }

    /// Bytes of a value.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The macro that the sources ask for.
    pub(super) fn define(self) -> &'static str {
        match self {
            Self::F32 => "SWATH_F32",
            Self::F16 => "SWATH_F16",
            Self::Bf16 => "SWATH_BF16",
        }
    }
}

/// The sources of all kernels, after what is particular to a card or to the processor.
const SOURCES: [&str; 8] = [
    include_str!("kernels/value.cuh"),
    include_str!("kernels/normalise.cu"),
    include_str!("kernels/element.cu"),
    include_str!("kernels/window.cu"),
    include_str!("kernels/norm.cu"),
    include_str!("kernels/convolution.cu"),
    include_str!("kernels/head.cu"),
    include_str!("kernels/mosaic.cu"),
];

/// All kernels as one source: for a card.
pub(super) fn device_source() -> String {
    include_str!("kernels/device.h").to_owned() + &SOURCES.concat()
}

/// The same for the processor.
#[cfg(test)]
pub(super) fn host_source() -> String {
    include_str!("kernels/host.h").to_owned() + &SOURCES.concat()
}
