//! Tensors whose values are in the file.

use super::array::{Array, count};
use super::folder::Folder;
use super::proto::{ElementType, TensorProto};
use super::symbol::{Kind, Symbol};
use crate::{Error, Result};

/// A tensor whose values are in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    pub(super) data: Data,
}

/// The values, in C order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Real(Vec<f32>),
    Integer(Vec<i64>),
}

impl Constant {
    /// The values of a message. `folder` is where the ONNX file is, and the file of values if they are not in the message.
    pub(super) fn decode(tensor: &TensorProto, folder: &Folder<'_>) -> Result<Self> {
        let name = || tensor.name.clone();
        let kind = ElementType::from_code(tensor.data_type)
            .ok_or_else(|| Error::TensorType { tensor: name(), got: format!("ONNX type {}", tensor.data_type) })?;
        let dims: Option<Vec<usize>> = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
        let count = dims.as_deref().and_then(count);
        let (Some(dims), Some(count)) = (dims, count) else {
            return Err(Error::Unsuitable { reason: format!("tensor `{}` has the shape {:?}", tensor.name, tensor.dims) });
        };
        let data = if tensor.data_location == 1 {
            from_bytes(kind, &folder.read(tensor, kind, &dims, count)?)
        } else if tensor.raw_data.is_empty() {
            from_fields(kind, tensor)
        } else {
            from_bytes(kind, &tensor.raw_data)
        };
        if data.len() != count {
            return Err(Error::TensorShape { tensor: name(), expected: dims, got: vec![data.len()] });
        }
        Ok(Self { dims, data })
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// The values as `f32`.
    pub(super) fn floats(&self) -> Vec<f32> {
        match &self.data {
            Data::Real(values) => values.clone(),
            Data::Integer(values) => values.iter().map(|v| *v as f32).collect(),
        }
    }

    /// The values as an array, for arithmetic.
    pub(super) fn to_array(&self) -> Array {
        let (items, kind) = match &self.data {
            Data::Real(values) => (values.iter().map(|v| Symbol::Number(f64::from(*v))).collect(), Kind::Real),
            Data::Integer(values) => (values.iter().map(|v| Symbol::Number(*v as f64)).collect(), Kind::Integer),
        };
        Array { dims: self.dims.clone(), items, kind }
    }
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Integer(values) => values.len(),
        }
    }
}

