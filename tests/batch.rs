//! Many scenes: receipts, failures, what goes on after a kill, and products in a store. Through the built binary.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod sentinel;
mod servers;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use servers::{Faults, SECRET, Servers};
use support::{Linear, Run, files, program, run, write_noise};
use tempfile::TempDir;

/// Scenes, a model, and servers whose bucket is the folder of the scenes.
struct Place {
    root: TempDir,
    servers: Servers,
}

impl Place {
    /// With so many scenes of that size: `bucket/scenes/NUMBER.tif`.
    fn new(scenes: usize, side: usize) -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir_all(root.path().join("bucket/scenes")).unwrap();
        let place = Self { servers: Servers::start(root.path()), root };
        for number in 0..scenes {
            write_noise(&place.path(&format!("bucket/scenes/{number}.tif")), side + number, side, 2);
        }
        Linear::by_sum(2, 200.0, 500.0).write(&place.path("model"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, args: &str) -> Command {
        let mut command = program(self.root.path());
        command.envs(self.servers.environment());
        let common = "--model model --max-memory 2GiB --threads 2 --tile 64 --progress none --scratch";
        fs::create_dir_all(self.path("scratch")).unwrap();
        command.arg("batch").args(args.split_whitespace()).args(common.split_whitespace()).arg(self.path("scratch"));
        command
    }

    fn batch(&self, args: &str) -> Run {
        run(&mut self.command(args))
    }

    /// What the batch says in JSON, and its exit code.
    fn summary(&self, args: &str) -> (Value, Option<i32>) {
        let run = self.batch(&format!("{args} --json"));
        (run.json().pop().unwrap_or_else(|| panic!("{}", run.stderr)), run.code)
    }

    /// The bytes of all rasters in a folder, by name.
    fn rasters(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let folder = self.path(folder);
        let names = files(&folder).into_iter().filter(is_raster);
        names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
    }

    #[track_caller]
    fn assert_no_leftovers(&self, folder: &str) {
        let left: Vec<String> = files(&self.path(folder)).into_iter().filter(|name| name.contains(".part")).collect();
        assert_eq!(left, Vec::<String>::new());
        assert_eq!(files(&self.path("scratch")), Vec::<String>::new());
    }
}

fn is_raster(name: &String) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "tif")
}

fn count(summary: &Value, what: &str) -> u64 {
    summary[what].as_u64().unwrap_or_else(|| panic!("{what} in {summary}"))
}

#[test]
fn a_folder_is_labelled_once() {
    let place = Place::new(5, 150);
    let (summary, code) = place.summary("bucket/scenes --output out --confidence --probabilities --probability-type u8");
    assert_eq!((count(&summary, "done"), code), (5, Some(0)), "{summary}");
    for number in 0..5 {
        support::segment(
            place.root.path(),
            &format!("bucket/scenes/{number}.tif --model model --tile 64 --output single.tif --overwrite"),
        )
        .succeeds();
        assert!(fs::read(place.path("single.tif")).unwrap() == fs::read(place.path(&format!("out/{number}.tif"))).unwrap());
    }
    let names = files(&place.path("out"));
    for suffix in [".tif", ".tif.aux.xml", ".json", ".receipt.json", "_confidence.tif", "_probabilities.tif"] {
        assert!(names.contains(&format!("3{suffix}")), "{names:?}");
    }
    place.assert_no_leftovers("out");

    let before = place.rasters("out");
    let (summary, code) = place.summary("bucket/scenes --output out --confidence --probabilities --probability-type u8");
    assert_eq!((count(&summary, "skipped"), count(&summary, "done"), code), (5, 0, Some(0)), "{summary}");
    assert!(place.rasters("out") == before);
}

