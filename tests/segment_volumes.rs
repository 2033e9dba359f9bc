//! The built binary on volumes: what is labelled is what was asked for, whichever way the voxels lie.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod nifti;
mod real_data;
mod support;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use nifti::{Labels, Nifti, read_floats, read_labels};
use serde_json::{Value, json};
use support::{Linear, counts, swath};
use swath_models::{Axes, Builder, Conv, Extent, Model, ModelCard, Rank, Scope, ScoreActivation, VolumeInput, Weights};
use tempfile::{TempDir, tempdir};

/// A volume whose values are no symmetric function of their place: 0 to 126.
fn noise([width, height, depth]: [usize; 3]) -> Nifti {
    Nifti::new([width, height, depth], |x, y, z| (support::noise(z, x, y) / 2).min(126).into())
}

/// What a card says of volumes.
fn input(json: &str) -> VolumeInput {
    serde_json::from_str(json).unwrap()
}

/// A model whose label of a voxel is the value of the voxel at `offset` from it, along its own depth, height and width: one convolution with a kernel
/// of three along each axis and one weight that is not 0. Beyond the edge is 0.
fn neighbour(rank: Rank, offset: [isize; 3], volume: VolumeInput) -> Model {
    let identity = Linear::identity();
    let classes = identity.bias.len();
    let kernel = if rank == Rank::Planar { Extent { z: 1, y: 3, x: 3 } } else { Extent::cube(3) };
    let mut builder = Builder::new("neighbour", rank, 1);
    let image = builder.input();
    let conv = Conv { kernel, padding: kernel.map(|side| swath_models::Padding::both(side / 2)), ..Conv::square(classes, 1) };
    let head = builder.conv(image, &Scope::root("head"), conv.biased()).node();
    let at = Axes::from_array(offset).zip(kernel).map(|(offset, side)| (side / 2).saturating_add_signed(offset));
    let mut weights = Weights::new();
    let mut values = vec![0.0; classes * kernel.product()];
    for (class, weight) in identity.weights.iter().enumerate() {
        values[class * kernel.product() + (at.z * kernel.y + at.y) * kernel.x + at.x] = weight[0];
    }
    let shape = if rank == Rank::Planar { vec![classes, 1, 3, 3] } else { vec![classes, 1, 3, 3, 3] };
    weights.insert("head.weight", shape, values);
    weights.insert("head.bias", vec![classes], identity.bias.clone());
    let Model { card, .. } = identity.model();
    let card = ModelCard { volume: Some(volume), ..card };
    Model { card, graph: builder.build(head).unwrap(), weights }
}

/// Labels `case.nii.gz` of a folder by a model.
fn label(folder: &TempDir, model: &Model, options: &str) -> Labels {
    let path = folder.path().join("model");
    let _ = fs::remove_dir_all(&path);
    model.write(&path).unwrap();
    segment(folder.path(), options);
    read_labels(&folder.path().join("labels.nii.gz"))
}

fn segment(folder: &Path, options: &str) {
    let common = "--model model --output labels.nii.gz --overwrite --max-memory 1GiB --threads 2";
    swath(folder, &format!("segment case.nii.gz {common} {options}")).succeeds();
}

