//! A file from its first byte to the finished graph.

use std::fs;
use std::path::Path;

use super::config::Config;
use super::network::build;
use super::tensors::Tensors;
use crate::flaw::{Flaw, Sound, content};
use crate::hdf5::File;
use crate::{Error, Graph, Result, Weights};

/// Bytes of the longest description of a model: one of 500 layers has half a million.
const MAX_CONFIG: usize = 16 << 20;

/// A network read from a Keras file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, named after the file.
    pub graph: Graph,
    /// Exactly the tensors that the graph needs.
    pub weights: Weights,
    /// What the file has besides, which only training needs.
    pub passed_over: Vec<String>,
}

/// Reads an HDF5 file of a whole model.
///
/// The input's height and width become [`Graph::fixed_extent`] only if a layer depends on them (`same` padding with a stride); a batch is passed over.
///
/// # Errors
/// If the file cannot be read, is empty or damaged, holds weights without a model, leads to other files, or has a layer that a graph cannot express
/// exactly: the error names the layer and the reason.
pub fn read(path: &Path) -> Result<Imported> {
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    read_bytes(&bytes, path)
}

/// As [`read`], from a file's bytes; errors call it `name`, and so is the network called.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8], name: &Path) -> Result<Imported> {
    if bytes.is_empty() {
        return Err(Error::Empty { path: name.into() });
    }
    read_model(bytes, name).map_err(|flaw| flaw.at(name, "a Keras model in HDF5"))
}

fn read_model(bytes: &[u8], path: &Path) -> Sound<Imported> {
    let file = File::open(bytes)?;
    let root = file.root()?;
    let config = root.texts("model_config")?.unwrap_or_default();
    let [config] = config.as_slice() else {
        return Err(content("it has no `model_config`: save the whole model, not its weights alone"));
    };
    if config.len() > MAX_CONFIG {
        return Err(content(format!("its `model_config` is longer than {} MiB", MAX_CONFIG >> 20)));
    }
    let json = |source| Flaw::Tensor(Error::Json { path: path.into(), source });
    let config = Config::read(serde_json::from_str(config).map_err(json)?)?;
    let mut tensors = Tensors::open(&file, &root.find("model_weights")?)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let (graph, weights) = build(&name, &config, &mut tensors)?;
    tensors.finish()?;
    let optimizer = root.has("optimizer_weights")?.then(|| "optimizer_weights".to_owned());
    let training = root.texts("training_config")?.map(|_| "training_config".to_owned());
    Ok(Imported { graph, weights, passed_over: optimizer.into_iter().chain(training).collect() })
}
