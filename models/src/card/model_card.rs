//! What a checkpoint needs to be fed correctly.

use std::path::Path;

use crate::{Class, Error, Graph, Result, Scaling, ScoreActivation};

/// What a checkpoint needs to be fed correctly, and what its output means: a STAC item with the Machine Learning Model extension v1.5.2.
///
/// Nothing is guessed: a field that is missing, contradicts another one or asks for what Swath does not do is an error that names it.
/// What MLM has no field for is under `swath:`, and described in the README.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// `mlm:name`
    pub name: String,
    /// `mlm:architecture`
    pub architecture: String,
    /// Names of the bands, in the order of the network's input channels: `mlm:input[0].bands`.
    pub bands: Vec<String>,
    /// How each band's values are scaled, one per band: `mlm:input[0].value_scaling`.
    pub scaling: Vec<Scaling>,
    /// What the classes are, in the order of the network's output channels: `mlm:output[0].classification:classes`. A network with one output
    /// channel has two: what it scores is the second.
    pub classes: Vec<Class>,
    /// The label of pixels without data: the class with `nodata: true`, or 255.
    pub nodata: u8,
    /// What the network's output lacks to be probabilities: `swath:activation`.
    pub activation: ScoreActivation,
    /// Values of classes that are never given as a label: `swath:dropped_classes`.
    pub dropped: Vec<u8>,
    /// Ground sample distances that the network was trained for: `swath:gsd`.
    pub gsd: Option<GsdRange>,
}

/// Allowed ground sample distances in metres per pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GsdRange {
    /// Smallest.
    pub minimum: f64,
    /// Largest.
    pub maximum: f64,
}

impl ModelCard {
    /// Checks that the card describes this graph.
    ///
    /// # Errors
    /// If bands or classes are not as many as the graph's channels, or a scaling cannot be computed.
    pub fn check(&self, graph: &Graph, path: &Path) -> Result<()> {
        self.check_scaling(path)?;
        let fail = |field: &str, expected: String, got: usize| Error::Card {
            path: path.into(),
            field: field.into(),
            expected,
            got: got.to_string(),
        };
        if self.bands.len() != graph.input_channels() {
            let expected = format!("{} bands, as the network takes", graph.input_channels());
            return Err(fail("mlm:input[0].bands", expected, self.bands.len()));
        }
        let classes = class_count(graph);
        if self.classes.len() != classes {
            let expected = format!("{classes} classes, as the network's {} output channels say", graph.output_channels());
            return Err(fail("mlm:output[0].classification:classes", expected, self.classes.len()));
        }
        if graph.output_channels() == 1 && self.activation == ScoreActivation::Softmax {
            let expected = "sigmoid or none for a network with one output channel".into();
            let got = "softmax".into();
            return Err(Error::Card { path: path.into(), field: "swath:activation".into(), expected, got });
        }
        Ok(())
    }
}

/// How many classes a network tells apart: one output channel is the probability of the second of two.
fn class_count(graph: &Graph) -> usize {
    graph.output_channels().max(2)
}
