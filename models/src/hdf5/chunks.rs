//! Datasets in chunks.

use super::btree::Tree;
use super::file::File;
use super::reader::{Reader, UNDEFINED};
use crate::flaw::{Sound, content};

/// Where the chunks of a dataset are, and how large each is.
#[derive(Debug)]
pub(super) struct Chunks {
    tree: u64,
    /// Values along every axis of the dataset.
    shape: Vec<usize>,
}

impl Chunks {
    /// Reads the rest of a layout message of version 3.
    pub(super) fn read(reader: &mut Reader<'_>, axes: usize, bytes: usize) -> Sound<Self> {
        let found = reader.u8()?;
        let tree = reader.u64()?;
        if usize::from(found) != axes + 1 || axes == 0 {
            return Err(content(format!("expected chunks of {axes} axes, got {}", found.saturating_sub(1))));
        }
        let shape = (0..axes).map(|_| Ok(reader.u32()? as usize)).collect::<Sound<Vec<usize>>>()?;
        if reader.u32()? as usize != bytes || shape.contains(&0) {
            return Err(content(format!("chunks of shape {shape:?} do not fit values of {bytes} bytes")));
        }
        Ok(Self { tree, shape })
    }

    /// The bytes of a dataset in C order, of which `data` has those of what no chunk has.
    pub(super) fn gather(&self, file: &File<'_>, shape: &[usize], bytes: usize, mut data: Vec<u8>) -> Sound<Vec<u8>> {
        let chunk = self.shape.iter().try_fold(bytes, |size, length| size.checked_mul(*length));
        let chunk = chunk.ok_or_else(|| content(format!("chunks of shape {:?} are larger than memory", self.shape)))?;
        if self.tree == UNDEFINED {
            return Ok(data);
        }
        Tree::Chunks { axes: shape.len() + 1 }.walk(file, self.tree, &mut |key, address| {
            let mut key = Reader(key);
            let (size, mask) = (key.u32()? as usize, key.u32()?);
            if size != chunk || mask != 0 {
                return Err(content(format!("expected chunks of {chunk} bytes, got {size}")));
            }
            let origin =
                (0..shape.len()).map(|_| Ok(usize::try_from(key.u64()?).unwrap_or(usize::MAX))).collect::<Sound<Vec<_>>>()?;
            if origin.iter().zip(shape).any(|(start, length)| start >= length) {
                return Err(content(format!("a chunk at {origin:?} lies outside of {shape:?}")));
            }
            let source = file.slice(address, size as u64)?;
            // Chunks may lie over each other: what is copied counts.
            file.count_values(size / bytes)?;
            self.place(source, &origin, shape, bytes, &mut data);
            Ok(())
        })?;
        Ok(data)
    }

    /// Copies a chunk row by row to where it belongs; what reaches over the dataset's end is no part of it.
    fn place(&self, source: &[u8], origin: &[usize], shape: &[usize], bytes: usize, data: &mut [u8]) {
        let last = shape.len() - 1;
        let width = self.shape[last].min(shape[last] - origin[last]) * bytes;
        let row = self.shape[last] * bytes;
        for (index, values) in source.chunks_exact(row).enumerate() {
            // Its place, the step to the next one along the axis before, and what is left of its number in the chunk.
            let start = (origin[last], shape[last], index);
            let target = (0..last).rev().try_fold(start, |(target, step, rest), axis| {
                let at = origin[axis] + rest % self.shape[axis];
                (at < shape[axis]).then(|| (target + at * step, step * shape[axis], rest / self.shape[axis]))
            });
            if let Some((target, ..)) = target {
                data[target * bytes..][..width].copy_from_slice(&values[..width]);
            }
        }
    }
}
