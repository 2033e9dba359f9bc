//! Learned tensors by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::{Axes, Conv, ConvTranspose, Error, Graph, Op, Rank, Result};

/// Name and shape of a tensor that a graph needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name, as in the weights file.
    pub name: String,
    /// Length of every axis, slowest first.
    pub shape: Vec<usize>,
}

/// Learned tensors by name, all `f32`.
///
/// [`Weights::check`] is strict: a tensor that is missing, has another shape, holds NaN, or is there but not used is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Array>,
}

/// One tensor of [`Weights`].
#[derive(Clone, Debug, PartialEq)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Weights {
    /// No tensors yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor, in place of one of the same name.
    ///
    /// # Panics
    /// If the number of values is not that of the shape.
    pub fn insert(&mut self, name: impl Into<String>, shape: Vec<usize>, data: Vec<f32>) {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "values and shape of a tensor disagree");
        self.tensors.insert(name.into(), Array { shape, data });
    }

    /// The values of a tensor, in C order.
    ///
    /// # Errors
    /// If there is no such tensor.
    pub fn get(&self, name: &str) -> Result<&[f32]> {
        self.tensors.get(name).map(|a| a.data.as_slice()).ok_or_else(|| Error::MissingTensor { tensor: name.into() })
    }

    /// Takes a tensor out, if there is one of this name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.tensors.remove(name);
    }

    /// Names and shapes of all tensors, by name.
    pub fn specs(&self) -> impl Iterator<Item = TensorSpec> + '_ {
        self.tensors.iter().map(|(name, a)| TensorSpec { name: name.clone(), shape: a.shape.clone() })
    }

    /// Number of values in all tensors.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.tensors.values().map(|a| a.data.len()).sum()
    }

    /// Checks that these are exactly the tensors that `graph` needs, and that every value is finite.
    ///
    /// # Errors
    /// Names the first tensor that is missing, misshapen or holds NaN or infinity, or all that are not used.
    pub fn check(&self, graph: &Graph) -> Result<()> {
        let specs = graph.tensors();
        for spec in &specs {
            let array = self.tensors.get(&spec.name).ok_or_else(|| Error::MissingTensor { tensor: spec.name.clone() })?;
            if array.shape != spec.shape {
                return Err(Error::TensorShape {
                    tensor: spec.name.clone(),
                    expected: spec.shape.clone(),
                    got: array.shape.clone(),
                });
            }
            if let Some((index, &value)) = array.data.iter().enumerate().find(|(_, v)| !v.is_finite()) {
                return Err(Error::TensorValue { tensor: spec.name.clone(), value, index });
            }
        }
        let known: std::collections::HashSet<&str> = specs.iter().map(|s| s.name.as_str()).collect();
        let unused: Vec<String> = self.tensors.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
        if unused.is_empty() { Ok(()) } else { Err(Error::UnusedTensors { tensors: unused }) }
    }

    /// Reads a safetensors file. F16, BF16 and F64 become `f32`; PyTorch's integer `num_batches_tracked` counters, which no inference
    /// reads, are passed over.
    ///
    /// # Errors
    /// If the file cannot be read, is empty, damaged, or holds other types.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        if bytes.is_empty() {
            return Err(Error::Empty { path: path.into() });
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|source| Error::Safetensors { path: path.into(), source })?;
        let mut weights = Self::new();
        for (name, view) in file.tensors() {
            if name.ends_with(".num_batches_tracked") {
                continue;
            }
            let data = floats(&name, &view)?;
            weights.insert(name, view.shape().to_vec(), data);
        }
        Ok(weights)
    }

    /// Writes a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let fail = |source| Error::Safetensors { path: path.into(), source };
        let bytes: Vec<(&String, &Array, Vec<u8>)> =
            self.tensors.iter().map(|(n, a)| (n, a, a.data.iter().flat_map(|v| v.to_le_bytes()).collect())).collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, array, data) in &bytes {
            views.push((*name, TensorView::new(Dtype::F32, array.shape.clone(), data).map_err(fail)?));
        }
        let file = safetensors::serialize(views, None).map_err(fail)?;
        fs::write(path, file).map_err(|source| Error::Write { path: path.into(), source })
    }
}

/// The values of a stored tensor as `f32`.
fn floats(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>> {
    let bytes = view.data();
    Ok(match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
        other => return Err(Error::TensorType { tensor: name.into(), got: format!("{other:?}") }),
    })
}

impl Graph {
    /// The tensors that the network needs, in the order of its nodes.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        for node in self.nodes() {
            let mut push =
                |part: &str, shape: Vec<usize>| specs.push(TensorSpec { name: format!("{}.{part}", node.name), shape });
            let input = || self.channels(node.inputs[0]);
            match node.op {
                Op::Conv(Conv { out_channels, kernel, groups, bias, .. }) => {
                    push("weight", self.kernel_shape([out_channels, input() / groups], kernel));
                    if bias {
                        push("bias", vec![out_channels]);
                    }
                }
                Op::ConvTranspose(ConvTranspose { out_channels, kernel, groups, bias, .. }) => {
                    push("weight", self.kernel_shape([input(), out_channels / groups], kernel));
                    if bias {
                        push("bias", vec![out_channels]);
                    }
                }
                Op::BatchNorm(_) => {
                    for part in ["weight", "bias", "running_mean", "running_var"] {
                        push(part, vec![input()]);
                    }
                }
                Op::Affine => {
                    push("weight", vec![input()]);
                    push("bias", vec![input()]);
                }
                _ => {}
            }
        }
        specs
    }

    fn kernel_shape(&self, channels: [usize; 2], kernel: Axes<usize>) -> Vec<usize> {
        let spatial = match self.rank() {
            Rank::Planar => vec![kernel.y, kernel.x],
            Rank::Volumetric => kernel.into_array().to_vec(),
        };
        channels.into_iter().chain(spatial).collect()
    }
}
