//! `swath evaluate`.

use std::path::{Path, PathBuf};

use swath::evaluate::{AreaEstimates, EvaluationRequest, Evaluator, picture};
use swath::{Existing, check_files, write_text};

use super::args::EvaluateArgs;
use super::fail::{self, AnyError, Exit};
use super::figures::{Areas, Figures};
use super::model::numbered;
use super::parse::MappedRaster;
use super::print;
use super::request::cores;

pub(super) fn run(args: &EvaluateArgs) -> Result<Exit, AnyError> {
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
    let to_file = args.json.clone().filter(|path| path != Path::new("-"));
    let files: Vec<PathBuf> = to_file.iter().chain(&args.png).cloned().collect();
    if let [json, png] = &files[..]
        && json == png
    {
        return Err(format!("expected a file of its own for --json and --png, got {} twice", json.display()).into());
    }
    check_files(&files, existing)?;
    let evaluator = Evaluator::new(&request(args)?)?;
    let without = evaluator.places(&args.without)?;
    tracing::info!("comparing {} pixels of {} classes", evaluator.size(), evaluator.classes().len());
    match show(args, &evaluator, &without, to_file.as_deref(), existing) {
        Err(error) => {
            fail::report(error.as_ref());
            Ok(Exit::SomeFailed)
        }
        Ok(()) => Ok(Exit::Done),
    }
}

fn request(args: &EvaluateArgs) -> Result<EvaluationRequest, AnyError> {
    let map = |raster: MappedRaster| {
        let values: Vec<_> = args.map.iter().filter(|map| map.raster == raster).flat_map(|map| map.values.clone()).collect();
        (!values.is_empty()).then_some(values)
    };
    Ok(EvaluationRequest {
        classes: args.classes.clone().map(numbered).transpose()?,
        prediction_values: map(MappedRaster::Prediction),
        reference_values: map(MappedRaster::Reference),
        ignored: args.ignore.clone(),
        palette: args.palette.clone(),
        erode: args.erode,
        probabilities: args.probabilities.clone(),
        ..EvaluationRequest::new(args.prediction.clone(), args.reference.clone(), args.threads.map_or_else(cores, usize::from))
    })
}

/// Counts, and gives the figures where they are wanted.
fn show(
    args: &EvaluateArgs,
    evaluator: &Evaluator,
    without: &[usize],
    to_file: Option<&Path>,
    existing: Existing,
) -> Result<(), AnyError> {
    let evaluation = evaluator.run()?;
    let areas = args.areas.then(|| AreaEstimates::new(&evaluation.matrix, &evaluation.mapped)).transpose();
    let areas = areas.unwrap_or_else(|error| {
        tracing::warn!("no areas: {error}");
        None
    });
    let total_m2 = evaluator.pixel_area_m2().map(|area| area * evaluation.mapped.iter().sum::<u64>() as f64);
    let areas = areas.map(|estimates| Areas { estimates, total_m2 });
    let figures = Figures { args, classes: evaluator.classes(), evaluation: &evaluation, without, areas };
    if let Some(png) = &args.png {
        picture(&evaluation.matrix, png, existing)?;
    }
    match to_file {
        Some(path) => write_text(path, &format!("{:#}\n", figures.as_json()), existing)?,
        None if args.json.is_some() => return Ok(print::line(figures.as_json())?),
        None => {}
    }
    Ok(figures.print()?)
}
