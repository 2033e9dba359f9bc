//! One scene labelled in parts that know nothing of each other, and `swath merge`.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::{Run, edit_json, files, program, swath};
use tempfile::TempDir;

/// A folder with a scene of six rows of tiles, a model, and what one process makes of them in `whole`.
fn workplace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let pixels = support::Pixels::<u8>::new(300, 560, 3, support::noise);
    pixels.write(&folder.path().join("scene.tif"), &[], support::utm);
    let model = "model new fcn_small --bands 3 --classes 4 --scaling scale:255 --seed 3 --output model";
    swath(folder.path(), model).succeeds();
    fs::create_dir(folder.path().join("whole")).unwrap();
    segment(folder.path(), "whole", "").succeeds();
    folder
}

fn arguments(to: &str, more: &str) -> String {
    let tiles = "--bands 1,2,3 --tile 128 --max-memory 1GiB --threads 2";
    let layers = format!("--probabilities {to}/p.tif --probability-type u8 --confidence {to}/c.tif");
    format!("segment scene.tif --model model {tiles} --output {to}/labels.tif {layers} {more}")
}

fn segment(folder: &Path, to: &str, more: &str) -> Run {
    fs::create_dir_all(folder.join(to)).unwrap();
    swath(folder, &arguments(to, more))
}

fn read(folder: &Path, to: &str) -> (Vec<Vec<u8>>, Value) {
    let rasters = ["labels.tif", "labels.tif.aux.xml", "p.tif", "c.tif"];
    let bytes = rasters.map(|name| fs::read(folder.join(to).join(name)).unwrap()).to_vec();
    let mut item: Value = serde_json::from_slice(&fs::read(folder.join(to).join("labels.json")).unwrap()).unwrap();
    for key in ["created", "datetime"] {
        item["properties"][key] = Value::Null;
    }
    (bytes, item)
}

/// Checks that `merged` has what `whole` has, and nothing else.
#[track_caller]
fn assert_whole(folder: &Path, merged: &str) {
    let [whole, merged_files] = ["whole", merged].map(|to| files(&folder.join(to)));
    assert_eq!(merged_files, whole);
    let [(whole, whole_item), (bytes, item)] = ["whole", merged].map(|to| read(folder, to));
    assert!(whole == bytes, "bytes differ");
    assert_eq!(item, whole_item);
}

#[test]
fn merged_shards_are_the_whole() {
    let folder = workplace();
    for count in [1_usize, 2, 3, 7] {
        let to = format!("shards-{count}");
        // In no order, and each twice.
        for index in (1..=count).rev() {
            let shard = format!("--shard {index}/{count}");
            let run = segment(folder.path(), &to, &shard).succeeds();
            let empty = run.stderr.contains("the shard is empty, as there are fewer rows of tiles than shards");
            assert_eq!(empty, index > 6, "{shard}: {}", run.stderr);
            let before = read_all(&folder.path().join(&to));
            let run = segment(folder.path(), &to, &shard).succeeds();
            assert!(empty || run.stderr.contains("the shard is finished already"), "{}", run.stderr);
            assert!(before == read_all(&folder.path().join(&to)), "{shard} was made again");
        }
        // One that was lost is made again.
        let lost = count.div_ceil(2);
        for name in files(&folder.path().join(&to)).iter().filter(|name| name.contains(&format!(".shard-{lost}-of-"))) {
            fs::remove_file(folder.path().join(&to).join(name)).unwrap();
        }
        let merge = format!("merge {to}/labels.tif");
        let words = if count == 1 { "there are no shards of" } else { "is missing" };
        swath(folder.path(), &merge).fails(2, &[words, "hint: swath segment with --shard"]);
        segment(folder.path(), &to, &format!("--shard {lost}/{count}")).succeeds();
        // Kept, they can be merged once more.
        swath(folder.path(), &format!("{merge} --keep")).succeeds();
        swath(folder.path(), &merge).fails(2, &["labels.tif exists already"]);
        swath(folder.path(), &format!("{merge} --overwrite")).succeeds();
        assert_whole(folder.path(), &to);
    }
}

/// Names and contents of all files in a folder.
fn read_all(folder: &Path) -> Vec<(String, Vec<u8>)> {
    files(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn a_shard_that_is_killed_goes_on() {
    let folder = workplace();
    fs::create_dir(folder.path().join("killed")).unwrap();
    let arguments = arguments("killed", "--shard 1/2");
    let mut child =
        program(folder.path()).args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ledger = folder.path().join("killed/labels.shard-1-of-2.tif.ledger.part");
    while fs::read_to_string(&ledger).map_or(0, |text| text.matches('\n').count()) < 2 && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let run = segment(folder.path(), "killed", "--shard 1/2").succeeds();
    assert!(run.stderr.contains("resuming at row"), "{}", run.stderr);
    segment(folder.path(), "killed", "--shard 2/2").succeeds();
    swath(folder.path(), "merge killed/labels.tif").succeeds();
    assert_whole(folder.path(), "killed");
}

#[test]
fn a_window_can_be_divided() {
    let folder = workplace();
    let window = "--window 10,50,280,400";
    segment(folder.path(), "window", window).succeeds();
    for index in 1..=3 {
        segment(folder.path(), "parts", &format!("{window} --shard {index}/3")).succeeds();
    }
    swath(folder.path(), "merge parts/labels.tif").succeeds();
    assert!(read(folder.path(), "window") == read(folder.path(), "parts"));
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let folder = workplace();
    let labels = |more: &str| segment(folder.path(), "mixed", more);
    labels("--shard 1/2").succeeds();
    labels("--shard 2/2 --blend flat").succeeds();
    let merge = || swath(folder.path(), "merge mixed/labels.tif");
    merge().fails(2, &["labels.shard-1-of-2.json and ", "labels.shard-2-of-2.json differ in options: blend hann -> flat"]);
    // Nor is one of another option taken for the one that is asked for.
    labels("--shard 2/2").fails(1, &["options: blend flat -> hann", "hint: --overwrite"]);
    labels("--shard 2/2 --overwrite").succeeds();
    labels("--shard 1/3").succeeds();
    merge().fails(2, &["number of shards"]);
    for name in files(&folder.path().join("mixed")).iter().filter(|name| name.contains("-of-3")) {
        fs::remove_file(folder.path().join("mixed").join(name)).unwrap();
    }
    // A raster that is not the one of its item.
    let raster = folder.path().join("mixed/c.shard-2-of-2.tif");
    let bytes = fs::read(&raster).unwrap();
    fs::write(&raster, &bytes[..bytes.len() - 1]).unwrap();
    merge().fails(2, &["c.shard-2-of-2.tif", "checksum"]);
    fs::write(&raster, bytes).unwrap();
    let item = folder.path().join("mixed/labels.shard-2-of-2.json");
    let good = fs::read(&item).unwrap();
    edit_json(&item, |item| item["properties"]["swath:shard"]["first_row"] = 7.into());
    merge().fails(2, &["labels.shard-2-of-2.json differ in where they are cut", "got row 7"]);
    fs::write(&item, "{}").unwrap();
    merge().fails(2, &["labels.shard-2-of-2.json is not the item of a shard"]);
    fs::write(&item, good).unwrap();
    merge().succeeds();
    assert_whole(folder.path(), "mixed");
    swath(folder.path(), "merge mixed/labels.tif").fails(2, &["there are no shards of mixed/labels.tif"]);
}
