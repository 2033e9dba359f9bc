//! Import of ONNX files.
//!
//! [`read`] turns a file into a [`Graph`](crate::Graph) and its [`Weights`](crate::Weights). The file is evaluated once, node by node, with
//! three kinds of values: feature maps (which become nodes of the graph), constants, and the integer arithmetic on shapes that exporters write
//! around `Resize`. Shapes are evaluated symbolically, so a network of free extent stays one. Transpositions become a note on the
//! order of axes instead of a node, so channels-last files give the same graph as channels-first ones.
//!
//! What is made of a file is counted, and is little more than the file itself: a short one cannot fill the memory.
//!
//! Nothing is approximated: an operator, attribute or shape that the graph cannot express exactly is an error that names the node.
//! Specification: <https://onnx.ai/onnx/operators/>.

mod activation;
mod arithmetic;
mod array;
mod budget;
mod call;
mod channels;
mod constant;
mod conv;
mod draft;
mod evaluate;
mod folder;
mod layout;
mod norm;
mod operators;
mod pad;
mod pool;
mod proto;
mod reader;
mod reshape;
mod resize;
mod sliding;
mod stack;
mod symbol;
mod value;

pub(crate) use draft::Draft;
pub use reader::{Imported, read, read_bytes};