/// The mean of what a network says of all mirror images, along its own axes: of a neighbour to one side, that of both.
#[test]
fn mirror_images_are_averaged() {
    let folder = tempdir().unwrap();
    // Sums of two are even, so that their halves are labels.
    let mut volume = noise([9, 8, 7]);
    volume.values.iter_mut().for_each(|value| *value = 2.0 * (*value / 4.0).floor());
    (volume.sides, volume.spacing) = ([1, 0, 2], [-1.0, -1.0, 1.0]);
    volume.write(&folder.path().join("case.nii.gz"));
    for (offset, along) in [([1, 0, 0], [0, 0, 1]), ([0, 1, 0], [1, 0, 0]), ([0, 0, -1], [0, 1, 0])] {
        let model = neighbour(Rank::Volumetric, offset, input(r#"{ "axes": "SPL" }"#));
        let [there, back] = [along, along.map(|step: isize| -step)].map(|offset| shifted(&volume, offset));
        let expected: Vec<u8> = there.iter().zip(&back).map(|(there, back)| u8::midpoint(*there, *back)).collect();
        for options in ["", "--tile 6 --blend crop"] {
            let labels = label(&folder, &model, &format!("--tta mirrors {options}"));
            assert!(labels.values == expected, "{offset:?} {options}");
        }
    }
    let plan = |tta: &str| {
        let plan = swath(folder.path(), &format!("plan case.nii.gz --model model --max-memory 1GiB --json {tta}")).succeeds();
        plan.json()[0]["flops"].as_u64().unwrap()
    };
    assert_eq!(plan("--tta mirrors"), 8 * plan(""));
    neighbour(Rank::Planar, [0; 3], input(r#"{ "axes": "SPL" }"#)).write(&folder.path().join("planes")).unwrap();
    let run = swath(folder.path(), "segment case.nii.gz --model planes --output other.nii --tta mirrors");
    run.fails(2, &["expected a network of volumes for mirrors", "one of planes"]);
}

/// The value at an offset along x, y and z of the file, 0 beyond its edge.
fn shifted(volume: &Nifti, offset: [isize; 3]) -> Vec<u8> {
    let [width, height, _] = volume.size;
    let value = |at: usize| {
        let place = [at % width, at / width % height, at / width / height];
        let moved: Option<Vec<usize>> =
            (0..3).map(|axis| place[axis].checked_add_signed(offset[axis]).filter(|at| *at < volume.size[axis])).collect();
        moved.map_or(0, |moved| volume.values[(moved[2] * height + moved[1]) * width + moved[0]] as u8)
    };
    (0..volume.values.len()).map(value).collect()
}

/// Each network sees its neighbours where its card says that its axes point to, whatever the order and directions of those of the file; with tiles
/// of any size, since a halo of one voxel is all that it sees.
#[test]
fn a_network_sees_its_own_axes() {
    let folder = tempdir().unwrap();
    let mut volume = noise([13, 11, 9]);
    // x towards posterior, y towards left, z towards superior: PLS.
    (volume.sides, volume.spacing) = ([1, 0, 2], [-1.0, -1.0, 1.0]);
    volume.write(&folder.path().join("case.nii.gz"));
    // The network's depth, height and width, the neighbour along them, and where that is along x, y and z of the file.
    for (rank, axes, offset, expected) in [
        (Rank::Volumetric, "ijk", [1, 0, 0], [1, 0, 0]),
        (Rank::Volumetric, "SPL", [1, 0, 0], [0, 0, 1]),
        (Rank::Volumetric, "SPL", [0, 1, -1], [1, -1, 0]),
        (Rank::Volumetric, "RAS", [1, 0, 0], [0, -1, 0]),
        (Rank::Volumetric, "RAS", [0, 1, 1], [-1, 0, 1]),
        (Rank::Volumetric, "IAR", [-1, 0, 1], [0, -1, 1]),
        (Rank::Planar, "SPL", [0, 1, -1], [1, -1, 0]),
        (Rank::Planar, "LSA", [0, 1, 1], [-1, 0, 1]),
        (Rank::Planar, "PSR", [0, -1, 1], [0, -1, -1]),
    ] {
        let model = neighbour(rank, offset, input(&format!(r#"{{ "axes": "{axes}" }}"#)));
        for options in ["", "--tile 8 --blend crop", "--tile 7 --blend crop --workers 2"] {
            let labels = label(&folder, &model, options);
            assert!(labels.values == shifted(&volume, expected), "{rank:?} {axes} {offset:?} {options}");
        }
    }
}

#[test]
fn neighbouring_slices_are_bands() {
    let folder = tempdir().unwrap();
    let volume = noise([8, 7, 6]);
    volume.write(&folder.path().join("case.nii.gz"));
    for (axes, band, expected) in [("SPL", 0, [0, 0, -1]), ("IPL", 0, [0, 0, 1]), ("LPS", 2, [-1, 0, 0]), ("ASR", 2, [0, 1, 0])] {
        let mut linear = Linear::identity();
        for weights in &mut linear.weights {
            let own = weights[0];
            *weights = (0..3).map(|at| if at == band { own } else { 0.0 }).collect();
        }
        let Model { card, graph, weights } = linear.model();
        let volume_input = input(&format!(r#"{{ "axes": "{axes}", "slices": 3 }}"#));
        let model = Model { card: ModelCard { volume: Some(volume_input), ..card }, graph, weights };
        let labels = label(&folder, &model, "--tile 5");
        // The outer slices are repeated.
        let [width, height, depth] = volume.size;
        let clamp = |at: usize, offset: isize, length: usize| (at as isize + offset).clamp(0, length as isize - 1) as usize;
        let at = |at: usize| {
            let (x, y, z) = (at % width, at / width % height, at / width / height);
            let [dx, dy, dz] = expected;
            let (x, y, z) = (clamp(x, dx, width), clamp(y, dy, height), clamp(z, dz, depth));
            volume.values[(z * height + y) * width + x] as u8
        };
        assert!(labels.values == (0..width * height * depth).map(at).collect::<Vec<_>>(), "{axes} {band}");
    }
}

/// Everything of the header but what says how voxels are stored.
#[test]
fn the_header_is_the_volumes() {
    let folder = tempdir().unwrap();
    let mut volume = noise([9, 8, 7]);
    volume.spacing = [0.7, 0.9, 2.5];
    volume.write(&folder.path().join("case.nii.gz"));
    volume.write(&folder.path().join("plain.nii"));
    let labels = label(&folder, &neighbour(Rank::Volumetric, [0; 3], input(r#"{ "axes": "ijk" }"#)), "");
    let own = fs::read(folder.path().join("plain.nii")).unwrap();
    let differ: Vec<usize> = (0..348).filter(|at| labels.header[*at] != own[*at]).collect();
    // datatype, bitpix, vox_offset, scl_slope, cal_max.
    assert!(differ.iter().all(|at| (70..74).contains(at) || (108..120).contains(at) || (124..132).contains(at)), "{differ:?}");
    let item: Value = serde_json::from_slice(&fs::read(folder.path().join("labels.json")).unwrap()).unwrap();
    assert_eq!(item["orientation"], "RAS");
    let voxels: u64 = item["classes"].as_array().unwrap().iter().map(|class| class["voxels"].as_u64().unwrap()).sum();
    assert_eq!(voxels, 9 * 8 * 7);
    assert_eq!(item["parameters"]["volume"]["axes"], "ijk");
}

/// Values as numpy has them: a window in HU, percentiles of the volume, its mean and deviation.
#[test]
fn intensities_are_prepared_in_their_order() {
    let folder = tempdir().unwrap();
    let volume = Nifti::new([5, 4, 3], |x, y, z| (x * 7 + y * 31 + z * 13) as f32 - 50.0);
    volume.write(&folder.path().join("case.nii.gz"));
    let mut sorted = volume.values.clone();
    sorted.sort_by(f32::total_cmp);
    let percentile = |p: f64| {
        let at = p / 100.0 * (sorted.len() - 1) as f64;
        let (low, high) = (f64::from(sorted[at.floor() as usize]), f64::from(sorted[at.ceil() as usize]));
        low + (high - low) * at.fract()
    };
    let clipped: Vec<f64> = volume.values.iter().map(|x| f64::from(*x).max(percentile(10.0)).min(percentile(85.5))).collect();
    let mean = clipped.iter().sum::<f64>() / clipped.len() as f64;
    let deviation = (clipped.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / clipped.len() as f64).sqrt();
    let steps = r#"[{ "type": "clip-percentiles", "lower": 10, "upper": 85.5 }, { "type": "z-score-volume" },
        { "type": "min-max", "minimum": -4, "maximum": -3.9 }, { "type": "clip", "minimum": 0, "maximum": 126 }]"#;
    let model = neighbour(Rank::Volumetric, [0; 3], input(&format!(r#"{{ "axes": "SPL", "intensity": {steps} }}"#)));
    let labels = label(&folder, &model, "");
    for (x, label) in clipped.iter().zip(labels.values) {
        let expected = (((x - mean) / deviation + 4.0) / 0.1).clamp(0.0, 126.0);
        assert!((expected - f64::from(label)).abs() < 0.501, "{expected} became {label}");
    }
}

/// A ball of 1 with a hole, a crumb of 1 far away, and a block of 2.
#[test]
fn components_are_kept_by_size() {
    let folder = tempdir().unwrap();
    let mut volume = Nifti::new([20, 20, 12], |x, y, z| {
        let square = |a: usize, b: usize| a.abs_diff(b).pow(2);
        let distance = square(x, 7) + square(y, 7) + square(z, 5);
        let is_block = (15..18).contains(&x) && (14..17).contains(&y) && (3..6).contains(&z);
        match (distance, is_block) {
            (5..=16, _) => 1.0,
            (_, true) => 2.0,
            _ if (x, y, z) == (1, 18, 10) => 1.0,
            _ => 0.0,
        }
    });
    volume.spacing = [2.0, 0.5, 1.0];
    volume.write(&folder.path().join("case.nii.gz"));
    let model = neighbour(Rank::Volumetric, [0; 3], input(r#"{ "axes": "ijk" }"#));
    let count = |labels: &Labels, class: u8| support::count(&labels.values, model.card.classes[usize::from(class)].value);
    let crumb = (10 * 20 + 18) * 20 + 1;
    let all = label(&folder, &model, "");
    let largest = label(&folder, &model, "--keep largest --csv table.csv");
    assert_eq!((all.values[crumb], largest.values[crumb]), (1, 0));
    assert_eq!((count(&largest, 1), count(&largest, 2)), (count(&all, 1) - 1, 27));
    let table = fs::read_to_string(folder.path().join("table.csv")).unwrap();
    assert!(table.contains(",2,class_2,27,0.027000\n"), "{table}");
    fs::remove_file(folder.path().join("table.csv")).unwrap();
    // A voxel is one cubic millimetre: 27 are less than 27.5.
    let smallest = label(&folder, &model, "--min-size 27.5");
    assert_eq!((count(&smallest, 1), count(&smallest, 2)), (count(&all, 1) - 1, 0));
    let filled = label(&folder, &model, "--fill-cavities");
    let hole = (5 * 20 + 7) * 20 + 7;
    assert_eq!((all.values[hole], filled.values[hole], filled.values[0]), (0, 1, 0));
}

#[test]
fn what_volumes_have_not_is_said() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    noise([6, 5, 4]).write(&path.join("case.nii.gz"));
    Linear::identity().model().write(&path.join("scenes")).unwrap();
    neighbour(Rank::Volumetric, [0; 3], input(r#"{ "axes": "ijk" }"#)).write(&path.join("model")).unwrap();
    let case = "segment case.nii.gz --model model --output";
    for (args, words) in [
        ("segment case.nii.gz --model scenes --output labels.nii.gz", ["swath:volume", "linear"]),
        (&format!("{case} labels.tif"), [".nii.gz", "labels.tif"]),
        (&format!("{case} labels.dcm"), [".dcm for a DICOM series", "labels.dcm"]),
        (&format!("{case} case.nii.gz --overwrite"), ["case.nii.gz", "scene"]),
        (&format!("{case} labels.nii.gz --window 0,0,2,2"), ["a window", "case.nii.gz"]),
        (&format!("{case} labels.nii.gz --bands 1"), ["bands", "case.nii.gz"]),
        (&format!("{case} labels.nii.gz --probabilities p.tif"), [".nii or .nii.gz for probabilities", "p.tif"]),
        (&format!("{case} labels.nii.gz --probabilities case.nii.gz --overwrite"), ["case.nii.gz", "scene"]),
        (
            &format!("{case} labels.nii.gz --probabilities p.nii --probability-type u8"),
            ["probabilities in 8 bits", "case.nii.gz"],
        ),
        (&format!("{case} labels.nii.gz --confidence c.nii"), ["confidence", "case.nii.gz"]),
        (&format!("{case} labels.nii.gz --shard 1/2"), ["a shard", "case.nii.gz"]),
        (&format!("{case} labels.nii.gz --frame 1"), ["1 volumes", "number 1"]),
        ("segment none.nii.gz --model model --output labels.nii.gz", ["none.nii.gz", "cannot"]),
    ] {
        swath(path, args).fails(2, &words);
    }
    support::assert_nothing_left(path);
}

/// What `golden/make_resampling.py` has of one volume.
#[derive(serde::Deserialize)]
struct Resampled {
    size: [usize; 3],
    spacing: [f32; 3],
    /// `spacing` or `size` of the card.
    volume: serde_json::Map<String, Value>,
    /// Width, height and depth that the network sees.
    grid: [usize; 3],
    scores: Vec<u8>,
    nearest: Vec<u8>,
}

/// The network sees what `skimage` makes of the volume, and its scores come back as nnU-Net's do, in slabs of any size.
#[test]
fn scores_come_back_as_nnunets() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/resampling.json");
    let cases: Vec<Resampled> = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let folder = tempdir().unwrap();
    let linear = Linear {
        weights: vec![vec![0.0], vec![1.0], vec![2.0]],
        bias: vec![0.0, -30.37, -100.81],
        activation: ScoreActivation::Softmax,
    };
    for case in cases {
        let mut volume = Nifti::new(case.size, |_, _, _| 0.0);
        volume.values.iter_mut().enumerate().for_each(|(at, value)| *value = (37 * at % 101) as f32);
        volume.spacing = case.spacing;
        volume.write(&folder.path().join("case.nii.gz"));
        for (way, expected) in [("scores", &case.scores), ("nearest", &case.nearest)] {
            let mut fields = case.volume.clone();
            fields.insert("axes".into(), "SAR".into());
            fields.insert("labels".into(), way.into());
            let Model { card, graph, weights } = linear.model();
            let model =
                Model { card: ModelCard { volume: Some(input(&Value::from(fields).to_string())), ..card }, graph, weights };
            for options in ["", "--tile 4 --overlap 1", "--tile 3 --blend flat --overlap 0"] {
                let labels = label(&folder, &model, options);
                let classes: Vec<u8> = labels.values.iter().map(|label| (label - 1) / 2).collect();
                assert!(classes == *expected, "{:?} {:?} {way} {options}", case.size, case.volume);
            }
            let item: Value = serde_json::from_slice(&fs::read(folder.path().join("labels.json")).unwrap()).unwrap();
            assert_eq!(item["parameters"]["grid"], serde_json::json!(case.grid));
        }
    }
}

/// Three scores, whose softmax is nowhere near 0 or 1.
fn soft() -> Linear {
    Linear {
        weights: vec![vec![0.0], vec![0.1], vec![0.2]],
        bias: vec![0.0, -3.037, -10.081],
        activation: ScoreActivation::Softmax,
    }
}

/// Softmax of scores, in double precision.
fn softmax(scores: &[f32]) -> Vec<f64> {
    let shares: Vec<f64> = scores.iter().map(|score| f64::from(*score).exp()).collect();
    shares.iter().map(|share| share / shares.iter().sum::<f64>()).collect()
}

/// Probabilities are the softmax of the scores on the volume's own voxels, and what has no value has none.
#[test]
fn probabilities_are_those_of_the_scores() {
    let folder = tempdir().unwrap();
    let mut volume = Nifti::new([9, 8, 7], |_, _, _| 0.0);
    volume.values.iter_mut().enumerate().for_each(|(at, value)| *value = (37 * at % 101) as f32);
    volume.values[100] = f32::NAN;
    volume.write(&folder.path().join("case.nii.gz"));
    let linear = soft();
    for (volume_input, options) in [
        (r#"{ "axes": "SAR" }"#, ""),
        (r#"{ "axes": "ASL" }"#, "--tile 4 --overlap 2 --blend gaussian"),
        // The nearest of twice as many voxels is one with the same value.
        (r#"{ "axes": "SAR", "spacing": [0.3333333, 0.3333333, 0.3333333], "labels": "nearest" }"#, "--tile 10 --overlap 2"),
    ] {
        let Model { card, graph, weights } = linear.model();
        let model = Model { card: ModelCard { volume: Some(input(volume_input)), ..card }, graph, weights };
        let plain = label(&folder, &model, options).values;
        for name in ["probabilities.nii", "probabilities.nii.gz"] {
            let labels = label(&folder, &model, &format!("--probabilities {name} {options}")).values;
            assert!(labels == plain, "{volume_input} {options}");
            let probabilities = read_floats(&folder.path().join(name));
            assert_eq!(probabilities.len(), 3);
            for (at, value) in volume.values.iter().enumerate() {
                let expected = softmax(&linear.scores(&[*value]));
                for (class, expected) in expected.iter().enumerate() {
                    let got = f64::from(probabilities[class][at]);
                    let is_same = if value.is_nan() { got.is_nan() } else { (got - expected).abs() < 1e-6 };
                    assert!(is_same, "class {class} of voxel {at}: expected {expected}, got {got}, {volume_input} {options}");
                }
            }
            assert_eq!(labels[100], support::NODATA);
        }
    }
    let item: Value = serde_json::from_slice(&fs::read(folder.path().join("labels.json")).unwrap()).unwrap();
    assert_eq!(
        (item["probabilities"].as_str(), item["probabilities_sha256"].as_str().map(str::len)),
        (Some("probabilities.nii.gz"), Some(64))
    );
}

/// Where scores are resampled, probabilities are those of the resampled scores: their largest is the label.
#[test]
fn probabilities_of_resampled_scores_are_those_of_their_labels() {
    let folder = tempdir().unwrap();
    noise([10, 7, 6]).write(&folder.path().join("case.nii.gz"));
    let Model { card, graph, weights } = soft().model();
    let card = ModelCard { volume: Some(input(r#"{ "axes": "SPL", "spacing": [1.4, 0.7, 1.9], "labels": "scores" }"#)), ..card };
    let model = Model { card, graph, weights };
    let labels = label(&folder, &model, "--probabilities probabilities.nii.gz --tile 4 --overlap 1").values;
    let probabilities = read_floats(&folder.path().join("probabilities.nii.gz"));
    for (at, label) in labels.iter().enumerate() {
        let of_voxel: Vec<f32> = probabilities.iter().map(|class| class[at]).collect();
        assert!((of_voxel.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let best = (0..3).fold(0, |best, class| if of_voxel[class] > of_voxel[best] { class } else { best });
        assert_eq!(*label, model.card.classes[best].value, "{of_voxel:?}");
    }
}

/// One score is the probability of the second of two classes.
#[test]
fn one_score_is_two_probabilities() {
    let folder = tempdir().unwrap();
    let volume = noise([6, 5, 4]);
    volume.write(&folder.path().join("case.nii.gz"));
    let linear = Linear { weights: vec![vec![0.05]], bias: vec![-3.0], activation: ScoreActivation::Sigmoid };
    let Model { card, graph, weights } = linear.model();
    let classes = soft().model().card.classes[..2].to_vec();
    let model = Model { card: ModelCard { volume: Some(input(r#"{ "axes": "SPL" }"#)), classes, ..card }, graph, weights };
    let labels = label(&folder, &model, "--probabilities probabilities.nii").values;
    let probabilities = read_floats(&folder.path().join("probabilities.nii"));
    for (at, value) in volume.values.iter().enumerate() {
        let expected = 1.0 / (1.0 + (3.0 - 0.05 * f64::from(*value)).exp());
        let got = [0, 1].map(|class| f64::from(probabilities[class][at]));
        assert!((got[0] - 1.0 + expected).abs() < 1e-6 && (got[1] - expected).abs() < 1e-6, "{got:?} for {expected}");
        assert_eq!(labels[at], model.card.classes[usize::from(expected > 0.5)].value);
    }
}

/// What was labelled is left alone as long as it is what it was; labels that somebody changed, or that another model would give, are not replaced unasked.
#[test]
fn a_batch_goes_on_where_it_was() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("cases")).unwrap();
    for (number, name) in ["a.nii.gz", "b.nii", "c.nii.gz"].into_iter().enumerate() {
        noise([8, 7, 4 + number]).write(&path.join("cases").join(name));
    }
    neighbour(Rank::Volumetric, [0; 3], input(r#"{ "axes": "ijk" }"#)).write(&path.join("model")).unwrap();
    let batch =
        |options: &str| swath(path, &format!("batch cases --model model --output out --max-memory 1GiB --json {options}"));
    let run = batch("--shard 1/2 --progress json").succeeds();
    assert_eq!(counts(&run), [2, 0, 0]);
    let events: Vec<Value> = run.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let seen: HashSet<&str> = events.iter().filter_map(|event| event["scene"].as_str()).collect();
    assert_eq!(seen, HashSet::from(["cases/a.nii.gz", "cases/c.nii.gz"]));
    assert!(events.iter().all(|event| event["scenes_total"] == 2), "{events:?}");
    assert_eq!((&run.json()[0]["pixels"], &run.json()[0]["km2"]), (&json!(8 * 7 * (4 + 6)), &Value::Null));
    // As it stays where a run is killed at its very end.
    fs::write(path.join("out/a.nii.gz.ledger.part"), "").unwrap();
    assert_eq!(counts(&batch("--csv table.csv").succeeds()), [1, 2, 0]);
    assert!(!path.join("out/a.nii.gz.ledger.part").exists());
    let table = fs::read_to_string(path.join("table.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 3 * 128);
    assert!(read_labels(&path.join("out/b.nii.gz")).values.iter().zip(noise([8, 7, 5]).values).all(|(a, b)| *a == b as u8));
    let mut changed = fs::read(path.join("out/b.nii.gz")).unwrap();
    changed.push(0);
    fs::write(path.join("out/b.nii.gz"), changed).unwrap();
    let run = batch("");
    assert_eq!((run.code, counts(&run)), (Some(1), [0, 2, 1]));
    assert!(run.stderr.contains("b.nii.gz") && run.stderr.contains("--overwrite"), "{}", run.stderr);
    let failure = &run.json()[0]["failed"][0];
    assert_eq!(failure["scene"], "cases/b.nii", "{failure}");
    assert!(failure["reason"].as_str().unwrap().contains("out/b.nii.gz"), "{failure}");
    let run = batch("--fail-fast --jobs 1");
    assert_eq!((counts(&run), &run.json()[0]["left"]), ([0, 1, 1], &json!(1)));
    assert_eq!(counts(&batch("--overwrite").succeeds()), [1, 2, 0]);
    assert_eq!(counts(&batch("--overwrite --blend flat").succeeds()), [3, 0, 0]);
}

/// What cannot end well is said before anything is labelled.
#[test]
fn what_would_fail_at_the_end_is_refused_at_the_start() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    noise([6, 5, 4]).write(&path.join("case.nii"));
    soft().model().write(&path.join("scenes")).unwrap();
    neighbour(Rank::Volumetric, [0; 3], input(r#"{ "axes": "ijk" }"#)).write(&path.join("model")).unwrap();
    let segment =
        |options: &str| swath(path, &format!("segment case.nii --model model --max-memory 1GiB --output out.nii.gz {options}"));
    segment("--probabilities ./out.nii.gz").fails(2, &["a file of its own", "out.nii.gz twice"]);
    fs::write(path.join("table.csv"), "mine").unwrap();
    segment("--csv table.csv").fails(2, &["table.csv", "exists already"]);
    segment("--csv none/table.csv").fails(2, &["none/table.csv"]);
    fs::create_dir(path.join("cases")).unwrap();
    fs::copy(path.join("case.nii"), path.join("cases/case.nii")).unwrap();
    let batch = |options: &str| swath(path, &format!("batch cases --model model --output out --max-memory 1GiB {options}"));
    batch("--confidence").fails(2, &["confidence", "cases/case.nii"]);
    batch("--window 0,0,2,2").fails(2, &["a window"]);
    batch("--csv none/table.csv").fails(2, &["none/table.csv"]);
    batch("--asset labels").fails(2, &["--asset", "got volumes"]);
    assert!(!path.join("out.nii.gz").exists() && (!path.join("out").exists() || support::files(&path.join("out")).is_empty()));
}

/// What a run made is no volume for the next one, hidden files are none, and no two volumes have one product.
#[test]
fn products_of_volumes_are_neither_volumes_nor_each_others() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("cases")).unwrap();
    neighbour(Rank::Volumetric, [0; 3], input(r#"{ "axes": "ijk" }"#)).write(&path.join("model")).unwrap();
    noise([6, 5, 4]).write(&path.join("cases/a.nii"));
    fs::write(path.join("cases/._a.nii"), "of another system").unwrap();
    // As BIDS has it beside an image.
    fs::write(path.join("cases/a.json"), r#"{ "EchoTime": 0.03 }"#).unwrap();
    let batch =
        |options: &str| swath(path, &format!("batch cases --model model --max-memory 1GiB --json --probabilities {options}"));
    assert_eq!(counts(&batch("--output out").succeeds()), [1, 0, 0]);
    fs::remove_file(path.join("cases/a.json")).unwrap();
    assert_eq!(counts(&batch("--output cases").succeeds()), [1, 0, 0]);
    assert_eq!(counts(&batch("--output cases").succeeds()), [0, 1, 0]);
    noise([6, 5, 4]).write(&path.join("cases/b.nii"));
    noise([6, 5, 4]).write(&path.join("cases/b_probabilities.nii"));
    let run = batch("--output twins --shard 2/3");
    assert_eq!(counts(&run), [1, 0, 0]);
    let run = batch("--output twins --shard 3/3");
    assert_eq!((run.code, counts(&run)), (Some(1), [0, 0, 1]));
    assert!(run.json()[0]["failed"][0]["reason"].as_str().unwrap().contains("twins/b_probabilities.nii.gz"), "{}", run.stdout);
}

/// A trained network on a corner of a magnetic resonance image of a head, in tiles, against ONNX Runtime's labels of the whole; nearer to where it is
/// cut off than the network sees, labels are others.
#[test]
fn a_corner_of_a_head_is_that_of_onnx_runtime() {
    const HEAD: usize = 256;
    const CORNER: usize = 128;
    const HALO: usize = 24;
    let Some(data) = real_data::folder() else { return };
    let folder = tempdir().unwrap();
    let [image, expected] = ["t1_crop", "t1_crop_meshnet11_ref"]
        .map(|name| read_labels(&data.join(format!("medical/nifti/{name}.nii.gz"))).values)
        .map(|head| move |x: usize, y: usize, z: usize| head[(z * HEAD + y) * HEAD + x]);
    let side = CORNER + HALO;
    Nifti::new([side; 3], |x, y, z| f32::from(image(x, y, z))).write(&folder.path().join("case.nii.gz"));
    let onnx = data.join("weights/meshnet/meshnet11_gwm.onnx").canonicalize().unwrap();
    let import = format!("model import {} --output model --bands mr --scaling scale:255", onnx.display());
    swath(folder.path(), &format!("{import} --classes other,white,grey --scores logits --volume {{\"axes\":\"ijk\"}}"))
        .succeeds();
    segment(folder.path(), "--blend crop --tile 100");
    let labels = read_labels(&folder.path().join("labels.nii.gz")).values;
    let mut seen = [0; 3];
    for (z, y, x) in (0..CORNER).flat_map(|z| (0..CORNER).flat_map(move |y| (0..CORNER).map(move |x| (z, y, x)))) {
        let label = labels[(z * side + y) * side + x];
        assert_eq!(label, expected(x, y, z), "at {x}, {y}, {z}");
        seen[usize::from(label)] += 1;
    }
    assert!(seen.iter().all(|count| *count > CORNER * CORNER), "{seen:?}");
}
