//! Tapers and window starts against those that MONAI and nnU-Net themselves compute (`golden/make_tapers.py`).
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

use serde_json::Value;
use swath_tiling::{Size, Taper, TileGrid};

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tapers.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A peer's maps: tile size and weights, `(depth, height, width)`.
fn maps(peer: &str) -> Vec<(Size, Vec<f32>)> {
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
    golden()[peer]["maps"].as_array().unwrap().iter().map(map).collect()
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

/// MONAI steps by `max(1, trunc(window * (1 - overlap)))`, in double precision, and shifts the last window inwards as [`TileGrid`] does.
#[test]
fn tiles_start_where_monais_windows_do() {
    for case in golden()["monai"]["starts"].as_array().unwrap() {
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let (image, window) = (number("image"), number("window"));
        let step = ((window as f64 * (1.0 - case["overlap"].as_f64().unwrap())) as usize).max(1);
        let overlap = Size { depth: 0, height: 0, width: window - step };
        let grid = TileGrid::new(Size::plane(image, 1), Size::plane(window, 1), overlap).unwrap();
        let starts: Vec<usize> = grid.tiles().map(|tile| tile.window.x).collect();
        assert_eq!(starts, serde_json::from_value::<Vec<usize>>(case["starts"].clone()).unwrap(), "{case}");
    }
}

/// nnU-Net spreads its windows evenly, half of one apart or less, and rounds their starts half to even.
#[test]
fn even_tiles_start_where_nnunets_windows_do() {
    for case in golden()["nnunet"]["starts"].as_array().unwrap() {
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let (image, window) = (number("image"), number("window"));
        let grid = TileGrid::even(Size::plane(image, 1), Size::plane(window, 1), [1.0, 1.0, window as f64 / 2.0]).unwrap();
        let starts: Vec<usize> = grid.tiles().map(|tile| tile.window.x).collect();
        assert_eq!(starts, serde_json::from_value::<Vec<usize>>(case["starts"].clone()).unwrap(), "{case}");
    }
}
