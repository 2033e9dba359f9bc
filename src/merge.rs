//! One product of several shards.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, thread};

use gdal::Dataset;
use gdal::raster::GdalType;
use serde_json::{Value, json};
use swath_tiling::Window;

use crate::identity::difference;
use crate::ledger::{Ledger, Run};
use crate::pipeline::Observer;
use crate::product::Sinks;
use crate::shard::ShardFacts;
use crate::sink::{Heed, Start, remove, suffixed, watch};
use crate::{Error, Existing, Labelled, LayerEncoding, Outputs, ProbabilityOutput, Report, Result, Shard, Timings};

/// What becomes of shards that are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shards {
    /// Their files go once the product is published.
    Remove,
    /// They stay.
    Keep,
}

/// Most rows that are copied at once: the height of a block.
const ROWS: usize = 512;

/// Most values that are copied at once, where rows are long and classes many; they are held a few times over.
const VALUES: usize = 8 << 20;

/// Makes the product whose label raster is `labels` of its shards, which are beside it: byte for byte the rasters that one process would have made.
///
/// # Errors
/// If a shard is missing, damaged or of another model, scene or option than the others, the product exists and must stay, or a file cannot be read or
/// written.
pub fn merge(labels: &Path, existing: Existing, shards: Shards, observer: &dyn Observer) -> Result<Report> {
    let started = Instant::now();
    let found = find(labels)?;
    // The first shard is never empty.
    let (item, facts) = &found[0];
    let mut outputs = outputs(labels, existing, item, facts)?;
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let files = outputs.files().into_iter().map(absolute).collect();
    let run = Run { identity: json!({ "merging": facts.identity }), files };
    let mut ledger = Ledger::open(labels)?;
    match ledger.entries().filter(|_| existing == Existing::Refuse) {
        // What has its name already then got it from a merging that was killed.
        Some(found) if found.run == run => outputs.existing = Existing::Overwrite,
        Some(_) => return Err(Error::OtherRun { path: labels.to_owned(), difference: "purpose: it labels".into() }),
        None => {}
    }
    outputs.refuse()?;
    ledger.forget()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut sinks = Sinks::start(&facts.whole, &outputs, threads, Start::Anew)?;
    for (item, facts) in found.iter().filter(|(_, facts)| facts.rows > 0) {
        copy(facts, &facts.shard.outputs(&outputs), item, &mut sinks, observer)?;
    }
    let (scene, product) = (labels.to_owned(), facts.whole.clone());
    let timings = Timings::default();
    let (outputs_made, spent) = (outputs.clone(), started.elapsed());
    let labelled = Labelled { scene, product, outputs: outputs_made, sinks, ledger, run, shard: None, timings, spent };
    let report = labelled.finish(observer)?;
    if shards == Shards::Remove {
        for raster in found.iter().flat_map(|(_, facts)| facts.shard.outputs(&outputs).rasters()) {
            remove(&suffixed(&raster, ".aux.xml"))?;
            remove(&raster)?;
        }
        // Items last: as long as all are there, so is the word of what there was.
        found.iter().try_for_each(|(item, _)| remove(item))?;
    }
    Ok(report)
}

/// The items of all shards and what they say, in order; an error if they are not the parts of one whole.
fn find(labels: &Path) -> Result<Vec<(PathBuf, ShardFacts)>> {
    let folder = match labels.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let unreadable = |source| Error::File { action: "look for shards in", path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let item = labels.with_file_name(entry.map_err(unreadable)?.file_name());
        let Some(shard) = shard_of(&item, labels) else { continue };
        if let Some(facts) = ShardFacts::read(&item)? {
            if facts.shard != shard {
                return Err(Error::ShardDiffers { path: item, difference: "which shard it is".into(), first: labels.to_owned() });
            }
            found.push((item, facts));
        }
    }
    found.sort_by_key(|(_, facts)| facts.shard);
    let Some((first, whole)) = found.first().cloned() else { return Err(Error::NoShards { path: labels.to_owned() }) };
    let differs =
        |item: &Path, difference: String| Error::ShardDiffers { path: item.to_owned(), difference, first: first.clone() };
    let count = whole.shard.count();
    for (item, facts) in &found {
        if facts.shard.count() != count {
            return Err(differs(item, "number of shards".into()));
        }
        let difference = difference(&whole.identity, &facts.identity);
        if !difference.is_empty() {
            return Err(differs(item, difference));
        }
        if facts.whole != whole.whole {
            return Err(differs(item, "product".into()));
        }
    }
    let is_there = |index: &usize| found.iter().any(|(_, facts)| facts.shard.index() == *index);
    if let Some(index) = (1..=count).find(|index| !is_there(index)) {
        return Err(Error::ShardMissing { path: labels.to_owned(), index, count });
    }
    let mut row = 0;
    for (item, facts) in found.iter().filter(|(_, facts)| facts.rows > 0) {
        if facts.first_row != row {
            return Err(differs(item, format!("where they are cut: expected row {row}, got row {}", facts.first_row)));
        }
        row += facts.rows;
    }
    if row != whole.whole.height {
        return Err(differs(&first, format!("height: expected {} rows, got {row}", whole.whole.height)));
    }
    Ok(found)
}

