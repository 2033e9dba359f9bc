//! `swath plan`.

use std::path::Path;

use serde_json::json;
use swath::plan::Plan;
use swath_models::{Augmentation, Axes, Convolutions, Precision, Reach};

use super::args::PlanArgs;
use super::bytes::{show_bytes, show_count};
use super::fail::{AnyError, Exit};
use super::{print, volume};

pub(super) fn run(args: &PlanArgs) -> Result<Exit, AnyError> {
    args.remote.set_up();
    if volume::are_volumes(&args.scenes) {
        return volume::plan(args);
    }
    args.volume.refuse_for_scenes()?;
    let segmenter = args.models.open(args.tiles.computing(), &args.refine)?;
    for path in &args.scenes {
        let scene = args.tiles.within(segmenter.scene(path, args.tiles.bands.as_deref())?)?;
        let plan = segmenter.plan(&scene, &args.tiles.request(args.layers.layers())?)?;
        let run = plan.tiles_within(&scene)?;
        let looks = Looks { models: args.models.model.len(), augmentation: segmenter.augmentation() };
        print(&path.shown(), &plan, run, looks, args.json)?;
    }
    Ok(Exit::Done)
}

/// How often a tile is looked at.
#[derive(Clone, Copy)]
pub(super) struct Looks<'a> {
    pub(super) models: usize,
    pub(super) augmentation: &'a Augmentation,
}

/// Prints a plan of which `run` tiles touch the area of interest, for people or programs.
pub(super) fn print(path: &Path, plan: &Plan, run: usize, looks: Looks<'_>, json: bool) -> std::io::Result<()> {
    if json { print::line(as_json(path, plan, run, looks)) } else { show(path, plan, run, looks) }
}

/// `run` tiles touch the area of interest.
fn show(path: &Path, plan: &Plan, run: usize, looks: Looks<'_>) -> std::io::Result<()> {
    let layout = &plan.layout;
    let halo = match &plan.geometry.reach {
        Reach::Halo(halo) => {
            let Axes { z, y, x } = halo.map(|halo| halo.before.max(halo.after));
            format!("{} pixels", sides(x, y, z, 0))
        }
        Reach::WholeTile { node } => format!("none: node `{node}` sees the whole tile"),
    };
    let whole = match (plan.equals_whole(), plan.seams()) {
        (true, _) => "equal to inference on the whole scene",
        (false, None) => "blended",
        (false, Some(_)) => "blended; scores depend on where tiles are cut, so that seams may show",
    };
    let bytes = |bytes: usize| show_bytes(bytes as u64);
    let memory = &plan.memory;
    let beside = if run == plan.tiles() { String::new() } else { format!(", {run} touch the area of interest") };
    print::line(path.display())?;
    let facts = [
        ("labelled", format!("{} pixels", layout.window.size())),
        ("tiles", format!("{} of {}{beside}", plan.tiles(), sides(layout.input.x, layout.input.y, layout.input.z, 1))),
        ("overlap", sides(layout.overlap.width, layout.overlap.height, layout.overlap.depth, 0)),
        ("result", whole.into()),
        ("precision", precision(plan.arithmetic.precision).into()),
        ("convolutions", convolutions(plan.arithmetic.convolutions).into()),
        ("halo", halo),
        ("models", looks.models.to_string()),
        ("views", format!("{} ({})", looks.augmentation.views(), looks.augmentation)),
        ("refinement", refinement(plan)),
        ("swaths", plan.swaths.len().to_string()),
        ("workers", workers(plan)),
        ("operations", format!("{}FLOP", show_count(plan.flops as f64))),
        ("to read", show_bytes(plan.bytes_to_read)),
        ("peak memory", format!("{} of {}", bytes(memory.total()), bytes(plan.max_memory))),
        ("  program", bytes(memory.base)),
        ("  block cache", bytes(memory.cache)),
        ("  remote blocks", bytes(memory.remote)),
        ("  blocks read", bytes(memory.blocks)),
        ("  weights", bytes(memory.weights)),
        ("  network", bytes(memory.network)),
        ("  refining", bytes(memory.refining)),
        ("  tiles waiting", bytes(memory.waiting)),
        ("  mosaic", bytes(memory.mosaic)),
        ("  planes", bytes(memory.planes)),
        ("  finishing", bytes(memory.finish)),
        ("  loading", bytes(memory.loading)),
    ];
    print::facts(&facts)
}

