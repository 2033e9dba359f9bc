//! Objects in stores: writing, listing, uploads that break off.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod servers;
mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use servers::{Faults, KEY, SECRET, Servers};
use support::{Linear, Run, files, program, run, write_noise};
use tempfile::TempDir;

struct Place {
    root: TempDir,
    servers: Servers,
}

impl Place {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir_all(root.path().join("bucket/out")).unwrap();
        let servers = Servers::start(root.path());
        let place = Self { root, servers };
        write_noise(&place.path("bucket/scene.tif"), 300, 200, 2);
        Linear::by_sum(2, 200.0, 500.0).write(&place.path("model"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, args: &str) -> Command {
        let mut command = program(self.root.path());
        command.env("XDG_STATE_HOME", self.root.path()).envs(self.servers.environment());
        command.args(["segment", "--model", "model", "--max-memory", "1GiB", "--threads", "2"]).args(args.split_whitespace());
        command
    }

    fn segment(&self, args: &str) -> Run {
        run(&mut self.command(args))
    }
}

#[test]
fn labels_go_to_a_store_and_stay_what_they_are() {
    let place = Place::new();
    place.segment("bucket/scene.tif --output local.tif --confidence sure.tif").succeeds();
    place.segment("bucket/scene.tif --output s3://bucket/out/labels.tif --confidence s3://bucket/out/sure.tif").succeeds();
    for (local, remote) in [("local.tif", "labels.tif"), ("sure.tif", "sure.tif"), ("local.tif.aux.xml", "labels.tif.aux.xml")] {
        assert!(fs::read(place.path(local)).unwrap() == fs::read(place.path("bucket/out").join(remote)).unwrap(), "{local}");
    }
    let item = fs::read_to_string(place.path("bucket/out/labels.json")).unwrap();
    assert!(item.contains("\"./sure.tif\"") && !item.contains("/swath-"), "{item}");
    // What is there stays; the item alone is enough to say so.
    let again = "bucket/scene.tif --output s3://bucket/out/labels.tif";
    place.segment(again).fails(2, &["s3://bucket/out/labels.tif exists already", "--overwrite"]);
    fs::remove_file(place.path("bucket/out/labels.tif")).unwrap();
    place.segment(again).fails(2, &["s3://bucket/out/labels.json exists already"]);
    place.segment(&format!("{again} --overwrite")).succeeds();
    place
        .segment("bucket/scene.tif --output s3://bucket/a.tif --confidence here.tif")
        .fails(2, &["here.tif", "s3://bucket/a.tif"]);
}

#[test]
fn a_large_product_goes_in_parts() {
    let place = Place::new();
    // Probabilities of noise in 32 bits do not shrink.
    write_noise(&place.path("large.tif"), 1800, 1400, 2);
    let args = "large.tif --tile 1024 --output OUT/labels.tif --probabilities OUT/scores.tif";
    fs::create_dir(place.path("local")).unwrap();
    place.segment(&args.replace("OUT", "local")).succeeds();
    place.segment(&args.replace("OUT", "s3://bucket/out")).succeeds();
    let [local, remote] = ["local", "bucket/out"].map(|folder| fs::read(place.path(folder).join("scores.tif")).unwrap());
    assert!(local.len() > 8 << 20, "{} bytes", local.len());
    assert!(local == remote);
    assert_eq!(place.servers.unfinished_uploads(), Vec::<PathBuf>::new());
    // With requests that fail, too, and answers that are lost.
    for share in [0.05, 0.1, 0.15] {
        *place.servers.watch.faults.lock().unwrap() = Faults::passing(share);
        place.segment(&format!("{} --overwrite", args.replace("OUT", "s3://bucket/out"))).succeeds();
        *place.servers.watch.faults.lock().unwrap() = Faults::default();
        assert!(fs::read(place.path("bucket/out/scores.tif")).unwrap() == local, "{share}");
    }
    let puts =
        place.servers.watch.log.lock().unwrap().iter().filter(|line| line.starts_with("PUT") && line.contains("scores")).count();
    assert!(puts >= 2, "{puts}");
}

#[test]
fn refusals_are_errors_at_once_and_hold_no_secret() {
    let place = Place::new();
    let asked = |scene: &str, words: &[&str]| {
        place.servers.watch.reset();
        place.segment(&format!("{scene} --output a.tif")).fails(2, words);
        place.servers.watch.requests.load(Relaxed)
    };
    // The scene and a listing of what is beside it: nothing is tried again.
    assert!(asked("s3://bucket/none.tif", &["s3://bucket/none.tif", "no such object"]) <= 2);
    assert!(asked("s3://nowhere/none.tif", &["s3://nowhere/none.tif"]) <= 2);
    let mut wrong = program(place.root.path());
    wrong.envs(place.servers.environment()).env("AWS_SECRET_ACCESS_KEY", "another-secret").env("RUST_LOG", "trace");
    wrong.args("segment s3://bucket/scene.tif --model model --output a.tif".split(' '));
    let run = run(&mut wrong);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("s3://bucket/scene.tif") && run.stderr.contains("denied"), "{}", run.stderr);
    for secret in [SECRET, KEY, "another-secret", "Signature="] {
        assert!(!run.stderr.contains(secret), "{secret} in {}", run.stderr);
    }
}

