//! The networks of other programs, for `swath model import`.

use swath_models::{AdaptBands, Checkpoint, FileFormat, Graph, Weights, keras, onnx, zoo};

use super::args::{BandRule, ImportArgs};
use super::fail::AnyError;

/// A network and what it has learned.
pub(super) struct Network {
    pub(super) graph: Graph,
    pub(super) weights: Weights,
}

/// Reads the file, which has a network, or weights for one of the zoo.
pub(super) fn read(args: &ImportArgs) -> Result<Network, AnyError> {
    let format = FileFormat::read(&args.file)?;
    let file = args.file.display();
    match (format, &args.network) {
        (FileFormat::Onnx | FileFormat::Keras, Some(_)) => Err(format!("--network: {file} has a network of its own").into()),
        (FileFormat::Onnx, None) => {
            let onnx::Imported { graph, weights, .. } = onnx::read(&args.file, args.head.as_deref())?;
            Ok(Network { graph, weights })
        }
        (_, _) if args.head.is_some() => Err(format!("--head: {file} has one output").into()),
        (FileFormat::Keras, None) => {
            let keras::Imported { graph, weights, passed_over } = keras::read(&args.file)?;
            for what in passed_over {
                tracing::info!("{file}: passed over `{what}`");
            }
            Ok(Network { graph, weights })
        }
        (_, None) => {
            let known = zoo::names().join(", ");
            Err(format!("--network: {file} holds weights without a network: expected the name of theirs, one of {known}").into())
        }
        (_, Some(network)) => weights(args, network),
    }
}

/// Weights for a network of the zoo: exactly its tensors, with the number of outputs that the file's head has.
fn weights(args: &ImportArgs, network: &str) -> Result<Network, AnyError> {
    let (bands, classes) = (args.bands.len(), args.classes.len());
    let mut graph = zoo::build(network, bands, classes)?;
    let checkpoint = Checkpoint::read(&args.file)?.named_for(&graph)?;
    match checkpoint.other_outputs(&graph) {
        // One output scores the second of two classes.
        Some(1) if classes == 2 => graph = zoo::build(network, bands, 1)?,
        Some(outputs) => {
            return Err(format!("--classes: expected the {outputs} that the file's network scores, got {classes}").into());
        }
        None => {}
    }
    let rule = args.adapt_bands.map(|rule| match rule {
        BandRule::Repeat => AdaptBands::Repeat,
        BandRule::Mean => AdaptBands::Mean,
        BandRule::Zero => AdaptBands::Zero,
    });
    let checkpoint = checkpoint.with_bands_of(&graph, rule)?;
    for change in &checkpoint.changes {
        tracing::info!("{}: {change}", args.file.display());
    }
    checkpoint.check(&graph)?;
    Ok(Network { graph, weights: checkpoint.weights })
}
