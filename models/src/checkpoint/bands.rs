//! Weights of a network for other bands.

use std::fmt;

use serde::Deserialize;

use super::Change;
use crate::{Error, Graph, NodeId, Op, Result, Weights};

/// How the first convolution's weights for some bands become those for others.
///
/// `repeat` and `mean` multiply by bands in the file over bands of the network, so that bands that are alike give the sums that they gave before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdaptBands {
    /// Band `b` has the weights of the file's band `b` modulo their number, scaled; one band has the sum of all, as timm and
    /// `segmentation_models_pytorch` do it.
    Repeat,
    /// Every band has the mean of the file's, scaled.
    Mean,
    /// The first bands have the file's weights as they are, all others 0.
    Zero,
}

impl fmt::Display for AdaptBands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeat => "repeated",
            Self::Mean => "the mean for each",
            Self::Zero => "zeros for further ones",
        })
    }
}

/// Adapts the convolutions that read the input.
pub(super) fn adapt(weights: &mut Weights, graph: &Graph, rule: Option<AdaptBands>) -> Result<Vec<Change>> {
    let bands = graph.input_channels();
    let mut changes = Vec::new();
    for node in graph.nodes() {
        let Op::Conv(conv) = node.op else { continue };
        if !is_input(graph, node.inputs[0]) {
            continue;
        }
        let tensor = format!("{}.weight", node.name);
        let Some([filters, found, kernel @ ..]) = weights.shape(&tensor).filter(|_| conv.groups == 1) else { continue };
        let (filters, found, kernel) = (*filters, *found, kernel.to_vec());
        if found == bands {
            continue;
        }
        let refused = || Error::Bands { tensor: tensor.clone(), expected: bands, got: found };
        let rule = rule.filter(|rule| found > 0 && (*rule != AdaptBands::Zero || bands > found)).ok_or_else(refused)?;
        let old = weights.get(&tensor)?;
        let plane: usize = kernel.iter().product();
        let filter = |filter: usize| &old[filter * found * plane..(filter + 1) * found * plane];
        let data = (0..filters).flat_map(|index| rule.filter(filter(index), found, bands, plane)).collect();
        let shape = [&[filters, bands], kernel.as_slice()].concat();
        weights.insert(tensor.clone(), shape, data);
        changes.push(Change::Bands { tensor, from: found, to: bands, rule });
    }
    Ok(changes)
}

/// Whether a node is the input, perhaps with another border.
fn is_input(graph: &Graph, mut id: NodeId) -> bool {
    loop {
        let node = &graph.nodes()[id.0];
        match node.op {
            Op::Input { .. } => return true,
            Op::Pad { .. } | Op::Crop { .. } => id = node.inputs[0],
            _ => return false,
        }
    }
}

impl AdaptBands {
    /// The weights of one filter for `bands` bands from those for `found`, `plane` weights for each.
    fn filter(self, old: &[f32], found: usize, bands: usize, plane: usize) -> Vec<f32> {
        let scale = found as f64 / bands as f64;
        let at = |band: usize, place: usize| f64::from(old[band * plane + place]);
        let sum = |place: usize| (0..found).map(|band| at(band, place)).sum::<f64>();
        let value = |band: usize, place: usize| match self {
            Self::Repeat if bands == 1 => sum(place),
            Self::Repeat => at(band % found, place) * scale,
            Self::Mean => sum(place) / found as f64 * scale,
            Self::Zero if band < found => at(band, place),
            Self::Zero => 0.0,
        };
        (0..bands).flat_map(|band| (0..plane).map(move |place| (band, place))).map(|(b, p)| value(b, p) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TensorSpec, zoo};

    /// Weights of the stem whose value is that of its band, from 1.
    fn stem(bands: usize) -> Weights {
        let mut weights = Weights::new();
        let filter = (0..bands).flat_map(|band| vec![band as f32 + 1.0; 9]);
        weights.insert("stem.0.weight", vec![16, bands, 3, 3], std::iter::repeat_n(filter, 16).flatten().collect());
        weights
    }

    fn adapted(from: usize, to: usize, rule: Option<AdaptBands>) -> Result<Vec<f32>> {
        let mut weights = stem(from);
        adapt(&mut weights, &zoo::fcn_small(to, 2)?, rule)?;
        let values = weights.get("stem.0.weight")?;
        assert!(values.chunks(9 * to).all(|filter| filter == &values[..9 * to]));
        Ok(values[..9 * to].chunks(9).map(|plane| plane[8]).collect())
    }

    #[test]
    fn bands_are_repeated_averaged_or_left_empty() -> Result<()> {
        assert_eq!(adapted(3, 3, None)?, [1.0, 2.0, 3.0]);
        assert_eq!(adapted(3, 4, Some(AdaptBands::Repeat))?, [0.75, 1.5, 2.25, 0.75]);
        assert_eq!(adapted(3, 1, Some(AdaptBands::Repeat))?, [6.0]);
        assert_eq!(adapted(3, 2, Some(AdaptBands::Mean))?, [3.0, 3.0]);
        assert_eq!(adapted(3, 1, Some(AdaptBands::Mean))?, [6.0]);
        assert_eq!(adapted(3, 5, Some(AdaptBands::Zero))?, [1.0, 2.0, 3.0, 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn every_network_of_the_zoo_takes_a_band_more() -> Result<()> {
        for network in zoo::networks() {
            let shapes = |bands| Ok(network.build(bands, 2)?.tensors());
            let (three, four): (Vec<TensorSpec>, Vec<TensorSpec>) = (shapes(3)?, shapes(4)?);
            let others: Vec<_> = three.into_iter().zip(four).filter(|(three, four)| three != four).collect();
            assert!(!others.is_empty(), "{}", network.name);
            let mut weights = Weights::new();
            for (three, _) in &others {
                let count = three.shape.iter().product();
                weights.insert(three.name.clone(), three.shape.clone(), vec![1.0; count]);
            }
            let changes = adapt(&mut weights, &network.build(4, 2)?, Some(AdaptBands::Repeat))?;
            assert_eq!(changes.len(), others.len(), "{}", network.name);
            for (_, four) in &others {
                assert_eq!(weights.shape(&four.name), Some(four.shape.as_slice()), "{}", network.name);
            }
        }
        Ok(())
    }

    #[test]
    fn nothing_is_adapted_unasked() {
        let message = |rule| adapted(3, 2, rule).map_err(|error| error.to_string());
        let expected = Err("tensor `stem.0.weight`: expected weights for 2 bands, got 3".into());
        assert_eq!(message(None), expected);
        assert_eq!(message(Some(AdaptBands::Zero)), expected, "a band is not thrown away");
    }
}
