//! Plans that were chosen before, on disk.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::convolution_plan::ConvolutionShape;
use crate::{Activation, Axes};

/// Plans that were chosen for one card and one version of cuDNN: a file for each shape of convolution. Where it cannot be read or written, plans are
/// chosen anew each time.
#[derive(Clone, Debug)]
pub(super) struct PlanStore {
    folder: Option<PathBuf>,
}

impl PlanStore {
    /// The plans below the user's cache folder: `swath/cuda/CARD-cudnnVERSION/`.
    pub(super) fn new(card: &str, cudnn: usize) -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let caches = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        Self::within(caches.map(|caches| caches.join("swath/cuda")), card, cudnn)
    }

    fn within(folder: Option<PathBuf>, card: &str, cudnn: usize) -> Self {
        let plain: String = card.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Self { folder: folder.map(|folder| folder.join(format!("{plain}-cudnn{cudnn}"))) }
    }

    pub(super) fn read(&self, shape: &ConvolutionShape) -> Option<Vec<u8>> {
        fs::read(self.folder.as_ref()?.join(file_name(shape))).ok()
    }

    /// Keeps a plan; whole or not at all, since others may read it.
    pub(super) fn write(&self, shape: &ConvolutionShape, plan: &[u8]) {
        let Some(folder) = &self.folder else { return };
        let (path, part) =
            (folder.join(file_name(shape)), folder.join(format!("{}.{}.part", file_name(shape), std::process::id())));
        // Without it, the next start takes longer; no more than that.
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&part, plan)).and_then(|()| fs::rename(&part, path));
        if written.is_err() {
            drop(fs::remove_file(part));
        }
    }
}

/// All that a plan depends on, as a name.
fn file_name(shape: &ConvolutionShape) -> String {
    let ConvolutionShape {
        precision, batch, in_channels, input, out_channels, output, kernel, stride, padding, dilation, ..
    } = shape;
    let axes = |Axes { z, y, x }: &Axes<usize>| format!("{z}x{y}x{x}");
    let before = padding.map(|padding| padding.before);
    let after = padding.map(|padding| padding.after);
    let mut name = format!(
        "{}_b{batch}_i{in_channels}x{}_o{out_channels}x{}_k{}_s{}_p{}-{}_d{}",
        precision.name(),
        axes(input),
        axes(output),
        axes(kernel),
        axes(stride),
        axes(&before),
        axes(&after),
        axes(dilation),
    );
    if shape.residual {
        name.push_str("_residual");
    }
    // Writing to a string cannot fail.
    let _ = match shape.activation {
        None => Ok(()),
        Some(Activation::Relu) => write!(name, "_relu"),
        Some(Activation::LeakyRelu { slope }) => write!(name, "_leaky{slope}"),
        Some(Activation::Sigmoid) => write!(name, "_sigmoid"),
        Some(Activation::HardSigmoid) => write!(name, "_hardsigmoid"),
        Some(Activation::HardSwish) => write!(name, "_hardswish"),
        Some(Activation::Silu) => write!(name, "_silu"),
        Some(Activation::Clip { min, max }) => {
            write!(name, "_clip{}to{}", min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY))
        }
    };
    name + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Extent, Precision};

    fn shape() -> ConvolutionShape {
        ConvolutionShape {
            precision: Precision::Bf16,
            batch: 8,
            in_channels: 64,
            input: Extent::planar(128, 128),
            out_channels: 256,
            output: Extent::planar(128, 128),
            kernel: Axes::cube(1),
            stride: Axes::cube(1),
            padding: Axes::default(),
            dilation: Axes::cube(1),
            residual: true,
            activation: Some(Activation::Relu),
        }
    }

    #[test]
    fn a_plan_is_that_of_its_card_version_and_shape() {
        let folder = tempfile::tempdir().unwrap();
        let store = |card, version| PlanStore::within(Some(folder.path().to_owned()), card, version);
        let ours = store("NVIDIA H200", 91_900);
        assert_eq!(ours.read(&shape()), None);
        ours.write(&shape(), b"plan");
        assert_eq!(ours.read(&shape()).as_deref(), Some(b"plan".as_slice()));
        let others = [
            ConvolutionShape { batch: 4, ..shape() },
            ConvolutionShape { residual: false, ..shape() },
            ConvolutionShape { activation: None, ..shape() },
            ConvolutionShape { activation: Some(Activation::Clip { min: Some(0.0), max: Some(6.0) }), ..shape() },
            ConvolutionShape { precision: Precision::F16, ..shape() },
            ConvolutionShape { padding: Axes::plane_padding(1), ..shape() },
            ConvolutionShape { dilation: Axes::plane(2), ..shape() },
        ];
        assert!(others.iter().all(|other| ours.read(other).is_none()));
        assert_eq!(store("NVIDIA H100", 91_900).read(&shape()), None);
        assert_eq!(store("NVIDIA H200", 91_901).read(&shape()), None);
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        let store = PlanStore::within(None, "NVIDIA H200", 91_900);
        store.write(&shape(), b"plan");
        assert_eq!(store.read(&shape()), None);
    }
}