/// Little-endian values; a rest that is no whole value is left over, which the count of values then tells.
fn from_bytes(kind: ElementType, bytes: &[u8]) -> Data {
    match kind {
        ElementType::F32 => Data::Real(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        ElementType::F64 => Data::Real(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()),
        ElementType::F16 => Data::Real(bytes.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect()),
        ElementType::Bf16 => Data::Real(bytes.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect()),
        ElementType::U8 | ElementType::Bool => Data::Integer(bytes.iter().map(|b| i64::from(*b)).collect()),
        ElementType::I8 => Data::Integer(bytes.iter().map(|b| i64::from(b.cast_signed())).collect()),
        ElementType::U16 => Data::Integer(bytes.as_chunks().0.iter().map(|b| i64::from(u16::from_le_bytes(*b))).collect()),
        ElementType::I16 => Data::Integer(bytes.as_chunks().0.iter().map(|b| i64::from(i16::from_le_bytes(*b))).collect()),
        ElementType::I32 => Data::Integer(bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect()),
        ElementType::I64 => Data::Integer(bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect()),
    }
}

/// Values in the typed fields; half-precision floats are there as the bits of `int32_data`.
fn from_fields(kind: ElementType, tensor: &TensorProto) -> Data {
    let bits = || tensor.int32_data.iter().map(|v| *v as u16);
    match kind {
        ElementType::F32 => Data::Real(tensor.float_data.clone()),
        ElementType::F64 => Data::Real(tensor.double_data.iter().map(|v| *v as f32).collect()),
        ElementType::F16 => Data::Real(bits().map(|b| half::f16::from_bits(b).to_f32()).collect()),
        ElementType::Bf16 => Data::Real(bits().map(|b| half::bf16::from_bits(b).to_f32()).collect()),
        ElementType::I64 => Data::Integer(tensor.int64_data.clone()),
        _ => Data::Integer(tensor.int32_data.iter().map(|v| i64::from(*v)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn tensor(data_type: i32, dims: &[i64]) -> TensorProto {
        TensorProto { name: "w".into(), data_type, dims: dims.to_vec(), ..TensorProto::default() }
    }

    #[test]
    fn reads_every_way_to_store_floats() {
        let here = &Folder::new(Path::new(""));
        let raw = |data_type, bytes: &[u8]| {
            Constant::decode(&TensorProto { raw_data: bytes.to_vec(), ..tensor(data_type, &[2]) }, here).unwrap().floats()
        };
        let want = vec![1.5f32, -2.0];
        assert_eq!(raw(1, &[1.5f32.to_le_bytes(), (-2f32).to_le_bytes()].concat()), want);
        assert_eq!(raw(11, &[1.5f64.to_le_bytes(), (-2f64).to_le_bytes()].concat()), want);
        assert_eq!(raw(10, &[0x00, 0x3e, 0x00, 0xc0]), want);
        assert_eq!(raw(16, &[0xc0, 0x3f, 0x00, 0xc0]), want);
        let fields = |t: TensorProto| Constant::decode(&t, here).unwrap().floats();
        assert_eq!(fields(TensorProto { float_data: want.clone(), ..tensor(1, &[2]) }), want);
        assert_eq!(fields(TensorProto { double_data: vec![1.5, -2.0], ..tensor(11, &[2]) }), want);
        assert_eq!(fields(TensorProto { int32_data: vec![0x3e00, 0xc000], ..tensor(10, &[2]) }), want);
        assert_eq!(fields(TensorProto { int32_data: vec![0x3fc0, 0xc000], ..tensor(16, &[2]) }), want);
    }

    #[test]
    fn reads_every_way_to_store_integers() {
        let here = &Folder::new(Path::new(""));
        let raw = |data_type, bytes: &[u8]| {
            Constant::decode(&TensorProto { raw_data: bytes.to_vec(), ..tensor(data_type, &[1]) }, here).unwrap().data
        };
        for (data_type, bytes) in
            [(3, [0xfe].as_slice()), (5, &[0xfe, 0xff]), (6, &(-2i32).to_le_bytes()), (7, &(-2i64).to_le_bytes())]
        {
            assert_eq!(raw(data_type, bytes), Data::Integer(vec![-2]));
        }
        for (data_type, bytes) in [(2, [0xfe].as_slice()), (4, &[0xfe, 0x00]), (9, &[0xfe])] {
            assert_eq!(raw(data_type, bytes), Data::Integer(vec![254]));
        }
        let long = TensorProto { int64_data: vec![-2], ..tensor(7, &[]) };
        assert_eq!(Constant::decode(&long, here).unwrap(), Constant { dims: vec![], data: Data::Integer(vec![-2]) });
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let here = &Folder::new(Path::new(""));
        let short = TensorProto { raw_data: vec![0; 5], ..tensor(1, &[2]) };
        assert_eq!(Constant::decode(&short, here).unwrap_err().to_string(), "tensor `w`: expected shape [2], got [1]");
        assert!(matches!(Constant::decode(&tensor(8, &[1]), here), Err(Error::TensorType { .. })));
        assert!(matches!(Constant::decode(&tensor(1, &[-1]), here), Err(Error::Unsuitable { .. })));
        // Whether there is a 0 among them or not.
        for dims in [&[i64::MAX, 3][..], &[i64::MAX, 3, 0], &[0, i64::MAX, 3], &[1; 65]] {
            assert!(matches!(Constant::decode(&tensor(1, dims), here), Err(Error::Unsuitable { .. })), "{dims:?}");
        }
    }
}
