//! From a scene to a label map, in one page: `cargo run --release --example label_a_scene`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use swath::demo::{DemoScene, model};
use swath::plan::{BlendChoice, PlanRequest};
use swath::{Existing, NoObserver, Outputs, Segmenter};
use swath_models::Arithmetic;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;

    // A scene: any file that GDAL reads. This one is generated, with red, green, blue and near-infrared bands at 1 m.
    let scene = DemoScene::new(7, 1024).write(folder.path())?.scene;

    // A model: this one is bundled; `Segmenter::open` reads a model folder.
    let segmenter = Segmenter::new(model()?, Arithmetic::default())?;

    // The card names the bands that the network takes; they are found in the scene by name.
    let scene = segmenter.scene(&scene, None)?;

    // The plan decides tiles and memory before a pixel is read. It fits in 512 MiB, or it is an error that says how much would do.
    let request = PlanRequest { blend: BlendChoice::Crop, tile: Some(512), ..PlanRequest::new(512 << 20, 2) };
    let plan = segmenter.plan(&scene, &request)?;
    let halo = plan.geometry.halo().map_or(0, |halo| halo.x);
    println!("{} tiles of {} pixels, halo {halo}, {} MiB", plan.tiles(), plan.layout.input.x, plan.memory.total() >> 20);

    // The label map appears when it is complete: a COG with legend, counts and a STAC item.
    let outputs = Outputs::labels(folder.path().join("labels.tif"), Existing::Refuse);
    let report = segmenter.run(&scene, &plan, &outputs, &NoObserver)?;
    for (class, pixels) in segmenter.card().classes.iter().zip(&report.labels.counts) {
        println!("{:<24} {pixels:>8} pixels", class.label());
    }
    Ok(())
}
