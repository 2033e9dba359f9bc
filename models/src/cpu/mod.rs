//! Fast inference on the CPU.

#[expect(dead_code, reason = "the executor that calls the kernels is written beside them")]
#[cfg_attr(not(test), expect(unused_imports, reason = "the executor that calls the kernels is written beside them"))]
mod kernels;