/// Width and height, and depth unless it is that of a scene.
fn sides(width: usize, height: usize, depth: usize, flat: usize) -> String {
    let depth = if depth == flat { String::new() } else { format!(" x {depth}") };
    format!("{width} x {height}{depth}")
}

/// What is done after the network.
fn refinement(plan: &Plan) -> String {
    let words = plan.refine.parameters.iter().map(|(name, value)| format!("{name} {}", value.to_string().replace('"', "")));
    let words = words.collect::<Vec<_>>().join("; ");
    if words.is_empty() { "none".into() } else { words }
}

/// How many tiles are computed at once, and by what.
fn workers(plan: &Plan) -> String {
    if let Some(card) = &plan.card {
        let (bytes, free) = (show_bytes(card.bytes.card as u64), show_bytes(card.free as u64));
        let cards = if card.cards == 1 { "1 card".to_owned() } else { format!("{} cards", card.cards) };
        return format!("{cards} of {} tiles at once, {bytes} of {free} on each", card.batch);
    }
    let most = plan.worker_threads().max().unwrap_or(0);
    let least = plan.worker_threads().min().unwrap_or(0);
    let each = if least == most { most.to_string() } else { format!("{least} to {most}") };
    format!("{} of {each} {} each", plan.workers, if most == 1 { "thread" } else { "threads" })
}

/// What a precision means for the result. The figures are those that `tests/arithmetic.rs` finds on real scenes.
fn precision(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16: in trained networks scores changed by up to 7e-2, the labels of 1 pixel in 1,700 or fewer",
        Precision::F16 => "f16",
        Precision::Tf32 => "tf32",
    }
}

fn convolutions(convolutions: Convolutions) -> &'static str {
    match convolutions {
        Convolutions::Direct => "direct: the same bits wherever tiles are cut",
        Convolutions::Cudnn => "cuDNN's fastest",
        Convolutions::Winograd => "winograd where it pays: in trained networks scores changed by up to 3e-6",
    }
}

fn as_json(path: &Path, plan: &Plan, run: usize, looks: Looks<'_>) -> serde_json::Value {
    let layout = &plan.layout;
    let (window, memory) = (layout.window, &plan.memory);
    // A scene has no depth.
    let sides = |width: usize, height: usize, depth: usize| {
        let mut sides = json!({ "width": width, "height": height });
        if layout.raster.depth > 1 {
            sides["depth"] = depth.into();
        }
        sides
    };
    json!({
        "scene": path,
        "window": { "x": window.x, "y": window.y, "width": window.width, "height": window.height },
        "tiles": plan.tiles(),
        "tiles_within_aoi": run,
        "tile": sides(layout.input.x, layout.input.y, layout.input.z),
        "overlap": sides(layout.overlap.width, layout.overlap.height, layout.overlap.depth),
        "swaths": plan.swaths.len(),
        "workers": plan.workers,
        "threads": plan.threads,
        "card": plan.card.map(|card| json!({
            "cards": card.cards,
            "batch": card.batch,
            "readers": card.readers,
            "bytes": card.bytes.card,
            "free": card.free,
        })),
        "equals_whole": plan.equals_whole(),
        "seams": plan.seams(),
        "precision": plan.arithmetic.precision.name(),
        "convolutions": plan.arithmetic.convolutions.name(),
        "halo": plan.geometry.halo().map(|halo| sides(halo.x, halo.y, halo.z)),
        "models": looks.models,
        "views": looks.augmentation.views(),
        "refinement": plan.refine.parameters,
        "flops": plan.flops,
        "bytes_to_read": plan.bytes_to_read,
        "max_memory": plan.max_memory,
        "memory": {
            "total": memory.total(),
            "program": memory.base,
            "block_cache": memory.cache,
            "remote_blocks": memory.remote,
            "blocks": memory.blocks,
            "weights": memory.weights,
            "loading": memory.loading,
            "network": memory.network,
            "refining": memory.refining,
            "tiles_waiting": memory.waiting,
            "mosaic": memory.mosaic,
            "planes": memory.planes,
            "finishing": memory.finish,
        },
    })
}