#[test]
fn a_store_that_is_away_is_an_error_and_the_run_goes_on_when_it_is_back() {
    let place = Place::new();
    place.servers.watch.dead.store(true, Relaxed);
    place
        .segment(&format!("{} --output a.tif", place.servers.url("bucket/scene.tif?signature=hidden")))
        .fails(2, &["/bucket/scene.tif", "the store is not available"]);
    let labels = place.segment("bucket/scene.tif --output s3://bucket/out/labels.tif --scratch scratch");
    assert!(labels.code == Some(2) && labels.stderr.contains("s3://bucket/out/labels.tif"), "{labels:?}");
    place.servers.watch.dead.store(false, Relaxed);
    place.segment("bucket/scene.tif --output s3://bucket/out/labels.tif --scratch scratch").succeeds();
    assert!(place.path("bucket/out/labels.tif").exists() && !place.path("bucket/out/labels.tif.upload.part").exists());
}

#[test]
fn a_killed_run_goes_on_and_leaves_no_upload() {
    let rounds: u64 = std::env::var("SWATH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let place = Place::new();
    write_noise(&place.path("large.tif"), 1500, 1500, 2);
    let args = "large.tif --tile 256 --output OUT/labels.tif --probabilities OUT/scores.tif";
    fs::create_dir(place.path("local")).unwrap();
    place.segment(&args.replace("OUT", "local")).succeeds();
    let started = Instant::now();
    place.segment(&args.replace("OUT", "s3://bucket/out")).succeeds();
    let whole = started.elapsed();
    let mut warned = 0;
    for round in 0..rounds {
        fs::remove_dir_all(place.path("bucket/out")).unwrap();
        let mut command = place.command(&args.replace("OUT", "s3://bucket/out"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Spread over the run, the upload at its end included.
        thread::sleep(whole.mul_f64((round as f64 + 0.7) / rounds as f64));
        child.kill().unwrap();
        child.wait().unwrap();
        let again = place.segment(&args.replace("OUT", "s3://bucket/out"));
        // The kill may have come too late.
        assert!(again.code == Some(0) || again.stderr.contains("exists already"), "round {round}: {again:?}");
        for name in ["labels.tif", "scores.tif"] {
            let [local, remote] = ["local", "bucket/out"].map(|folder| fs::read(place.path(folder).join(name)).unwrap());
            assert!(local == remote, "round {round}: {name}");
        }
        // A kill in the moment between the store's answer and its note leaves an upload without a name; nothing else does.
        warned += usize::from(again.stderr.contains("may have left an unfinished upload"));
        assert!(place.servers.unfinished_uploads().len() <= warned, "round {round}: {:?}", place.servers.unfinished_uploads());
        let left = |name: &String| name.contains(".part");
        assert_eq!(files(place.root.path()).into_iter().filter(left).collect::<Vec<_>>(), Vec::<String>::new(), "round {round}");
        assert_eq!(files(&place.path("swath")), Vec::<String>::new(), "round {round}");
    }
}

#[test]
fn shards_meet_in_a_store() {
    let place = Place::new();
    write_noise(&place.path("bucket/tall.tif"), 200, 700, 2);
    let args = "--tile 128 --confidence OUT/sure.tif --output OUT/labels.tif";
    fs::create_dir(place.path("local")).unwrap();
    place.segment(&format!("s3://bucket/tall.tif {}", args.replace("OUT", "local"))).succeeds();
    let shard = |index: usize| {
        place.segment(&format!("s3://bucket/tall.tif --shard {index}/3 {}", args.replace("OUT", "s3://bucket/out")))
    };
    let merge = |args: &str| {
        let mut command = program(place.root.path());
        command.env("XDG_STATE_HOME", place.root.path()).envs(place.servers.environment());
        run(command.args(["merge", "s3://bucket/out/labels.tif"]).args(args.split_whitespace()))
    };
    shard(1).succeeds();
    shard(3).succeeds();
    merge("").fails(2, &["shard 2 of 3"]);
    shard(2).succeeds();
    merge("").succeeds();
    for name in ["labels.tif", "sure.tif"] {
        let [local, remote] = ["local", "bucket/out"].map(|folder| fs::read(place.path(folder).join(name)).unwrap());
        assert!(local == remote, "{name}");
    }
    let shards: Vec<String> = files(&place.path("bucket/out")).into_iter().filter(|name| name.contains("shard")).collect();
    assert_eq!(shards, Vec::<String>::new());
    merge("").fails(2, &["labels.tif exists already"]);
}
