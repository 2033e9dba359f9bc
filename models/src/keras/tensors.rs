//! The tensors of layers.

use std::collections::BTreeMap;

use crate::flaw::{Sound, content};
use crate::hdf5::{File, Object};
use crate::{Error, Result};

/// The tensors of all layers that were not taken yet.
pub(super) struct Tensors<'f> {
    file: &'f File<'f>,
    /// By layer, and then by what they are to it: where they are.
    left: BTreeMap<String, BTreeMap<String, Place<'f>>>,
}

/// Where a tensor is.
struct Place<'f> {
    path: String,
    object: Object<'f>,
}

impl<'f> Tensors<'f> {
    /// Looks which tensors there are.
    pub(super) fn open(file: &'f File<'f>, group: &Object<'f>) -> Sound<Self> {
        let layers = group.texts("layer_names")?.ok_or_else(|| content("`/model_weights` has no `layer_names`"))?;
        let mut left = BTreeMap::new();
        for layer in layers {
            let own = group.find(&layer)?;
            let mut places = BTreeMap::new();
            for name in own.texts("weight_names")?.unwrap_or_default() {
                let part = name.rsplit('/').next().unwrap_or_default();
                let part = part.split_once(':').map_or(part, |(part, _copy)| part);
                let place = Place { path: format!("{layer}/{name}"), object: own.find(&name)? };
                if places.insert(part.to_owned(), place).is_some() {
                    return Err(content(format!("layer `{layer}` has two tensors called `{part}`")));
                }
            }
            left.insert(layer, places);
        }
        Ok(Self { file, left })
    }

    /// Whether a layer has a tensor that was not taken yet.
    pub(super) fn has(&self, layer: &str, part: &str) -> bool {
        self.left.get(layer).is_some_and(|places| places.contains_key(part))
    }

    /// Takes note of values that are not in the file, so that it cannot make more of them than it has bytes.
    pub(super) fn count(&self, values: usize) -> Sound<()> {
        self.file.count_values(values)
    }

    /// Takes a tensor of a layer, whose shape it must have.
    pub(super) fn take(&mut self, layer: &str, part: &str, shape: &[usize]) -> Sound<Vec<f32>> {
        let place = self.left.get_mut(layer).and_then(|places| places.remove(part));
        let Some(place) = place else { return Err(Error::MissingTensor { tensor: format!("{layer}/{part}") }.into()) };
        let found = place.object.dataset()?;
        if found.shape == shape {
            return Ok(found.values);
        }
        Err(Error::TensorShape { tensor: place.path, expected: shape.to_vec(), got: found.shape }.into())
    }

    /// Checks that all were taken.
    pub(super) fn finish(self) -> Result<()> {
        let tensors: Vec<String> = self.left.into_values().flat_map(BTreeMap::into_values).map(|place| place.path).collect();
        if tensors.is_empty() { Ok(()) } else { Err(Error::UnusedTensors { tensors }) }
    }
}
