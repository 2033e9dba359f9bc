//! Memory is a promise: what the process really holds at its peak, against what was planned. Linux only, where `/proc` tells.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use gdal::DriverManager;
use gdal::raster::Buffer;
use support::{Linear, Pixels, noise, program, swath};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// The peak resident memory of a process that has not been waited for yet, in bytes.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
}

/// Runs the program and returns the most memory that was held, as far as a look every few milliseconds tells.
fn measure(folder: &Path, arguments: &str) -> u64 {
    let mut child = program(folder).args(arguments.split_whitespace()).stdout(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    loop {
        most = peak(&child).unwrap_or(0).max(most);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{arguments}: {status}");
            return most;
        }
        sleep(Duration::from_millis(3));
    }
}

/// Plans with room to spare, then labels with just the memory that was planned: the process must not hold more.
#[track_caller]
fn assert_kept(folder: &Path, arguments: &str) {
    let planned = |limit: u64| {
        let run = swath(folder, &format!("plan --json --max-memory {limit} {arguments}")).succeeds();
        run.json()[0]["memory"]["total"].as_u64().unwrap()
    };
    let limit = planned(4096 * MIB);
    assert!(planned(limit) <= limit);
    let held = measure(folder, &format!("segment --max-memory {limit} {arguments} --output labels.tif --overwrite -q"));
    assert!(held <= limit, "{arguments}: {} MiB were held, {} MiB planned", held / MIB, limit / MIB);
    // A plan that counts far too much keeps every promise.
    assert!(limit < 4 * held, "{arguments}: {} MiB were held, {} MiB planned", held / MIB, limit / MIB);
}

#[test]
fn a_wide_scene_in_strips() {
    let folder = TempDir::new().unwrap();
    Pixels::new(40_000, 600, 3, noise).write(&folder.path().join("scene.tif"), &["COMPRESS=LZW"], |_| {});
    Linear::by_sum(3, 500.0, 900.0).write(&folder.path().join("model"));
    assert_kept(folder.path(), "scene.tif --model model --tile 256 --overlap 64 --threads 2");
}

#[test]
fn one_block_that_is_larger_than_the_cache() {
    let folder = TempDir::new().unwrap();
    let options = ["TILED=YES", "BLOCKXSIZE=4096", "BLOCKYSIZE=4096", "COMPRESS=DEFLATE"];
    let pixels = Pixels::new(4096, 4096, 2, |band, x, y| (band + x / 7 * (y / 5)) as u16);
    pixels.write(&folder.path().join("scene.tif"), &options, |_| {});
    Linear::by_sum(2, 500.0, 900.0).write(&folder.path().join("model"));
    assert_kept(folder.path(), "scene.tif --model model --window 100,200,600,600 --threads 2");
}

#[test]
fn a_network_with_many_weights() {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 700, 500, 3);
    swath(folder.path(), "model new fcn_resnet50 --bands 3 --classes 6 --scaling scale:255 --output model").succeeds();
    // More tiles of each side than are ever in flight, but of the largest.
    for (tile, window) in [(64, "200,150"), (256, "400,300"), (512, "700,500")] {
        assert_kept(folder.path(), &format!("scene.tif --model model --tile {tile} --window 0,0,{window} --threads 2"));
    }
    for arithmetic in ["--tile 64 --window 0,0,200,150", "--tile 256 --window 0,0,400,300", "--blend crop --tile 640"] {
        assert_kept(folder.path(), &format!("scene.tif --model model --precision bf16 {arithmetic} --threads 2"));
    }
    // Four tiles at once, and one.
    for workers in [4, 1] {
        let window = "--tile 128 --window 0,0,300,200";
        assert_kept(folder.path(), &format!("scene.tif --model model {window} --threads 4 --workers {workers}"));
    }
}

/// Without `--tile`, a limit may make the tiles smaller; how many threads there are must not, nor how many workers are asked for.
/// On noise nearly no two pixels share a vertex of the lattice, and every region is small.
#[test]
fn what_is_done_after_the_network() {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 2600, 2200, 3);
    Linear::by_sum(3, 500.0, 900.0).write(&folder.path().join("model"));
    let scene = "scene.tif --model model --threads 2";
    assert_kept(folder.path(), &format!("{scene} --tile 256 --window 0,0,500,400 --crf iterations=1,appearance-width=20"));
    assert_kept(folder.path(), &format!("{scene} --tile 512 --sieve 500 --majority 5 --fill-holes 100"));
    assert_kept(folder.path(), &format!("{scene} --tile 512 --window 0,0,1300,1100 --tta hflip+scales=1,1.25 --model model"));
}

#[test]
fn threads_do_not_change_the_tiles_of_a_tight_limit() {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 1500, 900, 3);
    swath(folder.path(), "model new fcn_resnet50 --bands 3 --classes 6 --scaling scale:255 --output model").succeeds();
    let (mut tiles, mut refused) = (Vec::new(), false);
    for limit in (400..1200).step_by(50) {
        let tile = |options: &str| {
            let arguments = format!("plan --json scene.tif --model model --max-memory {limit}MiB {options}");
            let run = swath(folder.path(), &arguments);
            (run.code == Some(0)).then(|| run.json()[0]["tile"].to_string())
        };
        let one = tile("--threads 1");
        assert!(one == tile("--threads 2") && one == tile("--threads 8"), "{limit} MiB");
        let eight = tile("--threads 8 --workers 8");
        refused |= eight.is_none() && one.is_some();
        assert!(eight.is_none() || one == eight, "{limit} MiB");
        tiles.extend(one);
    }
    tiles.dedup();
    assert!(tiles.len() > 1 && refused, "memory was never short: {tiles:?}");
}

