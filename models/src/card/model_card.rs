//! What a checkpoint needs to be fed correctly.

use std::path::Path;

use super::CrfSettings;
use crate::{Activation, Class, Error, Graph, Op, Result, Scaling, ScoreActivation, VolumeInput};

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
    /// What the network needs of volumes, if it takes any: `swath:volume`.
    pub volume: Option<VolumeInput>,
    /// The CRF that its probabilities are to be refined by: `swath:crf`.
    pub crf: Option<CrfSettings>,
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
    /// If bands or classes are not as many as the graph's channels, two classes have one name, a scaling cannot be computed, or the activation
    /// is one that the graph has applied already.
    pub fn check(&self, graph: &Graph, path: &Path) -> Result<()> {
        self.check_values(path)?;
        self.check_volume(|volume| volume.check_rank(graph.rank()), path)?;
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
        let mut names = std::collections::HashSet::new();
        if let Some(class) = self.classes.iter().find(|class| !names.insert(class.name.as_str())) {
            let field = "mlm:output[0].classification:classes".into();
            let (expected, got) = ("names that differ".into(), format!("`{}` twice", class.name));
            return Err(Error::Card { path: path.into(), field, expected, got });
        }
        let output = &graph.nodes()[graph.output().index()];
        let is_probability = matches!(output.op, Op::Softmax | Op::Activation(Activation::Sigmoid));
        if is_probability && self.activation != ScoreActivation::None {
            let expected = format!("none, as the network's output `{}` is a {} already", output.name, output.op.label());
            let got = format!("{:?}", self.activation).to_lowercase();
            return Err(Error::Card { path: path.into(), field: "swath:activation".into(), expected, got });
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
