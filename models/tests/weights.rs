//! Weight files: what is written is read back, other types become `f32`, and damaged files are told apart.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use swath_models::{Error, Weights};

/// Enough values for several blocks.
const COUNT: usize = 3000;

fn values() -> Vec<f32> {
    // Halves up to 2047.5 are exact in all types but BF16.
    (0..COUNT).map(|i| i as f32 * 0.5 - 700.0).collect()
}

fn file(path: &Path) -> Vec<u8> {
    let mut weights = Weights::new();
    weights.insert("b.weight", vec![COUNT / 3, 3], values());
    weights.insert("a.bias", vec![2], vec![1.5, -2.5]);
    weights.insert("none", vec![0, 4], Vec::new());
    weights.write(path).unwrap();
    assert_eq!(Weights::read(path).unwrap(), weights);
    fs::read(path).unwrap()
}

#[test]
fn every_type_becomes_f32_and_counters_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let double: Vec<u8> = values().iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let half: Vec<u8> = values().iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect();
    let brief: Vec<u8> = values().iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
    let counter = 7i64.to_le_bytes();
    let view = |dtype, data| TensorView::new(dtype, vec![COUNT], data).unwrap();
    let views = [
        ("double", view(Dtype::F64, &double)),
        ("bn.num_batches_tracked", TensorView::new(Dtype::I64, Vec::new(), &counter).unwrap()),
        ("half", view(Dtype::F16, &half)),
        ("brief", view(Dtype::BF16, &brief)),
    ];
    fs::write(&path, safetensors::serialize(views.clone(), None).unwrap()).unwrap();
    let weights = Weights::read(&path).unwrap();
    assert_eq!(weights.specs().count(), 3);
    assert_eq!(weights.get("double").unwrap(), values());
    assert_eq!(weights.get("half").unwrap(), values());
    let brief: Vec<f32> = values().iter().map(|v| half::bf16::from_f32(*v).to_f32()).collect();
    assert_eq!(weights.get("brief").unwrap(), brief);

    let views = [("steps", TensorView::new(Dtype::I64, Vec::new(), &counter).unwrap())];
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let message = Weights::read(&path).unwrap_err().to_string();
    assert_eq!(message, "tensor `steps`: expected F32, F16, BF16 or F64, got I64");
}

#[test]
fn damaged_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let whole = file(&path);
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Weights::read(&path)
    };
    assert!(matches!(read(&[]), Err(Error::Empty { .. })));
    for length in [1, 7, 8, 9, 40, whole.len() / 2, whole.len() - 1] {
        assert!(matches!(read(&whole[..length]), Err(Error::Safetensors { .. })), "{length} bytes of {}", whole.len());
    }
    assert!(matches!(read(&[&whole[..], &[0]].concat()), Err(Error::Safetensors { .. })), "a byte too many");
    for size in [whole.len() as u64, 99_999_999, u64::MAX] {
        assert!(
            matches!(read(&[&size.to_le_bytes(), &whole[8..]].concat()), Err(Error::Safetensors { .. })),
            "a header of {size}"
        );
    }
    let claim = br#"{"a":{"dtype":"F32","shape":[4611686018427387903],"data_offsets":[0,18446744073709551612]}}"#;
    let claim = [&(claim.len() as u64).to_le_bytes()[..], claim].concat();
    assert!(matches!(read(&claim), Err(Error::Safetensors { .. })), "a tensor larger than memory");
    assert!(matches!(Weights::read(&folder.path().join("other")), Err(Error::Read { .. })));
}
