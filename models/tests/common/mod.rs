//! Golden values that several tests share.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub mod data;
pub mod exact;
pub mod formula;
pub mod gradients;
pub mod networks;
pub mod onnx;
pub mod operators;