#[test]
fn what_changed_is_refused_and_named() {
    let place = Place::new(2, 100);
    place.batch("bucket/scenes --output out").succeeds();
    let before = place.rasters("out");
    let run = place.batch("bucket/scenes --output out --blend flat");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("blend hann -> flat") && run.stderr.contains("--overwrite"), "{}", run.stderr);
    assert!(place.rasters("out") == before);

    // One scene changes: it is refused, and the other one skipped.
    write_noise(&place.path("bucket/scenes/1.tif"), 90, 90, 2);
    let (summary, code) = place.summary("bucket/scenes --output out");
    assert_eq!((count(&summary, "skipped"), code), (1, Some(1)), "{summary}");
    assert!(summary["failed"][0]["reason"].as_str().unwrap().contains("scene"), "{summary}");
    let (summary, code) = place.summary("bucket/scenes --output out --overwrite");
    assert_eq!((count(&summary, "skipped"), count(&summary, "done"), code), (1, 1, Some(0)), "{summary}");

    // A product that is gone is made again; one that no receipt knows stays.
    fs::remove_file(place.path("out/0.tif")).unwrap();
    let (summary, _) = place.summary("bucket/scenes --output out");
    assert_eq!((count(&summary, "skipped"), count(&summary, "done")), (1, 1), "{summary}");
    fs::create_dir(place.path("other")).unwrap();
    fs::write(place.path("other/0.tif"), "mine").unwrap();
    let (summary, code) = place.summary("bucket/scenes --output other");
    assert_eq!((count(&summary, "done"), code), (1, Some(1)), "{summary}");
    assert_eq!(fs::read(place.path("other/0.tif")).unwrap(), b"mine");
    // Not at the second time, either.
    let (summary, _) = place.summary("bucket/scenes --output other");
    assert_eq!((count(&summary, "skipped"), summary["failed"].as_array().unwrap().len()), (1, 1), "{summary}");
}

#[test]
fn a_scene_that_fails_stops_no_other() {
    let place = Place::new(4, 100);
    fs::write(place.path("bucket/scenes/1.tif"), "no raster").unwrap();
    let run = place.batch("bucket/scenes --output out");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("failed: 1: ") && run.stderr.contains("scenes/1.tif"), "{run:?}");
    assert_eq!(place.rasters("out").len(), 3);
    place.assert_no_leftovers("out");

    let (summary, code) = place.summary("bucket/scenes --output first --fail-fast --jobs 1");
    assert_eq!((count(&summary, "done"), count(&summary, "left"), code), (1, 2, Some(1)), "{summary}");
    let (summary, _) = place.summary("bucket/scenes --output second --max-failures 1 --jobs 1");
    assert_eq!((count(&summary, "done"), count(&summary, "left")), (3, 0), "{summary}");
}

#[test]
fn products_are_neither_scenes_nor_each_others() {
    let place = Place::new(2, 64);
    fs::copy(place.path("bucket/scenes/0.tif"), place.path("bucket/scenes/1_confidence.tif")).unwrap();
    let args = "bucket/scenes --output bucket/scenes/out --confidence";
    let (summary, code) = place.summary(args);
    assert_eq!((count(&summary, "done"), code), (2, Some(1)), "{summary}");
    assert!(summary["failed"][0]["reason"].as_str().unwrap().contains("1_confidence.tif"), "{summary}");
    let (summary, _) = place.summary(args);
    assert_eq!((count(&summary, "done"), count(&summary, "skipped")), (0, 2), "{summary}");
    // Labels never take the place of the scenes.
    let (summary, code) = place.summary("s3://bucket/scenes/ --pattern 0.tif --output s3://bucket/scenes --overwrite");
    assert_eq!((count(&summary, "done"), code), (0, Some(1)), "{summary}");
    place.batch("bucket/scenes --output https://example.org/out").fails(2, &["a plain web server"]);
}

