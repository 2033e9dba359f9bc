//! Fast inference on the CPU.

#[allow(dead_code, unused_imports, reason = "the executor that calls the kernels is written beside them")]
mod kernels;
