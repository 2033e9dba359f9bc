//! Volumes in stores: what is labelled there is what is labelled here.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod nifti;
mod servers;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use nifti::Nifti;
use serde_json::Value;
use servers::{Faults, Servers};
use support::{Linear, Run, counts, files, program, run};
use swath_models::{Model, ModelCard};
use tempfile::TempDir;

/// A bucket with two `NIfTI` files, a DICOM series of eight files, and what is no volume.
struct Place {
    root: TempDir,
    servers: Servers,
}

impl Place {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let cases = root.path().join("bucket/cases");
        fs::create_dir_all(&cases).unwrap();
        for (number, name) in ["a.nii.gz", "b.nii"].into_iter().enumerate() {
            Nifti::new([9, 8, 5 + number], |x, y, z| (support::noise(z, x, y) / 2).min(126).into()).write(&cases.join(name));
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("volumes/tests/golden/dicom/explicit");
        fs::create_dir_all(cases.join("series/first")).unwrap();
        for file in fs::read_dir(golden).unwrap() {
            let file = file.unwrap().path();
            // Names say nothing: it is found by its bytes.
            fs::copy(&file, cases.join("series/first").join(file.file_stem().unwrap())).unwrap();
        }
        // Neither says anything of the others.
        fs::write(cases.join("series/.DS_Store"), "no image").unwrap();
        fs::write(cases.join("series/0"), "").unwrap();
        fs::create_dir_all(cases.join("notes")).unwrap();
        fs::write(cases.join("notes/readme"), "no image").unwrap();
        fs::write(cases.join("notes.txt"), "no image").unwrap();
        fs::write(root.path().join("bucket/list.txt"), "# two\ncases/b.nii\ns3://bucket/cases/series/\n").unwrap();
        let Model { card, graph, weights } = Linear::identity().model();
        let volume = r#"{ "axes": "LPS", "intensity": [{ "type": "clip", "minimum": 0, "maximum": 126 }] }"#;
        let card = ModelCard { volume: Some(serde_json::from_str(volume).unwrap()), ..card };
        Model { card, graph, weights }.write(&root.path().join("model")).unwrap();
        let servers = Servers::start(root.path());
        Self { root, servers }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn swath(&self, arguments: &str) -> Run {
        let mut command = program(self.root.path());
        command.env("XDG_STATE_HOME", self.path("state")).envs(self.servers.environment());
        run(command.args(arguments.split_whitespace()).args(["--model", "model", "--max-memory", "1GiB", "--threads", "2"]))
    }

    /// Nothing of a copy, or of what was made for the store, is left.
    #[track_caller]
    fn assert_clean(&self) {
        let state = self.path("state/swath");
        let left: Vec<String> = if state.exists() { files(&state) } else { Vec::new() };
        assert_eq!(left, Vec::<String>::new());
        assert!(self.servers.unfinished_uploads().is_empty());
    }
}

#[test]
fn a_volume_in_a_store_is_labelled_as_a_local_one() {
    let place = Place::new();
    for (number, name) in ["a.nii.gz", "b.nii", "series/"].into_iter().enumerate() {
        place.swath(&format!("segment bucket/cases/{name} --output local.nii.gz --overwrite")).succeeds();
        let remote = format!("segment s3://bucket/cases/{name} --output s3://bucket/out/{number}.nii.gz --json");
        let run = place.swath(&remote).succeeds();
        assert_eq!(run.json()[0]["labels"], format!("s3://bucket/out/{number}.nii.gz"));
        let [local, there] =
            ["local.nii.gz".into(), format!("bucket/out/{number}.nii.gz")].map(|file| fs::read(place.path(&file)).unwrap());
        assert!(local == there, "{name}");
        let item: Value = serde_json::from_slice(&fs::read(place.path(&format!("bucket/out/{number}.json"))).unwrap()).unwrap();
        assert_eq!(item["source"], format!("s3://bucket/cases/{name}"));
        place.swath(&remote).fails(2, &[&format!("s3://bucket/out/{number}.nii.gz exists already")]);
    }
    let segmentation = || {
        place.swath("segment s3://bucket/cases/series/ --output series.dcm --overwrite").succeeds();
        fs::read(place.path("series.dcm")).unwrap()
    };
    // It says when the images were written, not when they were copied.
    assert!(segmentation() == segmentation());
    // A web server has files, but no folders.
    let url = place.servers.url("bucket/cases/a.nii.gz");
    place.swath(&format!("segment {url} --output local.nii.gz --overwrite")).succeeds();
    assert!(fs::read(place.path("local.nii.gz")).unwrap() == fs::read(place.path("bucket/out/0.nii.gz")).unwrap());
    let plan = place.swath("plan s3://bucket/cases/a.nii.gz --json").succeeds();
    assert_eq!(plan.json()[0]["tiles"], place.swath("plan bucket/cases/a.nii.gz --json").succeeds().json()[0]["tiles"]);
    place.assert_clean();
}

#[test]
fn a_batch_finds_volumes_in_a_store_and_goes_on_there() {
    let place = Place::new();
    let batch = |options: &str| place.swath(&format!("batch s3://bucket/cases/ --output s3://bucket/out/ --json {options}"));
    assert_eq!(counts(&batch("--jobs 3 --probabilities").succeeds()), [3, 0, 0]);
    let made = ["a", "b", "series"]
        .into_iter()
        .flat_map(|name| [".json", ".nii.gz", "_probabilities.nii.gz"].map(|end| format!("{name}{end}")));
    assert_eq!(files(&place.path("bucket/out")), made.collect::<Vec<_>>());
    assert_eq!(counts(&batch("--probabilities").succeeds()), [0, 3, 0]);
    // One of them is another one now, and of another the labels are gone.
    Nifti::new([9, 8, 5], |_, _, _| 3.0).write(&place.path("bucket/cases/a.nii.gz"));
    fs::remove_file(place.path("bucket/out/b.nii.gz")).unwrap();
    let run = batch("--probabilities");
    assert_eq!((run.code, counts(&run)), (Some(1), [0, 1, 2]));
    place.servers.watch.reset();
    assert_eq!(counts(&batch("--probabilities --overwrite --jobs 1").succeeds()), [2, 1, 0]);
    // What says that labels are complete goes before others take their place, and comes last.
    let log = place.servers.watch.log.lock().unwrap().clone();
    let changes: Vec<&str> = log.iter().map(|line| line.trim_end_matches(" -")).filter(|line| line.starts_with('P')).collect();
    let expected = ["a", "b"].map(|name| {
        let puts = ["_probabilities.nii.gz", ".nii.gz", ".json"].map(|end| format!("PUT /bucket/out/{name}{end}"));
        // Objects are removed by a request for several.
        ["POST /bucket".to_owned()].into_iter().chain(puts).collect::<Vec<_>>()
    });
    assert_eq!(changes, expected.concat());
    // A list in the store, whose paths are relative to it; here, to local files.
    let run = place.swath("batch s3://bucket/list.txt --output listed --json --csv table.csv").succeeds();
    assert_eq!(counts(&run), [2, 0, 0]);
    assert!(fs::read(place.path("listed/series.nii.gz")).unwrap() == fs::read(place.path("bucket/out/series.nii.gz")).unwrap());
    assert!(fs::read_to_string(place.path("table.csv")).unwrap().contains("\"s3://bucket/cases/series/\",0,"));
    place.assert_clean();
}

#[test]
fn what_is_not_there_or_breaks_off_is_an_error_that_names_it() {
    let place = Place::new();
    let segment = |volume: &str| place.swath(&format!("segment {volume} --output local.nii.gz"));
    segment("s3://bucket/cases/none/").fails(2, &["DICOM objects, at s3://bucket/cases/none", "got neither"]);
    segment("s3://bucket/cases/none.nii").fails(2, &["s3://bucket/cases/none.nii"]);
    segment("s3://bucket/cases/notes/").fails(2, &["DICOM objects, at s3://bucket/cases/notes", "got neither"]);
    fs::write(place.path("bucket/cases/broken.nii"), [0; 400]).unwrap();
    segment("s3://bucket/cases/broken.nii").fails(2, &["s3://bucket/cases/broken.nii"]);
    let elsewhere = "segment bucket/cases/b.nii --output s3://bucket/out/b.nii.gz --probabilities here.nii";
    place.swath(elsewhere).fails(2, &["here.nii", "s3://bucket/out/b.nii.gz"]);
    *place.servers.watch.faults.lock().unwrap() = Faults::passing(0.1);
    segment("s3://bucket/cases/series/").succeeds();
    *place.servers.watch.faults.lock().unwrap() = Faults::default();
    place.servers.watch.dead.store(true, Relaxed);
    let run = segment("s3://bucket/cases/series/ --overwrite");
    assert!(run.code == Some(2) && run.stderr.contains("s3://bucket/cases/series"), "{run:?}");
    place.assert_clean();
}
