//! Import of Keras models.
//!
//! [`read`] turns an HDF5 file that `model.save("NAME.h5")` wrote into a [`Graph`](crate::Graph) and its [`Weights`](crate::Weights): the layers are those
//! of the file's `model_config`, which is JSON, and kernels change from `(height, width, in, out)` to `(out, in, height, width)`. Networks are functional or
//! sequential, planar, with channels last. As with ONNX, nothing is approximated: a layer or option that the graph cannot express exactly is an error
//! that names it. Code in the file (`Lambda` layers) is never run.
//!
//! Reference: <https://keras.io/api/layers/>.

mod activation;
mod config;
mod convolution;
mod layer;
mod network;
mod read;
mod sampling;
mod tensors;

pub use read::{Imported, read, read_bytes};
