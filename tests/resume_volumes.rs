//! `swath segment` on volumes that is killed, and the same command once more.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod nifti;
mod support;

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nifti::{Nifti, read_labels};
use support::{Linear, files, program, swath};
use swath_models::{Builder, Conv, Extent, Model, ModelCard, Padding, Rank, Scope, Weights};
use tempfile::{TempDir, tempdir};

/// Ways in which labels come back to the voxels of the file: as they are, from the nearest voxel, and from scores.
const CARDS: [&str; 3] = [
    r#"{ "axes": "SPL" }"#,
    r#"{ "axes": "SPL", "spacing": [1.4, 1.2, 1.2], "labels": "nearest" }"#,
    r#"{ "axes": "SPL", "spacing": [0.7, 1.2, 1.2] }"#,
];

/// A folder with a volume of many layers of tiles, and a network that sees the neighbours of each voxel.
fn workplace(card: &str) -> TempDir {
    let folder = tempdir().unwrap();
    let volume = Nifti::new([70, 60, 160], |x, y, z| f32::from(support::noise(z / 4, x / 6, y / 6)));
    volume.write(&folder.path().join("case.nii.gz"));
    write_model(&folder.path().join("model"), card);
    folder
}

/// Three classes by the mean of 27 voxels.
fn write_model(path: &Path, card: &str) {
    let linear = Linear::by_sum(1, 100.0, 140.0);
    let classes = linear.bias.len();
    let kernel = Extent::cube(3);
    let mut builder = Builder::new("mean", Rank::Volumetric, 1);
    let image = builder.input();
    let conv = Conv { kernel, padding: kernel.map(|_| Padding::both(1)), ..Conv::square(classes, 1) };
    let head = builder.conv(image, &Scope::root("head"), conv.biased()).node();
    let mut weights = Weights::new();
    let taps = linear.weights.iter().flat_map(|weight| vec![weight[0] / 27.0; 27]).collect();
    weights.insert("head.weight", vec![classes, 1, 3, 3, 3], taps);
    weights.insert("head.bias", vec![classes], linear.bias.clone());
    let Model { card: scene, .. } = linear.model();
    let card = ModelCard { volume: Some(serde_json::from_str(card).unwrap()), ..scene };
    Model { card, graph: builder.build(head).unwrap(), weights }.write(path).unwrap();
}

fn arguments(name: &str) -> String {
    format!("segment case.nii.gz --model model --output {name}.nii.gz --tile 24 --overlap 12 --max-memory 1GiB --threads 2")
}

fn with_probabilities(name: &str) -> String {
    format!("{} --probabilities {name}_probabilities.nii.gz", arguments(name))
}

/// Removes what was made under that name.
fn remove(folder: &Path, name: &str) {
    for made in [".nii.gz", ".json", "_probabilities.nii.gz"] {
        let _ = fs::remove_file(folder.join(format!("{name}{made}")));
    }
}

fn start(folder: &Path, arguments: &str) -> Child {
    program(folder).args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Starts a run and kills it when its ledger has so many lines.
fn kill_at(folder: &Path, arguments: &str, lines: usize) {
    kill_when(folder, arguments, |ledger| ledger.matches('\n').count() >= lines);
}

/// Starts a run and kills it when its ledger says so; where it ended first, once more.
fn kill_when(folder: &Path, arguments: &str, is_due: impl Fn(&str) -> bool) {
    const TRIES: usize = 5;
    let path = folder.join("labels.nii.gz.ledger.part");
    for _ in 0..TRIES {
        let mut child = start(folder, arguments);
        let started = Instant::now();
        while !is_due(&fs::read_to_string(&path).unwrap_or_default()) && child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_mins(2), "no ledger");
            thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        if !child.wait().unwrap().success() && is_due(&fs::read_to_string(&path).unwrap_or_default()) {
            return;
        }
        remove(folder, "labels");
    }
    panic!("{TRIES} runs ended before they were killed");
}

