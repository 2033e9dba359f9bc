//! `swath model`.

use std::path::Path;

use serde_json::json;
use swath::Segmenter;
use swath::refine::Refine;
use swath_models::{Arithmetic, Axes, Class, Fused, Golden, Model, ModelCard, Reach, Scaling, ScoreActivation, zoo};

use super::args::{CheckArgs, ImportArgs, InspectArgs, ModelArgs, ModelCommand, NewArgs, ScoreKind};
use super::bytes::{show_bytes, show_count};
use super::fail::{AnyError, Exit};
use super::import::{self, Network};
use super::model_list::{self, usual_extent};
use super::parse::parse_class;
use super::{print, words};

/// The label of pixels without data in new models.
const NODATA: u8 = 255;

pub(super) fn run(args: &ModelArgs) -> Result<Exit, AnyError> {
    match &args.command {
        ModelCommand::List(args) => model_list::list(args)?,
        ModelCommand::New(args) => new(args)?,
        ModelCommand::Inspect(args) => inspect(args)?,
        ModelCommand::Check(args) => check(args)?,
        ModelCommand::Import(args) => import(args)?,
    }
    Ok(Exit::Done)
}

fn new(args: &NewArgs) -> Result<(), AnyError> {
    // A plain number counts: bands go by their places then, classes by made-up names.
    let count = |list: &[String]| match list {
        [one] => one.parse::<usize>().ok(),
        _ => None,
    };
    let bands = count(&args.bands).map_or_else(|| args.bands.clone(), |n| (1..=n).map(|number| number.to_string()).collect());
    let names =
        count(&args.classes).map_or_else(|| args.classes.clone(), |n| (0..n).map(|class| format!("class_{class}")).collect());
    let classes = names.iter().map(|name| parse_class(name)).collect::<Result<Vec<_>, _>>()?;
    let network = zoo::find(&args.network)?;
    let graph = match args.widths.as_slice() {
        [] => network.build(bands.len(), classes.len())?,
        widths => network.build_with_widths(bands.len(), classes.len(), widths)?,
    };
    let weights = zoo::random_weights(&graph, args.seed);
    let card = ModelCard {
        name: format!("{}_seed{}", args.network, args.seed),
        architecture: args.network.clone(),
        scaling: scaling(&args.scaling, bands.len())?,
        bands,
        classes: numbered(classes)?,
        nodata: NODATA,
        activation: ScoreActivation::Softmax,
        dropped: Vec::new(),
        gsd: None,
        crf: None,
        volume: args.volume.clone(),
    };
    Model { card, graph, weights }.write(&args.output)?;
    Ok(print::line(args.output.display())?)
}

fn import(args: &ImportArgs) -> Result<(), AnyError> {
    let Network { graph, weights } = import::read(args)?;
    let classes = numbered(args.classes.clone())?;
    let dropped = args.drop.iter().map(|name| {
        let class = classes.iter().find(|class| class.name == *name);
        class.map(|class| class.value).ok_or_else(|| format!("--drop: no class is called `{name}`"))
    });
    let name = args.name.clone().or_else(|| Some(args.file.file_stem()?.to_string_lossy().into_owned()));
    let card = ModelCard {
        name: name.unwrap_or_default(),
        architecture: graph.name().to_owned(),
        bands: args.bands.clone(),
        scaling: scaling(&args.scaling, args.bands.len())?,
        dropped: dropped.collect::<Result<_, _>>()?,
        classes,
        nodata: NODATA,
        activation: match args.scores {
            ScoreKind::Probabilities => ScoreActivation::None,
            ScoreKind::Logits if graph.output_channels() == 1 => ScoreActivation::Sigmoid,
            ScoreKind::Logits => ScoreActivation::Softmax,
        },
        gsd: args.gsd,
        crf: args.crf.clone(),
        volume: args.volume.clone(),
    };
    // A network that cannot label every pixel is refused here rather than at the first scene, and so is a CRF that cannot be.
    graph.geometry()?;
    Refine::of_card(&card)?;
    let model = Model { card, graph, weights };
    if let Some(path) = &args.golden {
        let golden = Golden::open(path)?;
        let difference = golden.check(&Fused::new(model.graph.clone(), &model.weights, Arithmetic::default())?)?;
        model.write_with_golden(&args.output, &golden)?;
        print_golden(&args.output, Some(difference))?;
    } else {
        model.write(&args.output)?;
    }
    Ok(print::line(args.output.display())?)
}

/// One scaling for each band.
fn scaling(given: &[Scaling], bands: usize) -> Result<Vec<Scaling>, String> {
    match given {
        [] => Ok(vec![Scaling::None; bands]),
        [one] => Ok(vec![*one; bands]),
        several if several.len() == bands => Ok(several.to_vec()),
        several => Err(format!("--scaling: expected one, or one for each of {bands} bands, got {}", several.len())),
    }
}

/// Classes with their places as values.
pub(super) fn numbered(classes: Vec<Class>) -> Result<Vec<Class>, String> {
    if classes.len() > usize::from(NODATA) {
        return Err(format!("--classes: expected at most {NODATA}, got {}", classes.len()));
    }
    if let Some(class) = classes.iter().enumerate().find_map(|(at, class)| classes[..at].iter().find(|c| c.name == class.name)) {
        return Err(format!("--classes: expected names that differ, got `{}` twice", class.name));
    }
    Ok((0u8..).zip(classes).map(|(value, class)| Class { value, ..class }).collect())
}

