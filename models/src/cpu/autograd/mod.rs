//! Gradients on a CPU, fast.
#![cfg_attr(not(test), expect(dead_code, reason = "nothing is trained yet"))]

mod convolution;
#[cfg(test)]
mod tests;
mod transposed;
