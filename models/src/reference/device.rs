//! Where candle computes.

use std::fmt;

use crate::{Error, Result};

/// Where gradients are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// On the processor.
    Cpu,
    /// On a graphics processor, with the cargo feature `candle-cuda`.
    Cuda {
        /// Which one, from 0 on.
        ordinal: usize,
    },
}

impl Device {
    pub(super) fn open(self) -> Result<candle_core::Device> {
        let opened = match self {
            Self::Cpu => Ok(candle_core::Device::Cpu),
            Self::Cuda { ordinal } => candle_core::Device::new_cuda(ordinal),
        };
        opened.map_err(|source| Error::Device { device: self.to_string(), source })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("the processor"),
            Self::Cuda { ordinal } => write!(f, "CUDA device {ordinal}"),
        }
    }
}