fn check(args: &CheckArgs) -> Result<(), AnyError> {
    let segmenter = Segmenter::open(&args.model, Arithmetic::default())?;
    segmenter.executor().graph().geometry()?;
    print::line(format!("{}: card, graph and weights agree", args.model.display()))?;
    check_golden(&args.model)
}

fn check_golden(folder: &Path) -> Result<(), AnyError> {
    print_golden(folder, Segmenter::check_golden(folder)?)
}

fn print_golden(folder: &Path, difference: Option<f32>) -> Result<(), AnyError> {
    let text = match difference {
        Some(difference) => format!("golden output reproduced, largest difference {difference:e}"),
        None => "no golden input".into(),
    };
    Ok(print::line(format!("{}: {text}", folder.display()))?)
}

fn inspect(args: &InspectArgs) -> Result<(), AnyError> {
    let model = Model::read(&args.model)?;
    let (card, graph, rank) = (&model.card, &model.graph, model.graph.rank());
    let geometry = graph.geometry()?;
    let extent = graph.fixed_extent().unwrap_or_else(|| usual_extent(graph, &geometry));
    let cost = graph.cost(extent)?;
    let per_pixel = cost.flops as f64 / graph.output_shape(extent)?.extent.product() as f64;
    if args.json {
        let layers = graph.nodes().iter().zip(graph.shapes(extent)?).zip(graph.flops_by_node(extent)?);
        let layers: Vec<_> = layers
            .map(|((node, shape), flops)| json!({ "name": node.name, "op": node.op.label(), "shape": shape.to_string(), "flops": flops }))
            .collect();
        // As MLM has it: none is null.
        let scaling: Vec<_> = card.scaling.iter().map(|scaling| (*scaling != Scaling::None).then_some(scaling)).collect();
        return Ok(print::line(json!({
            "name": card.name,
            "architecture": card.architecture,
            "rank": rank,
            "volume": card.volume,
            "bands": card.bands,
            "scaling": scaling,
            "classes": card.classes,
            "nodata": card.nodata,
            "dropped": card.dropped,
            "gsd": card.gsd.map(|gsd| json!({ "minimum": gsd.minimum, "maximum": gsd.maximum })),
            "fixed_extent": graph.fixed_extent().map(|extent| words::axes_json(rank, extent)),
            "activation": card.activation,
            "parameters": cost.parameters,
            "flops_per_pixel": per_pixel,
            "stride": words::axes_json(rank, geometry.stride),
            "halo": geometry.halo().map(|halo| words::axes_json(rank, halo)),
            "receptive_field": geometry.receptive_field().map(|field| words::axes_json(rank, field)),
            "layers": layers,
        }))?);
    }
    let lengths = |axes: Option<Axes<usize>>| axes.map_or("the whole tile".into(), |axes| words::axes(rank, axes));
    let reach = match &geometry.reach {
        Reach::Halo(_) => lengths(geometry.halo()),
        Reach::WholeTile { node } => format!("none: node `{node}` sees the whole tile"),
    };
    let bands = card.bands.iter().zip(&card.scaling).map(|(band, scaling)| format!("{band} ({})", words::scaling(*scaling)));
    let class = |class: &Class| {
        let colour = class.colour.map_or(String::new(), |colour| format!(" #{colour}"));
        format!("{} {}{colour}", class.value, class.label())
    };
    print::line(&card.name)?;
    let mut facts = vec![
        ("architecture", card.architecture.clone()),
        ("bands", bands.collect::<Vec<_>>().join(", ")),
        ("classes", card.classes.iter().map(class).collect::<Vec<_>>().join(", ")),
        ("no data", card.nodata.to_string()),
        ("output", format!("{} channels, {}", graph.output_channels(), words::activation(card.activation))),
        ("layers", (graph.nodes().len() - 1).to_string()),
        ("parameters", format!("{} ({})", cost.parameters, show_count(cost.parameters as f64))),
        ("operations", format!("{}FLOP per pixel", show_count(per_pixel))),
        (
            "activations",
            format!("{} at most for a tile of {}", show_bytes(cost.activation_bytes as u64), words::axes(rank, extent)),
        ),
        ("stride", words::axes(rank, geometry.stride)),
        ("receptive field", lengths(geometry.receptive_field())),
        ("halo", reach),
    ];
    if !card.dropped.is_empty() {
        let dropped = card.classes.iter().filter(|class| card.dropped.contains(&class.value));
        facts.push(("never a label", dropped.map(Class::label).collect::<Vec<_>>().join(", ")));
    }
    if let Some(gsd) = card.gsd {
        facts.push(("made for", format!("{} to {} m per pixel", gsd.minimum, gsd.maximum)));
    }
    if let Some(extent) = graph.fixed_extent() {
        facts.push(("only for tiles of", words::axes(rank, extent)));
    }
    print::facts(&facts)?;
    if args.layers {
        let parameters = |name: &str| -> usize {
            let own = graph.tensors().into_iter().filter(|t| t.name.rsplit_once('.').is_some_and(|(owner, _)| owner == name));
            own.map(|t| t.shape.iter().product::<usize>()).sum()
        };
        let mut rows = vec![["layer", "operation", "shape", "parameters", "FLOP"].map(String::from).to_vec()];
        for ((node, shape), flops) in graph.nodes().iter().zip(graph.shapes(extent)?).zip(graph.flops_by_node(extent)?) {
            let [name, operation] = [node.name.clone(), node.op.label().to_owned()];
            rows.push(vec![name, operation, shape.to_string(), parameters(&node.name).to_string(), show_count(flops as f64)]);
        }
        print::table(&rows)?;
    }
    Ok(())
}
