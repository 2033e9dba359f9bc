//! `swath segment` that is killed, interrupted or fails, and the same command once more.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Linear, files, program, segment, swath};
use tempfile::TempDir;

/// Kills of each kind of run; `SWATH_KILLS` says how many others.
const KILLS: u64 = 12;

const ALL: &str = "--probabilities labels_p.tif --confidence labels_c.tif";

/// A folder with a scene of many rows of tiles, and a model that takes its time for it.
fn workplace() -> TempDir {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 500, 1400, 3);
    let model = "model new fcn_small --bands 3 --classes 4 --scaling scale:255 --seed 3 --output model";
    swath(folder.path(), model).succeeds();
    folder
}

/// The arguments of a run with all rasters, to `name.tif`.
fn arguments(name: &str) -> String {
    let layers = ALL.replace("labels", name);
    format!("segment scene.tif --model model --bands 1,2,3 --tile 128 --max-memory 1GiB --threads 2 --output {name}.tif {layers}")
}

/// The files of two runs that must be the same, byte for byte.
#[track_caller]
fn assert_same(folder: &Path, [one, other]: [&str; 2]) {
    for suffix in [".tif", ".tif.aux.xml", "_p.tif", "_c.tif"] {
        let [one, other] = [one, other].map(|name| fs::read(folder.join(format!("{name}{suffix}"))).unwrap());
        assert!(one == other, "{suffix} differs");
    }
    // Items know when they were made, and how the files are called.
    let item = |name: &str| {
        let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap().replace(name, "labels");
        let mut item: Value = serde_json::from_str(&text).unwrap();
        for key in ["created", "datetime"] {
            item["properties"][key] = Value::Null;
        }
        item
    };
    assert_eq!(item(one), item(other));
    let temporary = |name: &String| name.contains(".part") || name.contains(".tmp");
    assert_eq!(files(folder).into_iter().filter(temporary).collect::<Vec<_>>(), Vec::<String>::new());
}

/// Starts a run and waits until its ledger has so many lines, or it ends.
fn start_until(folder: &Path, name: &str, lines: usize) -> std::process::Child {
    let mut child =
        program(folder).args(arguments(name).split(' ')).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let ledger = folder.join(format!("{name}.tif.ledger.part"));
    let count = || fs::read_to_string(&ledger).map_or(0, |text| text.matches('\n').count());
    let started = Instant::now();
    while count() < lines && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_mins(2), "no ledger");
        thread::sleep(Duration::from_millis(1));
    }
    child
}

/// A run that was killed after some rows of tiles.
fn killed() -> TempDir {
    let folder = workplace();
    let mut child = start_until(folder.path(), "labels", 4);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(folder.path().join("labels.tif.ledger.part").exists(), "the run ended before it was killed");
    folder
}

