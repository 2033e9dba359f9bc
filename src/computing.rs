//! What runs the network.

use swath_models::{Arithmetic, Convolutions, Executor, Fused, Graph, Precision, Weights};

use crate::Result;

/// Where a network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// On CUDA where there is a card and all that it takes, else on the processor, which is said once.
    #[default]
    Auto,
    /// On the processor.
    Cpu,
    /// On CUDA.
    Cuda {
        /// Which card, from 0 on; `None` for all.
        ordinal: Option<usize>,
    },
}

/// What runs a network, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Computing {
    /// Where.
    pub device: Device,
    /// How values between layers are kept; `None` for `f32` on the processor and `bf16` on CUDA.
    pub precision: Option<Precision>,
    /// How the processor computes convolutions.
    pub convolutions: Convolutions,
}

impl Computing {
    /// On the processor.
    #[must_use]
    pub fn on_the_processor(arithmetic: Arithmetic) -> Self {
        let Arithmetic { precision, convolutions } = arithmetic;
        Self { device: Device::Cpu, precision: Some(precision), convolutions }
    }

    /// What runs a graph.
    pub(crate) fn executor(self, graph: Graph, weights: &Weights) -> Result<Box<dyn Executor>> {
        match self.device {
            Device::Cpu => self.processor(graph, weights),
            Device::Cuda { ordinal } => cuda::executor(graph, weights, self.precision, ordinal),
            Device::Auto => match cuda::executor(graph.clone(), weights, self.precision, None) {
                Ok(executor) => Ok(executor),
                Err(crate::Error::Model(error @ swath_models::Error::NoCuda { .. })) => {
                    tracing::info!("computing on the processor: {error}");
                    self.processor(graph, weights)
                }
                Err(error) => Err(error),
            },
        }
    }

    /// How the processor computes, if it does.
    #[must_use]
    pub fn arithmetic(self) -> Arithmetic {
        Arithmetic { precision: self.precision.unwrap_or_default(), convolutions: self.convolutions }
    }

    fn processor(self, graph: Graph, weights: &Weights) -> Result<Box<dyn Executor>> {
        Ok(Box::new(Fused::new(graph, weights, self.arithmetic())?))
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use swath_models::{Cuda, CudaDevices, Executor, Graph, Precision, Weights};

    use crate::Result;

    pub(super) fn executor(
        graph: Graph,
        weights: &Weights,
        precision: Option<Precision>,
        ordinal: Option<usize>,
    ) -> Result<Box<dyn Executor>> {
        let devices = ordinal.map_or(CudaDevices::All, CudaDevices::One);
        Ok(Box::new(Cuda::new(graph, weights, precision.unwrap_or(Precision::Bf16), devices)?))
    }
}

#[cfg(not(feature = "cuda"))]
mod cuda {
    use swath_models::{Error, Executor, Graph, Precision, Weights};

    use crate::Result;

    pub(super) fn executor(
        _graph: Graph,
        _weights: &Weights,
        _precision: Option<Precision>,
        _ordinal: Option<usize>,
    ) -> Result<Box<dyn Executor>> {
        Err(Error::NoCuda { missing: "this build is without the cargo feature `cuda`".into() }.into())
    }
}
