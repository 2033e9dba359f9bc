//! Learned tensors by name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata, TensorView};

use crate::{Axes, Conv, ConvTranspose, Encoding, Error, Graph, InstanceNorm, Node, Op, Rank, Result, Slopes};

/// Bytes of the largest header, as the safetensors crate has it.
const MAX_HEADER: u64 = 100_000_000;

/// Name and shape of a tensor that a graph needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name, as in the weights file.
    pub name: String,
    /// Length of every axis, slowest first.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// What it is to its node: the end of its name.
    pub(crate) fn part(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
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
        self.check_specs(&graph.tensors())
    }

    /// The same for any tensors.
    pub(crate) fn check_specs(&self, specs: &[TensorSpec]) -> Result<()> {
        for spec in specs {
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
        let fail = |source| Error::Read { path: path.into(), source };
        let file = File::open(path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        Self::read_from(BufReader::new(file), length, path)
    }

    /// As [`Weights::read`], from a file's bytes; errors call them `name`.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn from_bytes(bytes: &[u8], name: &Path) -> Result<Self> {
        Self::read_from(BufReader::new(Cursor::new(bytes)), bytes.len() as u64, name)
    }

    fn read_from(mut file: BufReader<impl Read + Seek>, length: u64, path: &Path) -> Result<Self> {
        let fail = |source| Error::Read { path: path.into(), source };
        let damaged = |source| Error::Safetensors { path: path.into(), source };
        if length == 0 {
            return Err(Error::Empty { path: path.into() });
        }
        let header = read_header(&mut file, length).map_err(damaged)?;
        let infos = header.tensors();
        let mut weights = Self::new();
        for name in header.offset_keys() {
            let Some(info) = infos.get(&name) else { continue };
            if name.ends_with(".num_batches_tracked") {
                // Offsets are within the file, whose length is an i64.
                file.seek_relative((info.data_offsets.1 - info.data_offsets.0) as i64).map_err(fail)?;
                continue;
            }
            let count = info.shape.iter().product();
            let data = match info.dtype {
                Dtype::F32 => read_values(&mut file, count, f32::from_le_bytes),
                Dtype::F64 => read_values(&mut file, count, |b| f64::from_le_bytes(b) as f32),
                Dtype::F16 => read_values(&mut file, count, |b| half::f16::from_le_bytes(b).to_f32()),
                Dtype::BF16 => read_values(&mut file, count, |b| half::bf16::from_le_bytes(b).to_f32()),
                other => return Err(Error::TensorType { tensor: name, got: format!("{other:?}") }),
            };
            weights.insert(name, info.shape.clone(), data.map_err(fail)?);
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

/// The header of a safetensors file of `length` bytes, which it must account for: what it says of sizes can be believed afterwards.
fn read_header(file: &mut impl Read, length: u64) -> Result<Metadata, SafeTensorError> {
    let Some(rest) = length.checked_sub(size_of::<u64>() as u64) else { return Err(SafeTensorError::HeaderTooSmall) };
    let mut size = [0; size_of::<u64>()];
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    let Some(data) = rest.checked_sub(size) else { return Err(SafeTensorError::InvalidHeaderLength) };
    let mut header = vec![0; size as usize];
    file.read_exact(&mut header)?;
    let header: Metadata = serde_json::from_slice(&header).map_err(SafeTensorError::InvalidHeaderDeserialization)?;
    if header.data_len() as u64 == data { Ok(header) } else { Err(SafeTensorError::MetadataIncompleteBuffer) }
}

/// The next `count` values of a file, each of `N` bytes; never more of its bytes in memory than a block.
fn read_values<const N: usize>(file: &mut impl Read, count: usize, value: impl Fn([u8; N]) -> f32) -> io::Result<Vec<f32>> {
    let mut values = Vec::with_capacity(count);
    let mut block = [[0; N]; 1024];
    while values.len() < count {
        let part = (count - values.len()).min(block.len());
        file.read_exact(block[..part].as_flattened_mut())?;
        values.extend(block[..part].iter().map(|bytes| value(*bytes)));
    }
    Ok(values)
}

impl Graph {
    /// The tensors that the network needs, in the order of its nodes.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        self.tensors_by_node().flat_map(|(_, specs)| specs).collect()
    }

    /// The same by node.
    pub(crate) fn tensors_by_node(&self) -> impl Iterator<Item = (&Node, Vec<TensorSpec>)> {
        self.nodes().iter().map(|node| (node, self.tensors_of(node)))
    }

    fn tensors_of(&self, node: &Node) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        let mut push = |part: &str, shape: Vec<usize>| specs.push(TensorSpec { name: format!("{}.{part}", node.name), shape });
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
            Op::PRelu { slopes } => push("weight", vec![if slopes == Slopes::Shared { 1 } else { input() }]),
            Op::L2Norm { .. } => push("weight", vec![input()]),
            Op::Encoding(Encoding { codewords, channels }) => {
                push("codewords", vec![codewords, channels]);
                push("scale", vec![codewords]);
            }
            Op::Affine | Op::GroupNorm(_) | Op::InstanceNorm(InstanceNorm { affine: true, .. }) => {
                push("weight", vec![input()]);
                push("bias", vec![input()]);
            }
            _ => {}
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