#[test]
fn a_run_that_is_killed_at_any_moment_ends_with_the_same_bytes() {
    let folder = workplace();
    let started = Instant::now();
    swath(folder.path(), &arguments("unbroken")).succeeds();
    let whole = started.elapsed();
    let kills = std::env::var("SWATH_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let (mut moment, mut hits, mut gone_on) = (1_u64, 0, 0);
    for round in 0..kills {
        // Moments from the start to the end of a whole run, in no order; some runs are killed several times.
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (moment >> 33) as f64 / (1_u64 << 31) as f64;
        let mut child = program(folder.path())
            .args(arguments("labels").split(' '))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(whole.mul_f64(share));
        hits += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 3 == 2 {
            continue;
        }
        let run = swath(folder.path(), &arguments("labels"));
        if run.code != Some(0) {
            // It had ended, or was killed after its end.
            run.fails(2, &["exists already"]);
        } else if run.stderr.contains("resuming at row") {
            gone_on += 1;
        }
        assert_same(folder.path(), ["unbroken", "labels"]);
        for suffix in [".tif", ".tif.aux.xml", "_p.tif", "_c.tif", ".json"] {
            fs::remove_file(folder.path().join(format!("labels{suffix}"))).unwrap();
        }
    }
    println!("{hits} of {kills} runs were killed, {gone_on} went on from rows that were done");
    assert!(2 * hits > kills && gone_on > 0, "{hits} of {kills} runs were killed, {gone_on} went on");
}

#[test]
fn another_model_scene_or_option_is_refused_and_overwrite_starts_anew() {
    let folder = killed();
    let before = files(folder.path());
    let refused = |more: &str, words: &str| {
        let run = swath(folder.path(), &format!("{}{more}", arguments("labels")));
        run.fails(2, &[&format!("labels.tif that differs in {words}"), "hint: --overwrite starts anew"]);
        assert_eq!(files(folder.path()), before);
    };
    let other = |from: &str, to: &str, words: &str| {
        let run = swath(folder.path(), &arguments("labels").replace(from, to));
        run.fails(2, &[&format!("labels.tif that differs in {words}"), "hint: --overwrite starts anew"]);
        assert_eq!(files(folder.path()), before);
    };
    other("--tile 128", "--tile 256", "options: overlap 32 x 32 -> 64 x 64, tile 128 -> 256");
    other("--bands 1,2,3", "--bands 3,2,1", "options: bands 1,2,3 -> 3,2,1");
    refused(" --blend flat", "options: blend hann -> flat");
    refused(" --window 0,0,500,600", "options: window 0,0,500,1400 -> 0,0,500,600");
    refused(" --probability-type u8", "options: probabilities f32 -> u8");
    other(" --confidence labels_c.tif", "", "options: confidence u8 -> none");
    other("labels_p.tif", "other.tif", "output files");

    let scene = folder.path().join("scene.tif");
    let bytes = fs::read(&scene).unwrap();
    let modified = fs::metadata(&scene).unwrap().modified().unwrap();
    fs::write(&scene, &bytes).unwrap();
    refused("", "scene");
    OpenOptions::new().write(true).open(&scene).unwrap().set_modified(modified).unwrap();
    let weights = folder.path().join("model/weights.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    refused("", "model");

    // Fewer rasters than before: what the other run left goes, too.
    let anew =
        "segment scene.tif --model model --tile 256 --max-memory 1GiB --threads 2 --bands 1,2,3 --output labels.tif --overwrite";
    let run = swath(folder.path(), anew).succeeds();
    assert!(!run.stderr.contains("resuming"), "{}", run.stderr);
    assert_eq!(files(folder.path()), ["labels.json", "labels.tif", "labels.tif.aux.xml", "model", "scene.tif"]);
}

#[test]
fn rows_whose_bytes_are_not_as_they_were_written_are_done_again() {
    let folder = killed();
    swath(folder.path(), &arguments("unbroken")).succeeds();
    let scratch = folder.path().join("labels_p.tif.scratch.part");
    // In the second row of tiles, of the third class.
    let at = ((2 * 1400 + 130) * 500 + 77) * 4;
    let file = OpenOptions::new().read(true).write(true).open(&scratch).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
    let run = swath(folder.path(), &arguments("labels")).succeeds();
    assert!(run.stderr.contains("is not as it was written"), "{}", run.stderr);
    assert!(run.stderr.contains("resuming at row 96 of 1400"), "{}", run.stderr);
    assert_same(folder.path(), ["unbroken", "labels"]);
}

#[test]
fn without_its_scratch_file_a_run_starts_anew() {
    let folder = killed();
    swath(folder.path(), &arguments("unbroken")).succeeds();
    fs::remove_file(folder.path().join("labels_c.tif.scratch.part")).unwrap();
    let run = swath(folder.path(), &arguments("labels")).succeeds();
    assert!(!run.stderr.contains("resuming"), "{}", run.stderr);
    assert_same(folder.path(), ["unbroken", "labels"]);
}

/// How much memory there is decides how a raster is cut into swaths, and may be another tomorrow.
#[test]
fn swaths_may_be_cut_otherwise() {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 6000, 700, 1);
    Linear::identity().write(&folder.path().join("model"));
    let plan = |memory: &str| {
        let arguments = format!("plan scene.tif --model model --tile 256 --threads 1 --json --max-memory {memory}");
        let run = swath(folder.path(), &arguments);
        if run.stdout.is_empty() { None } else { run.json()[0]["swaths"].as_u64() }
    };
    let much = "4GiB";
    // The most, in steps, that asks for more swaths.
    let mut sizes = (1..24).map(|step| format!("{}MiB", 600 - 20 * step));
    let little = sizes.find(|memory| plan(memory) > plan(much)).expect("a plan with more swaths");
    let little = little.as_str();
    let run = |name: &str, memory: &str| {
        let arguments =
            format!("segment scene.tif --model model --tile 256 --threads 1 --max-memory {memory} --output {name}.tif");
        let mut command = program(folder.path());
        command.args(arguments.split(' ')).stdout(Stdio::null());
        command
    };
    support::run(&mut run("unbroken", much)).succeeds();
    for [first, second] in [[little, much], [much, little]] {
        let mut child = run("labels", first).spawn().unwrap();
        let ledger = folder.path().join("labels.tif.ledger.part");
        let count = || fs::read_to_string(&ledger).map_or(0, |text| text.matches('\n').count());
        while count() < 3 && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        support::run(&mut run("labels", second)).succeeds();
        let [whole, labels] = ["unbroken.tif", "labels.tif"].map(|name| fs::read(folder.path().join(name)).unwrap());
        assert!(whole == labels, "{first} then {second}");
        for name in ["labels.tif", "labels.tif.aux.xml", "labels.json"] {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
}

#[test]
fn an_interrupted_run_keeps_its_rows_and_says_so() {
    let folder = workplace();
    swath(folder.path(), &arguments("unbroken")).succeeds();
    let child = start_until(folder.path(), "labels", 3);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("labels.tif: what is done so far is kept; the same command goes on from there"), "{said}");
    let kept = ["labels.tif.ledger.part", "labels.tif.scratch.part", "labels_c.tif.scratch.part", "labels_p.tif.scratch.part"];
    let labels = |name: &String| name.starts_with("labels");
    assert_eq!(files(folder.path()).into_iter().filter(labels).collect::<Vec<_>>(), kept);
    let run = swath(folder.path(), &arguments("labels")).succeeds();
    assert!(run.stderr.contains("resuming at row"), "{}", run.stderr);
    assert_same(folder.path(), ["unbroken", "labels"]);
}

#[test]
fn two_processes_never_write_the_same_outputs() {
    let folder = workplace();
    swath(folder.path(), &arguments("unbroken")).succeeds();
    let child = start_until(folder.path(), "labels", 3);
    for more in ["", " --overwrite"] {
        let run = swath(folder.path(), &format!("{}{more}", arguments("labels")));
        run.fails(2, &["another process is writing labels.tif"]);
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_same(folder.path(), ["unbroken", "labels"]);
}

/// Whatever is published of a run that was killed in the middle of it is its own.
#[test]
fn a_run_that_was_killed_while_publishing_ends_with_the_same_bytes() {
    let folder = workplace();
    swath(folder.path(), &arguments("unbroken")).succeeds();
    for name in ["labels_p.tif", "labels_c.tif", "labels.tif", "labels.json"] {
        let killed = killed();
        for raster in ["unbroken.tif", "unbroken.tif.aux.xml", "unbroken_p.tif", "unbroken_c.tif", "unbroken.json"] {
            fs::copy(folder.path().join(raster), killed.path().join(raster)).unwrap();
        }
        let ledger = killed.path().join("labels.tif.ledger.part");
        let mut text = fs::read_to_string(&ledger).unwrap();
        text.truncate(text.rfind('\n').unwrap() + 1);
        // Not published yet: the file is someone else's.
        fs::write(killed.path().join(name), "mine").unwrap();
        swath(killed.path(), &arguments("labels")).fails(2, &["exists already"]);
        fs::write(&ledger, text + "{\"stage\":\"publishing\"}\n").unwrap();
        let run = swath(killed.path(), &arguments("labels")).succeeds();
        assert!(run.stderr.contains("resuming"), "{}", run.stderr);
        for suffix in [".tif", "_p.tif", "_c.tif", ".tif.aux.xml"] {
            let [whole, labels] =
                ["unbroken", "labels"].map(|name| fs::read(killed.path().join(format!("{name}{suffix}"))).unwrap());
            assert!(whole == labels, "{name}: {suffix}");
        }
    }
}

#[test]
fn a_scene_of_one_tile_has_no_ledger_but_a_lock() {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 60, 40, 3);
    Linear::by_sum(3, 600.0, 900.0).write(&folder.path().join("model"));
    let ledger = folder.path().join("labels.tif.ledger.part");
    let held = fs::File::create(&ledger).unwrap();
    held.lock().unwrap();
    let arguments = "scene.tif --model model --output labels.tif";
    segment(folder.path(), arguments).fails(2, &["another process is writing labels.tif"]);
    drop(held);
    segment(folder.path(), arguments).succeeds();
    assert_eq!(files(folder.path()), ["labels.json", "labels.tif", "labels.tif.aux.xml", "model", "scene.tif"]);
}

/// A disk of that many bytes, in memory; none where mounting is not allowed.
struct Disk(TempDir);

impl Disk {
    fn new(kib: usize) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let options = format!("size={kib}k");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder)),
            _ => {
                let skipped = b"SKIPPED: only root may mount the small disk that this test fills\n";
                std::io::stderr().write_all(skipped).unwrap();
                None
            }
        }
    }

    fn used_kib(&self) -> usize {
        let output = Command::new("df").args(["-k", "--output=used"]).arg(self.0.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
    }

    fn resize(&self, kib: usize) {
        let options = format!("remount,size={kib}k");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Runs on that disk, and expects an error with one of these words, and nothing published.
fn fails_on(disk: &Disk, child: std::process::Child, words: &[&str]) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(words.iter().any(|word| said.contains(word)), "{said}");
    let published = files(disk.0.path()).into_iter().filter(|name| !name.contains(".part")).collect::<Vec<_>>();
    assert_eq!(published, Vec::<String>::new());
}

#[test]
fn a_full_disk_publishes_nothing_and_with_more_room_the_run_goes_on() {
    let folder = workplace();
    swath(folder.path(), &arguments("unbroken")).succeeds();
    let ends_the_same = |disk: &Disk, arguments: &str| {
        disk.resize(128 << 10);
        let run = swath(folder.path(), arguments).succeeds();
        for suffix in [".tif", "_p.tif", "_c.tif"] {
            let paths = [folder.path().join(format!("unbroken{suffix}")), disk.0.path().join(format!("labels{suffix}"))];
            let [unbroken, labels] = paths.map(|path| fs::read(path).unwrap());
            assert!(unbroken == labels, "{suffix}");
        }
        assert_eq!(files(disk.0.path()).len(), 5, "{:?}", files(disk.0.path()));
        run
    };
    let on = |disk: &Disk| {
        let name = disk.0.path().join("labels").display().to_string();
        let arguments = arguments("labels").replace("labels", &name);
        let mut command = program(folder.path());
        command.args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::piped());
        (command.spawn().unwrap(), arguments)
    };
    // Too full from the start: scratch is 18 bytes a pixel, and what is expected of the finished files is nearly as much again.
    for kib in [500, 7_000, 15_000] {
        let Some(disk) = Disk::new(kib) else { return };
        let (child, arguments) = on(&disk);
        fails_on(&disk, child, &["of free disk space in"]);
        assert_eq!(files(disk.0.path()), Vec::<String>::new());
        ends_the_same(&disk, &arguments);
    }
    // Others fill it meanwhile: there is room for the scratch files, which is taken, and so much for the finished ones.
    for kib in [0, 64, 1_000, 6_000, 12_000] {
        let Some(disk) = Disk::new(128 << 10) else { return };
        let (mut child, arguments) = on(&disk);
        let ledger = disk.0.path().join("labels.tif.ledger.part");
        while fs::read_to_string(&ledger).map_or(0, |text| text.matches('\n').count()) < 3 {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before the disk was full");
            thread::sleep(Duration::from_millis(1));
        }
        disk.resize(disk.used_kib() + kib);
        fails_on(&disk, child, &["No space left on device"]);
        let run = ends_the_same(&disk, &arguments);
        assert!(run.stderr.contains("resuming at row"), "{kib}: {}", run.stderr);
    }
}
