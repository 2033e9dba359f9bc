//! `swath evaluate`.

use std::path::{Path, PathBuf};

use serde_json::json;
use swath::evaluate::{AreaEstimates, ClassAgreement, EvaluationRequest, Evaluator, compare_volumes, picture};
use swath::volume::is_volume;
use swath::{Error, Existing, check_files, write_text};

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
    if is_volume(&args.prediction.as_path().into()) {
        return volumes(args, to_file.as_deref(), existing);
    }
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

/// Compares label volumes and gives the figures where they are wanted.
fn volumes(args: &EvaluateArgs, to_file: Option<&Path>, existing: Existing) -> Result<Exit, AnyError> {
    let foreign = [
        ("--map", !args.map.is_empty()),
        ("--ignore", !args.ignore.is_empty()),
        ("--palette", args.palette.is_some()),
        ("--erode", args.erode.is_some()),
        ("--without", !args.without.is_empty()),
        ("--probabilities", args.probabilities.is_some()),
        ("--areas", args.areas),
        ("--png", args.png.is_some()),
    ];
    if let Some((what, _)) = foreign.into_iter().find(|(_, given)| *given) {
        return Err(Error::NotForVolumes { what, path: args.prediction.clone() }.into());
    }
    let classes = compare_volumes(&args.prediction, &args.reference, args.surface_tolerance)?;
    let name = |value: u16| {
        let class = args.classes.as_ref().and_then(|classes| classes.get(usize::from(value)));
        class.map_or_else(|| format!("label {value}"), |class| class.name.clone())
    };
    let mean = |figure: fn(&ClassAgreement) -> Option<f64>| {
        let figures: Vec<f64> = classes.iter().filter_map(figure).collect();
        (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
    };
    let means = [mean(|class| class.dice), mean(|class| Some(class.hd95_mm)), mean(|class| Some(class.surface_dice))];
    let show = |[dice, hd95, surface]: [Option<f64>; 3]| {
        let figure = |figure: Option<f64>, digits: usize| figure.map_or("-".into(), |figure| format!("{figure:.digits$}"));
        [figure(dice, 4), figure(hd95, 3), figure(surface, 4)]
    };
    if args.json.is_some() {
        let class = |class: &ClassAgreement| json!({ "name": name(class.value), "agreement": class });
        let text = json!({
            "prediction": args.prediction,
            "reference": args.reference,
            "surface_tolerance_mm": args.surface_tolerance,
            "classes": classes.iter().map(class).collect::<Vec<_>>(),
            "mean": { "dice": means[0], "hd95_mm": means[1], "surface_dice": means[2] },
        });
        match to_file {
            Some(path) => write_text(path, &format!("{text:#}\n"), existing)?,
            None => print::line(text)?,
        }
        if to_file.is_none() {
            return Ok(Exit::Done);
        }
    }
    let heads = ["class", "reference", "predicted", "Dice", "HD95 (mm)", "surface Dice"].map(str::to_owned).to_vec();
    let row = |class: &ClassAgreement| {
        let counts = [class.reference, class.predicted].map(|count| count.to_string());
        let figures = show([class.dice, Some(class.hd95_mm), Some(class.surface_dice)]);
        [name(class.value)].into_iter().chain(counts).chain(figures).collect()
    };
    let mut rows: Vec<Vec<String>> = [heads].into_iter().chain(classes.iter().map(row)).collect();
    rows.push(["mean".to_owned(), String::new(), String::new()].into_iter().chain(show(means)).collect());
    print::table(&rows)?;
    Ok(Exit::Done)
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