/// Which shard of `labels` a file is the item of, by its name.
fn shard_of(item: &Path, labels: &Path) -> Option<Shard> {
    let name = item.file_name()?.to_str()?.strip_suffix(".json")?;
    let (index, count) = name.strip_prefix(labels.file_stem()?.to_str()?)?.strip_prefix(".shard-")?.split_once("-of-")?;
    Shard::new(index.parse().ok()?, count.parse().ok()?)
}

/// The whole's files, as the item of a shard names its own.
fn outputs(labels: &Path, existing: Existing, item: &Path, facts: &ShardFacts) -> Result<Outputs> {
    let bytes = fs::read(item).map_err(|source| Error::File { action: "read", path: item.to_owned(), source })?;
    let assets: Value = serde_json::from_slice(&bytes).map_err(|source| Error::ShardItem { path: item.to_owned(), source })?;
    let whole = |key: &str| {
        let asset = assets["assets"].get(key)?;
        let path = Path::new(asset["href"].as_str()?);
        let name = path.file_name()?.to_str()?.replace(&format!(".shard-{}-of-{}", facts.shard.index(), facts.shard.count()), "");
        let folder = if path.is_absolute() { path.parent()?.to_owned() } else { labels.parent()?.to_owned() };
        Some((folder.join(name), asset["data_type"] == "uint8"))
    };
    let probabilities = whole("probabilities")
        .map(|(path, is_u8)| ProbabilityOutput { path, encoding: if is_u8 { LayerEncoding::U8 } else { LayerEncoding::F32 } });
    let confidence = whole("confidence").map(|(path, _)| path);
    Ok(Outputs { labels: labels.to_owned(), probabilities, confidence, existing })
}

/// Copies the pixels of a shard.
fn copy(facts: &ShardFacts, parts: &Outputs, item: &Path, sinks: &mut Sinks, observer: &dyn Observer) -> Result<()> {
    check_digests(item, parts)?;
    let width = facts.whole.width;
    let bands = parts.probabilities.as_ref().map_or(1, |_| facts.whole.classes.len());
    let rows = (VALUES / (width * bands)).clamp(1, ROWS);
    for y in (0..facts.rows).step_by(rows) {
        if observer.is_cancelled() {
            return Err(Error::Cancelled { path: parts.labels.clone() });
        }
        let from = Window::plane(0, y, width, rows.min(facts.rows - y));
        let labels = read::<u8>(&parts.labels, from)?;
        let mut scores = Vec::new();
        if let Some(ProbabilityOutput { path, encoding }) = &parts.probabilities {
            scores.push(read_scores(path, from, *encoding)?);
        }
        if let Some(path) = &parts.confidence {
            scores.push(read_scores(path, from, LayerEncoding::U8)?);
        }
        sinks.copy(Window { y: facts.first_row + y, ..from }, &labels, &scores)?;
    }
    Ok(())
}

/// An error if a raster of a shard is not what its item says.
fn check_digests(item: &Path, parts: &Outputs) -> Result<()> {
    let bytes = fs::read(item).map_err(|source| Error::File { action: "read", path: item.to_owned(), source })?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|source| Error::ShardItem { path: item.to_owned(), source })?;
    let layers = [
        ("labels", Some(&parts.labels)),
        ("probabilities", parts.probabilities.as_ref().map(|probabilities| &probabilities.path)),
        ("confidence", parts.confidence.as_ref()),
    ];
    for (key, path) in layers {
        let Some(path) = path else { continue };
        let expected = value["assets"][key]["file:checksum"].as_str().unwrap_or_default();
        let (_, got) = crate::stac::digest(path).map_err(|source| Error::File { action: "read", path: path.clone(), source })?;
        if got != expected {
            return Err(Error::Unfaithful { path: path.clone(), what: "checksum", expected: expected.into(), got });
        }
    }
    Ok(())
}

/// Scores as they were before they were stored.
fn read_scores(path: &Path, window: Window, encoding: LayerEncoding) -> Result<Vec<f32>> {
    let values = read::<f32>(path, window)?;
    Ok(match encoding {
        LayerEncoding::F32 => values,
        LayerEncoding::U8 => {
            let score = |step: f32| if step > LayerEncoding::STEPS { f32::NAN } else { step / LayerEncoding::STEPS };
            values.into_iter().map(score).collect()
        }
    })
}

/// A window of all bands, `(bands, height, width)`.
fn read<T: GdalType + Copy>(path: &Path, window: Window) -> Result<Vec<T>> {
    let values = watch(Heed::Failures, || {
        let dataset = Dataset::open(path)?;
        let (start, size) = ((window.x as isize, window.y as isize), (window.width, window.height));
        let mut values = Vec::new();
        for band in 1..=dataset.raster_count() {
            values.extend_from_slice(dataset.rasterband(band)?.read_as::<T>(start, size, size, None)?.data());
        }
        Ok(values)
    });
    values.map_err(|source| Error::Gdal { action: format!("read {window} of"), path: path.to_owned(), source })
}
