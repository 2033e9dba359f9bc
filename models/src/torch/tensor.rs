//! The values of a tensor: which of a storage's they are, and as what they are kept there.

use super::element::{ByteOrder, Element};
use super::pickle::TensorRef;
use crate::flaw::{Sound, content};

/// The values of a tensor in C order, whatever its strides.
pub(super) fn read_values(name: &str, tensor: &TensorRef, element: Element, storage: &[u8], order: ByteOrder) -> Sound<Vec<f32>> {
    let places = Places::new(name, tensor, storage.len() as u64 / element.size())?;
    Ok(match element {
        Element::F64 => places.read(storage, order, |bytes| f64::from_le_bytes(bytes) as f32),
        Element::F32 => places.read(storage, order, f32::from_le_bytes),
        Element::F16 => places.read(storage, order, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
        Element::Bf16 => places.read(storage, order, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
        other => return Err(content(format!("tensor `{name}` has values of {}", other.label()))),
    })
}

/// Places of a tensor's values in its storage, all of which are there.
struct Places {
    offset: usize,
    count: usize,
    axes: Vec<Axis>,
}

/// An axis, and where the tensor stands along it.
struct Axis {
    length: usize,
    stride: usize,
    at: usize,
}

impl Places {
    fn new(name: &str, tensor: &TensorRef, values: u64) -> Sound<Self> {
        let TensorRef { offset, shape, stride, .. } = tensor;
        let outside = || {
            content(format!("tensor `{name}`: shape {shape:?}, stride {stride:?} and offset {offset} leave its {values} values"))
        };
        let count = shape.iter().try_fold(1u64, |count, length| count.checked_mul(*length)).ok_or_else(outside)?;
        if count == 0 {
            return Ok(Self { offset: 0, count: 0, axes: Vec::new() });
        }
        let mut last = *offset;
        for (length, stride) in shape.iter().zip(stride) {
            let reach = (length - 1).checked_mul(*stride);
            last = reach.and_then(|reach| last.checked_add(reach)).ok_or_else(outside)?;
        }
        // A tensor that repeats values (`expand`) could be far larger than its storage.
        if last >= values || count > values {
            return Err(outside());
        }
        // All fit into memory, for the storage is there.
        let axes =
            shape.iter().zip(stride).map(|(length, stride)| Axis { length: *length as usize, stride: *stride as usize, at: 0 });
        Ok(Self { offset: *offset as usize, count: count as usize, axes: axes.collect() })
    }

    /// The values there.
    fn read<const N: usize>(mut self, storage: &[u8], order: ByteOrder, value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (storage, _rest) = storage.as_chunks::<N>();
        let mut values = Vec::with_capacity(self.count);
        let mut place = self.offset;
        for _ in 0..self.count {
            let mut bytes = storage[place];
            if order == ByteOrder::Big {
                bytes.reverse();
            }
            values.push(value(bytes));
            place = self.next(place);
        }
        values
    }

    /// The place after this one: one on along the last axis that has one left, back to the start along those behind it. On the way it may be
    /// outside, by any stride along an axis of length 1, but not when it is there.
    fn next(&mut self, mut place: usize) -> usize {
        for axis in self.axes.iter_mut().rev() {
            axis.at += 1;
            place = place.wrapping_add(axis.stride);
            if axis.at < axis.length {
                return place;
            }
            place = place.wrapping_sub(axis.length.wrapping_mul(axis.stride));
            axis.at = 0;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::super::pickle::ValueId;
    use super::*;

    fn read(offset: u64, shape: &[u64], stride: &[u64], storage: &[f32]) -> Result<Vec<f32>, String> {
        let bytes: Vec<u8> = storage.iter().flat_map(|value| value.to_be_bytes()).collect();
        let tensor = TensorRef { storage: ValueId(0), offset, shape: shape.to_vec(), stride: stride.to_vec() };
        read_values("t", &tensor, Element::F32, &bytes, ByteOrder::Big).map_err(|flaw| format!("{flaw:?}"))
    }

    #[test]
    fn views_are_read_in_c_order() {
        let storage = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(read(0, &[2, 3], &[3, 1], &storage), Ok(storage.to_vec()));
        assert_eq!(read(0, &[3, 2], &[1, 3], &storage), Ok(vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        assert_eq!(read(1, &[2, 2], &[3, 1], &storage), Ok(vec![1.0, 2.0, 4.0, 5.0]));
        assert_eq!(read(5, &[], &[], &storage), Ok(vec![5.0]));
        assert_eq!(read(9, &[3, 0], &[7, 7], &storage), Ok(Vec::new()));
        assert_eq!(read(2, &[3], &[0], &storage), Ok(vec![2.0; 3]));
        assert_eq!(read(2, &[1, 2], &[u64::MAX, 1], &storage), Ok(vec![2.0, 3.0]));
    }

    #[test]
    fn no_view_leaves_its_storage() {
        let storage = [0.0; 6];
        for (offset, shape, stride) in [
            (0, vec![7], vec![1]),
            (1, vec![2, 3], vec![3, 1]),
            (6, vec![], vec![]),
            (0, vec![7], vec![0]),
            (0, vec![1 << 40], vec![0]),
            (0, vec![u64::MAX, 2], vec![0, 0]),
            (0, vec![2], vec![u64::MAX]),
            (u64::MAX, vec![2], vec![1]),
        ] {
            assert!(read(offset, &shape, &stride, &storage).is_err(), "{offset} {shape:?} {stride:?}");
        }
    }
}
