//! `swath plan`.

use std::path::Path;

use serde_json::json;
use swath::plan::Plan;
use swath_models::{Augmentation, Convolutions, Precision, Reach};

use super::args::PlanArgs;
use super::bytes::{show_bytes, show_count};
use super::fail::{AnyError, Exit};
use super::print;

pub(super) fn run(args: &PlanArgs) -> Result<Exit, AnyError> {
    let segmenter = args.models.open(args.tiles.arithmetic(), &args.refine)?;
    for path in &args.scenes {
        let scene = args.tiles.within(segmenter.scene(path, args.tiles.bands.as_deref())?)?;
        let plan = segmenter.plan(&scene, &args.tiles.request(args.layers.layers())?)?;
        let run = plan.tiles_within(&scene)?;
        let looks = Looks { models: args.models.model.len(), augmentation: segmenter.augmentation() };
        let path = path.shown();
        if args.json { print::line(as_json(&path, &plan, run, looks))? } else { show(&path, &plan, run, looks)? }
    }
    Ok(Exit::Done)
}

/// How often a tile is looked at.
#[derive(Clone, Copy)]
struct Looks<'a> {
    models: usize,
    augmentation: &'a Augmentation,
}

/// `run` tiles touch the area of interest.
fn show(path: &Path, plan: &Plan, run: usize, looks: Looks<'_>) -> std::io::Result<()> {
    let layout = &plan.layout;
    let halo = match &plan.geometry.reach {
        Reach::Halo(halo) => format!("{} x {} pixels", halo.x.before.max(halo.x.after), halo.y.before.max(halo.y.after)),
        Reach::WholeTile { node } => format!("none: node `{node}` sees the whole tile"),
    };
    let whole = if plan.equals_whole() { "equal to inference on the whole scene" } else { "blended" };
    let bytes = |bytes: usize| show_bytes(bytes as u64);
    let memory = &plan.memory;
    let beside = if run == plan.tiles() { String::new() } else { format!(", {run} touch the area of interest") };
    print::line(path.display())?;
    let facts = [
        ("labelled", format!("{} pixels", layout.window.size())),
        ("tiles", format!("{} of {} x {}{beside}", plan.tiles(), layout.input.x, layout.input.y)),
        ("overlap", format!("{} x {}", layout.overlap.width, layout.overlap.height)),
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
        ("  finishing", bytes(memory.finish)),
        ("  loading", bytes(memory.loading)),
    ];
    print::facts(&facts)
}

/// What is done after the network.
fn refinement(plan: &Plan) -> String {
    let words = plan.refine.parameters.iter().map(|(name, value)| format!("{name} {}", value.to_string().replace('"', "")));
    let words = words.collect::<Vec<_>>().join("; ");
    if words.is_empty() { "none".into() } else { words }
}

/// How many tiles are computed at once, and by how many threads each.
fn workers(plan: &Plan) -> String {
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
    }
}

fn convolutions(convolutions: Convolutions) -> &'static str {
    match convolutions {
        Convolutions::Direct => "direct: the same bits wherever tiles are cut",
        Convolutions::Winograd => "winograd where it pays: in trained networks scores changed by up to 3e-6",
    }
}

fn as_json(path: &Path, plan: &Plan, run: usize, looks: Looks<'_>) -> serde_json::Value {
    let layout = &plan.layout;
    let (window, memory) = (layout.window, &plan.memory);
    json!({
        "scene": path,
        "window": { "x": window.x, "y": window.y, "width": window.width, "height": window.height },
        "tiles": plan.tiles(),
        "tiles_within_aoi": run,
        "tile": { "width": layout.input.x, "height": layout.input.y },
        "overlap": { "width": layout.overlap.width, "height": layout.overlap.height },
        "swaths": plan.swaths.len(),
        "workers": plan.workers,
        "threads": plan.threads,
        "equals_whole": plan.equals_whole(),
        "precision": plan.arithmetic.precision.name(),
        "convolutions": plan.arithmetic.convolutions.name(),
        "halo": plan.geometry.halo().map(|halo| json!({ "width": halo.x, "height": halo.y })),
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
            "finishing": memory.finish,
        },
    })
}
