//! `swath evaluate` on label volumes, beside MONAI's figures of `golden/make_volume_metrics.py`.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod nifti;
mod support;

use std::fs;

use nifti::Nifti;
use serde_json::Value;
use support::swath;
use tempfile::tempdir;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/volume_metrics.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Balls, of which later ones cover earlier ones.
fn volume(golden: &Value, name: &str) -> Nifti {
    let balls: Vec<[f64; 5]> = serde_json::from_value(golden["balls"][name].clone()).unwrap();
    let size: [usize; 3] = serde_json::from_value(golden["size"].clone()).unwrap();
    let label = |x: usize, y: usize, z: usize| {
        let within = |[_, cx, cy, cz, radius]: &&[f64; 5]| {
            let squares = [(x, cx), (y, cy), (z, cz)].map(|(at, centre)| (at as f64 - centre).powi(2));
            squares.iter().sum::<f64>() <= radius * radius
        };
        balls.iter().rev().find(within).map_or(0.0, |ball| ball[0] as f32)
    };
    let spacing: [f32; 3] = serde_json::from_value(golden["spacing"].clone()).unwrap();
    Nifti { spacing, ..Nifti::new(size, label) }
}

#[test]
fn figures_are_monais() {
    let folder = tempdir().unwrap();
    let golden = golden();
    for name in ["prediction", "reference"] {
        volume(&golden, name).write(&folder.path().join(format!("{name}.nii.gz")));
    }
    let tolerance = &golden["tolerance"];
    let run = swath(
        folder.path(),
        &format!("evaluate prediction.nii.gz reference.nii.gz --surface-tolerance {tolerance} --classes bg,a,b,c,d,e --json -"),
    );
    let got = run.succeeds().json().swap_remove(0);
    let classes = got["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 5);
    for (class, expected) in classes.iter().zip(golden["classes"].as_array().unwrap()) {
        assert_eq!(class["agreement"]["value"], expected["value"]);
        for figure in ["dice", "hd95_mm", "surface_dice"] {
            // What is infinite or left out is null in both.
            let [got, expected] = [&class["agreement"][figure], &expected[figure]].map(Value::as_f64);
            let difference = got.zip(expected).map(|(got, expected)| (got - expected).abs());
            assert!(difference.map_or(got == expected, |difference| difference < 1e-5), "{class}: {figure} {expected:?}");
        }
    }
    assert_eq!(classes[0]["name"], "a");
    let table = swath(folder.path(), "evaluate prediction.nii.gz reference.nii.gz").succeeds().stdout;
    assert!(table.contains("label 4") && table.contains("inf") && table.contains("HD95 (mm)"), "{table}");
}

#[test]
fn other_voxels_are_refused() {
    let folder = tempdir().unwrap();
    let own = volume(&golden(), "reference");
    own.write(&folder.path().join("own.nii"));
    Nifti { spacing: [0.9, 1.1, 2.6], ..own.clone() }.write(&folder.path().join("spacing.nii"));
    Nifti { size: [18, 21, 12], ..own.clone() }.write(&folder.path().join("size.nii"));
    Nifti { spacing: own.spacing, ..Nifti::new(own.size, |x, _, _| x as f32 / 2.0) }.write(&folder.path().join("values.nii"));
    for (other, words) in [
        ("spacing.nii", ["voxels apart", "own.nii"]),
        ("size.nii", ["18 x 21 x 12", "own.nii"]),
        ("values.nii", ["values.nii", "got 0.5 in plane 0"]),
        ("own.nii --erode 3", ["--erode", "own.nii"]),
    ] {
        swath(folder.path(), &format!("evaluate own.nii {other}")).fails(2, &words);
    }
}

/// Where Swath gave no label, the reference's is missed, and there is no class of voxels without one.
#[test]
fn voxels_without_a_label_are_background() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let class = |x: usize| if x < 3 { 1.0 } else { 2.0 };
    Nifti::new([8, 6, 5], |x, _, _| class(x)).write(&path.join("reference.nii.gz"));
    let prediction = |none: f32| Nifti::new([8, 6, 5], move |x, y, _| if y == 0 { none } else { class(x) });
    let evaluate =
        |name: &str| swath(path, &format!("evaluate {name} reference.nii.gz --json -")).succeeds().json().swap_remove(0);
    prediction(255.0).write(&path.join("labels.nii.gz"));
    assert_eq!(evaluate("labels.nii.gz")["classes"].as_array().unwrap().len(), 3);
    fs::write(path.join("labels.json"), r#"{ "swath": "0.1.0", "labels": "labels.nii.gz", "nodata": 255 }"#).unwrap();
    prediction(0.0).write(&path.join("other.nii.gz"));
    let [own, other] = ["labels.nii.gz", "other.nii.gz"].map(|name| evaluate(name)["classes"].clone());
    assert_eq!((own.as_array().unwrap().len(), &own), (2, &other));
}
