//! Stitches the scores of a volume of 512 x 512 voxels in half-overlapping tiles of 128, as MONAI's `sliding_window_inference` does with its Gaussian,
//! and takes the largest score of every voxel: what the network costs is left out.
//!
//! ```text
//! cargo run --release -p swath-tiling --example volume -- 300 14
//! ```
//! The numbers are slices and classes; printed are the seconds, and the most memory that the process held (Linux).

use std::error::Error;
use std::time::Instant;

use swath_tiling::{Blend, Mosaic, Size, Taper, TileGrid};

#[expect(clippy::print_stdout, reason = "a figure for people")]
fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [depth, classes] = numbers[..] else { return Err("expected two numbers: slices and classes".into()) };
    let cube = |side: usize| Size { depth: side, height: side, width: side };
    let grid = TileGrid::new(Size { depth, height: 512, width: 512 }, cube(128), cube(64))?;
    let blend = Blend::Taper(Taper::MonaiGaussian);
    let mut mosaic = Mosaic::new(&grid, classes, blend);
    let mut counts = vec![0usize; classes];
    let mut best = Vec::new();
    // What a network would give for every tile: the class that is largest changes from voxel to voxel.
    let scores: Vec<f32> = (0..classes * grid.tile_size().area()).map(|at| (at * 31 % 97) as f32).collect();
    let started = Instant::now();
    for tile in grid.tiles() {
        let Some(block) = mosaic.feed(&tile, Some(&scores))? else { continue };
        let area = block.window.area();
        best.clear();
        best.extend_from_slice(&block.scores[..area]);
        let mut labels = vec![0u8; area];
        for (class, plane) in (1u8..).zip(block.scores[area..].chunks_exact(area)) {
            for ((best, label), score) in best.iter_mut().zip(&mut labels).zip(plane) {
                *label = if score > best { class } else { *label };
                *best = best.max(*score);
            }
        }
        for label in labels {
            counts[usize::from(label)] += 1;
        }
    }
    mosaic.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(counts.iter().sum::<usize>(), depth * 512 * 512);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim();
    println!(
        "{depth} slices, {classes} classes: {seconds:.1} s, peak {peak}; the mosaic holds {} MiB",
        Mosaic::bytes(&grid, classes, blend) >> 20
    );
    Ok(())
}