/// The scene itself does not fit into the memory that its training takes.
#[test]
fn a_training_on_a_large_scene() {
    let folder = TempDir::new().unwrap();
    let side = 16_000;
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let options = ["TILED=YES", "SPARSE_OK=TRUE", "COMPRESS=DEFLATE", "ZLEVEL=1"].into_iter().collect();
    let path = folder.path().join("scene.tif");
    let dataset = driver.create_with_band_type_with_options::<u8, _>(path, side, side, 3, &options).unwrap();
    // Some of it is not the same everywhere.
    for number in 1..=3 {
        let values = (0..side * 256).map(|at| noise(number, at % side, at / side)).collect();
        dataset.rasterband(number).unwrap().write((0, 0), (side, 256), &mut Buffer::new((side, 256), values)).unwrap();
    }
    dataset.close().unwrap();
    write_labels(&folder.path().join("labels.tif"), [side; 2], 1000, usize::MAX, 1, &["TILED=YES"]);
    let class = |class| format!("[[classes]]\nname = \"c{class}\"\nvalues = [{class}]\n");
    let classes = (0..6).map(class).collect::<Vec<_>>().concat();
    let recipe = format!(
        "output = \"model\"\nepochs = 1\nbatch = 4\nmodel.network = \"fcn_small\"\nsampling = {{ crop = 128, samples = 96 }}\n\
         validation.windows = [{{ scene = \"scene\", x = 0, y = 0, width = 1000, height = 1000 }}]\n\
         optimizer.kind = \"adamw\"\nschedule.rate = 1e-3\nscenes = [{{ image = \"scene.tif\", labels = \"labels.tif\" }}]\n\
         loss = [{{ kind = \"cross_entropy\" }}]\n{classes}"
    );
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let arguments = "train recipe.toml --threads 2 --max-memory 512MiB";
    let run = swath(folder.path(), &format!("{arguments} --dry-run --json")).succeeds();
    let planned = run.json()[0]["memory"].as_u64().unwrap();
    assert!(planned < 3 * (side * side) as u64, "the scene would fit: {} MiB", planned / MIB);
    let held = measure(folder.path(), &format!("{arguments} --quiet"));
    assert!(held <= planned, "{} MiB were held, {} MiB planned", held / MIB, planned / MIB);
    assert!(planned < 4 * held, "{} MiB were held, {} MiB planned", held / MIB, planned / MIB);
}

/// Writes labels, or grey colours, of six classes in patches, in which about every `odd`-th pixel is another one. Below row
/// `filled` nothing is written: that is read as 0, and takes no time to make.
fn write_labels(path: &Path, size: [usize; 2], filled: usize, odd: usize, bands: usize, options: &[&str]) {
    let options = options.iter().copied().chain(["SPARSE_OK=TRUE", "COMPRESS=DEFLATE", "ZLEVEL=1"]).collect();
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let [width, height] = size;
    let dataset = driver.create_with_band_type_with_options::<u8, _>(path, width, height, bands, &options).unwrap();
    for top in (0..filled.min(height)).step_by(512) {
        let rows = 512.min(height - top);
        let label = |x: usize, y: usize| {
            let label = noise(0, x / 40, y / 40) % 6;
            if (x * 7 + y * 13) % odd == 1 { noise(1, x, y) % 6 } else { label }
        };
        let labels: Vec<u8> = (0..rows * width).map(|at| label(at % width, top + at / width)).collect();
        for number in 1..=bands {
            let mut band = dataset.rasterband(number).unwrap();
            band.write((0, top as isize), (width, rows), &mut Buffer::new((width, rows), labels.clone())).unwrap();
        }
    }
    dataset.close().unwrap();
}

/// Compares pairs of 20,000 x 20,000 pixels, of which so many rows are written, in tiles and in strips of colours, with as many
/// threads as a large machine has.
#[expect(clippy::print_stdout, reason = "the figures of benches/RESULTS.md")]
fn assert_compared_within_a_gibibyte(filled: usize, strips: usize) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tiled = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512"];
    let coloured = ["PHOTOMETRIC=RGB", "INTERLEAVE=PIXEL"];
    write_labels(&path("prediction.tif"), [20_000, 20_000], filled, 9, 1, &tiled);
    write_labels(&path("reference.tif"), [20_000, 20_000], filled, usize::MAX, 1, &tiled);
    write_labels(&path("few_rows.tif"), [20_000, strips], filled, 9, 1, &tiled);
    write_labels(&path("colours.tif"), [20_000, strips], filled, usize::MAX, 3, &coloured);
    let classes = (0..6).map(|class| format!("c{class}={class:02X}{class:02X}{class:02X}")).collect::<Vec<_>>().join(",");
    for (rasters, options) in [
        ("prediction.tif reference.tif", "--threads 2"),
        ("prediction.tif reference.tif", "--erode 3 --threads 16"),
        ("few_rows.tif colours.tif", "--palette classes --erode 3 --threads 16"),
    ] {
        let started = Instant::now();
        let held = measure(folder.path(), &format!("evaluate {rasters} --classes {classes} -q {options}"));
        println!("evaluate {rasters} {options}: {} MiB, {:.1} s", held / MIB, started.elapsed().as_secs_f64());
        assert!(held <= 1024 * MIB, "{rasters} {options}: {} MiB were held", held / MIB);
    }
}

#[test]
fn large_label_rasters_are_compared_within_a_gibibyte() {
    assert_compared_within_a_gibibyte(600, 2000);
}

#[test]
#[ignore = "takes minutes; prints the figures of benches/RESULTS.md"]
fn large_label_rasters_full_of_labels_are_compared_within_a_gibibyte() {
    assert_compared_within_a_gibibyte(20_000, 20_000);
}
