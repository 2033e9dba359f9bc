//! Tapers against the maps that MONAI and nnU-Net themselves compute (`golden/make_tapers.py`).
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

use serde_json::Value;
use swath_tiling::{Size, Taper};

/// A peer's maps: tile size and weights, `(depth, height, width)`.
fn maps(peer: &str) -> Vec<(Size, Vec<f32>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tapers.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let map = |map: &Value| {
        let extent: Vec<usize> = serde_json::from_value(map["extent"].clone()).unwrap();
        let size = match extent[..] {
            [width] => Size { depth: 1, height: 1, width },
            [height, width] => Size { depth: 1, height, width },
            [depth, height, width] => Size { depth, height, width },
            _ => panic!("expected one to three axes, got {extent:?}"),
        };
        (size, serde_json::from_value(map["values"].clone()).unwrap())
    };
    golden[peer]["maps"].as_array().unwrap().iter().map(map).collect()
}

#[test]
fn monai_gaussian_is_monais_to_a_few_units_in_the_last_place() {
    for (size, expected) in maps("monai") {
        let ours = Taper::MonaiGaussian.weights(size);
        assert_eq!(ours.len(), expected.len());
        for (ours, expected) in ours.iter().zip(&expected) {
            assert!((ours - expected).abs() <= 5e-7 * expected, "{size:?}: expected {expected}, got {ours}");
        }
    }
}

#[test]
fn nnunet_gaussian_is_nnunets_bit_for_bit() {
    for (size, expected) in maps("nnunet") {
        assert_eq!(Taper::NnunetGaussian.weights(size), expected, "{size:?}");
    }
}