#[test]
fn shards_share_a_manifest() {
    let place = Place::new(7, 64);
    place.batch("bucket/scenes --output whole").succeeds();
    let mut done = 0;
    for shard in 1..=3 {
        let (summary, code) = place.summary(&format!("bucket/scenes --output out --shard {shard}/3"));
        assert_eq!(code, Some(0), "{summary}");
        done += count(&summary, "done");
    }
    assert_eq!(done, 7);
    // Two scenes with one product: the second is refused, also where the first is another shard's.
    fs::write(place.path("twins.txt"), "bucket/scenes/0.tif\nbucket/scenes/1.tif\t0_confidence\n").unwrap();
    let (summary, code) = place.summary("twins.txt --output twins --confidence --shard 2/2");
    assert_eq!((count(&summary, "done"), code), (0, Some(1)), "{summary}");
    assert!(summary["failed"][0]["reason"].as_str().unwrap().contains("0_confidence.tif"), "{summary}");
    assert!(place.rasters("out") == place.rasters("whole"));
}

#[test]
fn products_go_to_a_store() {
    let place = Place::new(3, 150);
    place.batch("bucket/scenes --output local").succeeds();
    let (summary, code) = place.summary("s3://bucket/scenes/ --output s3://bucket/out");
    assert_eq!((count(&summary, "done"), code), (3, Some(0)), "{summary}");
    assert!(count(&summary, "bytes_read") > 3 * 150 * 150 && count(&summary, "bytes_written") > 0, "{summary}");
    assert!(place.rasters("bucket/out") == place.rasters("local"));
    place.assert_no_leftovers("bucket/out");
    let (summary, _) = place.summary("s3://bucket/scenes/ --output s3://bucket/out");
    assert_eq!(count(&summary, "skipped"), 3, "{summary}");

    // A list, from a plain server.
    let lines: Vec<String> =
        (0..3).map(|number| place.servers.url(&format!("bucket/scenes/{number}.tif?token={SECRET}"))).collect();
    fs::write(place.path("list.txt"), lines.join("\n")).unwrap();
    let run = run(place.command("list.txt --output listed -vv").env("RUST_LOG", "trace"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(place.rasters("listed") == place.rasters("local"));
    let mut said = run.stdout + &run.stderr;
    for name in files(&place.path("listed")).iter().filter(|name| !is_raster(name)) {
        said += &fs::read_to_string(place.path("listed").join(name)).unwrap();
    }
    assert!(said.contains("/bucket/scenes/0.tif") && !said.contains(SECRET), "{said}");
}

#[test]
fn failures_that_pass_cost_no_scene() {
    let rounds = std::env::var("SWATH_FAULT_SCENES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let place = Place::new(rounds, 100);
    place.batch("bucket/scenes --output local").succeeds();
    *place.servers.watch.faults.lock().unwrap() = Faults::passing(0.1);
    let (summary, code) = place.summary("s3://bucket/scenes/ --output s3://bucket/out --jobs 8");
    assert_eq!((count(&summary, "done"), code), (rounds as u64, Some(0)), "{summary}");
    assert!(count(&summary, "retries") > rounds as u64 / 4, "{summary}");
    assert!(place.rasters("bucket/out") == place.rasters("local"));
    place.assert_no_leftovers("bucket/out");
}

#[test]
fn a_store_that_dies_is_an_error_and_what_is_done_stays() {
    let place = Place::new(6, 100);
    place.batch("bucket/scenes --output local").succeeds();
    let (summary, _) = place.summary("s3://bucket/scenes/ --output s3://bucket/out --shard 1/2");
    assert_eq!(count(&summary, "done"), 3, "{summary}");
    place.servers.watch.dead.store(true, Relaxed);
    let run = place.batch("s3://bucket/scenes/ --output s3://bucket/out");
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("s3://bucket/scenes") && run.stderr.contains("not available"), "{}", run.stderr);
    place.servers.watch.dead.store(false, Relaxed);
    let (summary, code) = place.summary("s3://bucket/scenes/ --output s3://bucket/out");
    assert_eq!((count(&summary, "done"), count(&summary, "skipped"), code), (3, 3, Some(0)), "{summary}");
    assert!(place.rasters("bucket/out") == place.rasters("local"));
}

#[test]
fn a_killed_batch_goes_on() {
    let rounds: u64 = std::env::var("SWATH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let place = Place::new(4, 700);
    place.batch("bucket/scenes --output whole --confidence").succeeds();
    for (round, output) in (0..rounds).zip(["out", "s3://bucket/out"].into_iter().cycle()) {
        let folder = output.trim_start_matches("s3://");
        let _ = fs::remove_dir_all(place.path(folder));
        let args = format!("bucket/scenes --output {output} --confidence");
        let mut kills = 0;
        // Later each time, so that every phase is hit.
        while kills < 3 {
            let mut child = place.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(20 + 37 * ((round * 3 + kills) % 30)));
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        place.batch(&args).succeeds();
        assert!(place.rasters(folder) == place.rasters("whole"), "round {round}");
        place.assert_no_leftovers(folder);
    }
}

/// As in the moment when the receipt is written, and the temporary files are still there.
#[test]
fn what_a_kill_leaves_of_a_finished_scene_goes_at_the_next_run() {
    let place = Place::new(1, 100);
    place.batch("bucket/scenes --output out").succeeds();
    let before = place.rasters("out");
    let run = json!({ "identity": {}, "files": [place.path("out/0.tif"), place.path("out/0.json")] });
    let ledger = format!("{}\n{}\n", json!({ "run": run }), json!({ "stage": "publishing" }));
    fs::write(place.path("out/0.tif.ledger.part"), ledger).unwrap();
    fs::write(place.path("out/0.tif.scratch.part"), "pixels").unwrap();
    let (summary, code) = place.summary("bucket/scenes --output out");
    assert_eq!((count(&summary, "skipped"), code), (1, Some(0)), "{summary}");
    place.assert_no_leftovers("out");
    assert!(place.rasters("out") == before);
}

#[test]
fn bands_of_an_item_lie_in_several_files() {
    let place = Place::new(0, 1);
    let item = sentinel::write(&place.path("items"), "S2A_TEST", 1);
    let mut model = Linear::by_sum(3, 9_000.0, 20_000.0).model();
    model.card.bands = ["B04", "B11", "B01"].map(str::to_owned).to_vec();
    fs::remove_dir_all(place.path("model")).unwrap();
    model.write(&place.path("model")).unwrap();
    let manifest = item.strip_prefix(place.root.path()).unwrap().display().to_string();
    let (summary, code) = place.summary(&format!("{manifest} --output out"));
    assert_eq!((count(&summary, "done"), code), (1, Some(0)), "{summary}");
    let labels = gdal::Dataset::open(place.path("out/S2A_TEST.tif")).unwrap();
    assert_eq!(labels.raster_size(), (sentinel::SIDE, sentinel::SIDE));
    let made: Value = serde_json::from_slice(&fs::read(place.path("out/S2A_TEST.json")).unwrap()).unwrap();
    let links = made["links"].as_array().unwrap().iter().map(|link| link["href"].as_str().unwrap());
    assert!(links.clone().any(|href| href.ends_with("B11.tif")), "{made}");
    assert_eq!(made["properties"]["swath:parameters"]["resampling"]["rule"], "bilinear", "{made}");
}

#[test]
fn names_do_not_leave_the_output() {
    let place = Place::new(1, 64);
    let line = |name: &str| format!("bucket/scenes/0.tif\t{name}\n");
    let names = ["../escaped", "/tmp/escaped", "a/../../escaped", "plain/name"];
    fs::write(place.path("list.txt"), names.map(line).concat()).unwrap();
    let (summary, code) = place.summary("list.txt --output out");
    assert_eq!((count(&summary, "done"), summary["failed"].as_array().unwrap().len(), code), (1, 3, Some(1)), "{summary}");
    assert!(place.path("out/plain/name.tif").exists());
    let above = |folder: &Path| files(folder).into_iter().any(|name| name.contains("escaped"));
    assert!(!above(place.root.path()) && !above(Path::new("/tmp")));
}