/// Nothing is left but what was asked for.
#[track_caller]
fn assert_same(folder: &Path) {
    for end in [".nii.gz", "_probabilities.nii.gz"] {
        let [one, other] = ["unbroken", "labels"].map(|name| fs::read(folder.join(format!("{name}{end}"))).ok());
        assert!(one == other, "{end}");
    }
    let item = |name: &str| fs::read_to_string(folder.join(format!("{name}.json"))).unwrap().replace(name, "labels");
    assert_eq!(item("unbroken"), item("labels"));
    assert!(files(folder).into_iter().all(|name| !name.contains(".part")), "{:?}", files(folder));
}

#[test]
fn a_killed_run_goes_on_with_the_planes_that_are_done() {
    for card in CARDS {
        let folder = workplace(card);
        let path = folder.path();
        for (arguments, lines) in [(arguments as fn(&str) -> String, 2), (with_probabilities, 5)] {
            swath(path, &arguments("unbroken")).succeeds();
            let labels = read_labels(&path.join("unbroken.nii.gz")).values;
            let labels: HashSet<u8> = labels.into_iter().collect();
            assert_eq!(labels.len(), 3, "{card}: {labels:?}");
            kill_at(path, &arguments("labels"), lines);
            let run = swath(path, &arguments("labels")).succeeds();
            assert!(run.stderr.contains("resuming at plane"), "{card}: {}", run.stderr);
            assert_same(path);
            remove(path, "unbroken");
            remove(path, "labels");
        }
    }
}

/// Also while small components are taken away in the file that holds the planes, and while files get their names.
#[test]
fn a_run_that_is_killed_at_any_moment_ends_with_the_same_bytes() {
    const ROUNDS: u32 = 9;
    let folder = workplace(CARDS[0]);
    let path = folder.path();
    let with_steps = |name: &str| format!("{} --keep largest --fill-cavities", arguments(name));
    let started = Instant::now();
    swath(path, &with_steps("unbroken")).succeeds();
    let whole = started.elapsed();
    for round in 0..ROUNDS {
        let mut child = start(path, &with_steps("labels"));
        // The end, where little time is spent, more often.
        thread::sleep(whole.mul_f64(1.0 - (f64::from(round) / f64::from(ROUNDS)).powi(2)));
        child.kill().unwrap();
        child.wait().unwrap();
        let run = swath(path, &with_steps("labels"));
        if run.code != Some(0) {
            // It had ended.
            run.fails(2, &["exists already"]);
        }
        assert_same(path);
        remove(path, "labels");
    }
}

#[test]
fn what_is_not_as_it_was_is_labelled_again() {
    let folder = workplace(CARDS[0]);
    let path = folder.path();
    swath(path, &with_probabilities("unbroken")).succeeds();
    for scratch in ["labels.nii.gz.scratch.part", "labels_probabilities.nii.gz.scratch.part"] {
        kill_at(path, &with_probabilities("labels"), 4);
        let scratch = OpenOptions::new().write(true).open(path.join(scratch)).unwrap();
        scratch.write_all_at(&[77], 5000).unwrap();
        let run = swath(path, &with_probabilities("labels")).succeeds();
        assert!(run.stderr.contains("is not as it was written"), "{}", run.stderr);
        assert_same(path);
        remove(path, "labels");
    }
}

#[test]
fn another_run_is_not_mixed_with_it() {
    let folder = workplace(CARDS[0]);
    let path = folder.path();
    kill_at(path, &arguments("labels"), 4);
    let other = format!("{} --blend flat", arguments("labels"));
    swath(path, &other).fails(2, &["labels.nii.gz", "unfinished", "--overwrite"]);
    // Two at once do not write the same file.
    let mut first = start(path, &arguments("labels"));
    let started = Instant::now();
    while swath(path, &other).code != Some(2) {
        assert!(started.elapsed() < Duration::from_mins(1));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    swath(path, &other.replace("labels.nii.gz", "unbroken.nii.gz")).succeeds();
    kill_when(path, &format!("{other} --overwrite"), |ledger| ledger.contains("flat") && ledger.matches('\n').count() >= 3);
    let run = swath(path, &other).succeeds();
    assert!(run.stderr.contains("resuming at plane"), "{}", run.stderr);
    assert_same(path);
}
