//! How many values there are, along which axes.

use super::reader::Reader;
use crate::flaw::{Sound, content};

/// Axes of a dataset.
const MAX_AXES: u8 = 32;

/// The length of every axis, the slowest first; none for a single value.
pub(super) fn shape(data: &[u8]) -> Sound<Vec<usize>> {
    let mut reader = Reader(data);
    let (version, rank, _flags) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let kind = reader.u8()?;
    match (version, kind) {
        (1, _) => {
            reader.take(4)?;
        }
        (2, 0 | 1) => {}
        (2, 2) => return Ok(vec![0]),
        _ => return Err(content(format!("expected a dataspace of version 1 or 2, got {version}"))),
    }
    if rank > MAX_AXES {
        return Err(content(format!("expected at most {MAX_AXES} axes, got {rank}")));
    }
    let length = |_| {
        let length = reader.u64()?;
        usize::try_from(length).map_err(|_too_large| content(format!("an axis claims a length of {length}")))
    };
    (0..rank).map(length).collect()
}

/// The number of values; `None` if there are more than a computer can address.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, length| count.checked_mul(*length))
}
