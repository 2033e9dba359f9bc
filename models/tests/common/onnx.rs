//! The models of `golden/make_onnx.py`.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use swath_models::onnx::{self, Imported};
use swath_models::{Extent, Rank, Shape, Tensor};

/// A model with an input and ONNX Runtime's output for it.
pub struct Case {
    pub name: String,
    pub imported: Imported,
    pub input: Tensor,
    pub output: Tensor,
}

pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx")
}

pub fn models(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "onnx")).collect();
    paths.sort();
    paths
}

/// All models of `golden/onnx`.
pub fn cases() -> Vec<Case> {
    let bytes = fs::read(golden().join("golden.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let case = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let imported = onnx::read(path, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        let graph = &imported.graph;
        let input = tensor(&file, &format!("{name}.input"), graph.rank(), graph.input_channels());
        let output = tensor(&file, &format!("{name}.output"), graph.rank(), graph.output_channels());
        Case { name, imported, input, output }
    };
    models(&golden()).iter().map(case).collect()
}

/// A golden tensor of one image with channels first, last, or dropped.
fn tensor(file: &SafeTensors<'_>, name: &str, rank: Rank, channels: usize) -> Tensor {
    let view = file.tensor(name).unwrap();
    let values: Vec<f32> = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let dims = &view.shape()[1..];
    let spatial = match rank {
        Rank::Planar => 2,
        Rank::Volumetric => 3,
    };
    let channels_last = dims.len() > spatial && dims[0] != channels;
    let space = match (dims.len() - spatial, channels_last) {
        (0, _) => dims,
        (_, true) => &dims[..spatial],
        (_, false) => &dims[1..],
    };
    let extent = match *space {
        [y, x] => Extent::planar(y, x),
        [z, y, x] => Extent { z, y, x },
        _ => panic!("{name} has shape {:?}", view.shape()),
    };
    let shape = Shape { channels, extent };
    let positions = extent.product();
    let first = |i: usize| if channels_last { values[i % positions * channels + i / positions] } else { values[i] };
    Tensor::new(shape, (0..values.len()).map(first).collect()).unwrap()
}
