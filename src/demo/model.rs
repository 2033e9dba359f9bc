//! The bundled model: a rule table, written as a network.

use swath_models::{
    Axes, Builder, Conv, Graph, Model, ModelCard, Op, Pool, PoolKind, Rank, Scaling, Scope, ScoreActivation, Weights,
};

use super::scene::BANDS;

/// A linear combination of the bands, each a reflectance of 0 to 1.
#[derive(Clone, Copy)]
enum Index {
    /// Near infrared minus red: leaves. The numerator of the NDVI (Rouse et al. 1974), as a network has no division.
    Leaf,
    /// Green minus red: living plants above 0, soil and tiles below.
    Green,
    /// Red minus blue: soil, straw and tiles above 0, water and asphalt below.
    Warm,
    /// Blue minus green: painted metal.
    Blue,
    /// The mean of red, green and blue.
    Bright,
    /// Near infrared: nothing is as dark as water.
    Infrared,
}

/// The indices' coefficients for red, green, blue and near infrared, in the order of [`Index`].
const INDICES: [[f32; BANDS]; 6] = [
    [-1.0, 0.0, 0.0, 1.0],
    [-1.0, 1.0, 0.0, 0.0],
    [1.0, 0.0, -1.0, 0.0],
    [0.0, -1.0, 1.0, 0.0],
    [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

/// Side of the square over which an index is averaged, in pixels.
const MEAN: usize = 5;
/// Side of the square over which the deviations from that mean are averaged, in pixels.
const ROUGHNESS: usize = 9;

/// What a rule looks at.
#[derive(Clone, Copy)]
enum Signal {
    /// An index at the pixel.
    Pixel(Index),
    /// An index averaged around the pixel: without noise, rows of a crop and shadows of single leaves.
    Mean(Index),
    /// The mean deviation of an index from its average: texture.
    Rough(Index),
}

/// On which side of its threshold a rule holds.
#[derive(Clone, Copy)]
enum Side {
    Above,
    Below,
}

/// Evidence: votes for and against the classes, for every 0.1 by which a signal is beyond a threshold.
struct Rule {
    signal: Signal,
    side: Side,
    threshold: f32,
    votes: [f32; CLASSES],
}

const CLASSES: usize = 6;

/// The rules. Signals and thresholds were chosen by looking at the classes' histograms, the votes by logistic regression on the
/// scenes of seeds 1 to 6, rounded to halves.
#[rustfmt::skip]
const RULES: [Rule; 15] = {
    use Index::{Blue, Bright, Green, Infrared, Leaf, Warm};
    use Side::{Above, Below};
    use Signal::{Mean, Pixel, Rough};
    const fn rule(signal: Signal, side: Side, threshold: f32, votes: [f32; CLASSES]) -> Rule {
        Rule { signal, side, threshold, votes }
    }
    [
        //                                      field grass  tree water  road  roof
        // Plants cover the ground.
        rule(Mean(Leaf),       Above, 0.08,  [  1.5,  0.0,  4.5, -0.5, -2.0, -0.5]),
        // They do not: soil, stone or water.
        rule(Mean(Leaf),       Below, 0.08,  [  0.0, -1.5,  0.0,  2.5,  0.0,  0.5]),
        // More leaf than a crown in its own shade can show.
        rule(Mean(Leaf),       Above, 0.20,  [  0.0,  0.5, -3.0,  0.0,  0.0,  0.0]),
        rule(Mean(Green),      Above, 0.06,  [ -1.0,  3.0,  0.0,  1.5, -4.0,  0.0]),
        // Ripe, ploughed, or a roof: no grass is that brown.
        rule(Mean(Green),      Below, 0.04,  [  0.0, -3.5,  0.0, -2.0,  0.0,  2.0]),
        // Redder than any soil: tiles.
        rule(Pixel(Green),     Below, -0.11, [ -2.5,  0.0,  0.0,  0.0,  0.0,  4.5]),
        rule(Mean(Warm),       Above, 0.03,  [  3.0,  2.0,  0.0,  0.0, -3.5, -0.5]),
        // Asphalt, slate and metal.
        rule(Pixel(Warm),      Below, 0.01,  [ -1.0, -1.5, -1.0,  0.5,  1.5,  3.0]),
        rule(Pixel(Blue),      Above, 0.04,  [  0.0,  0.0,  0.0,  0.0,  0.0,  0.5]),
        rule(Pixel(Bright),    Above, 0.60,  [  0.0,  0.0,  0.0,  0.0,  0.0,  2.5]),
        // Woods and water are dark.
        rule(Mean(Bright),     Below, 0.34,  [  0.0,  0.5,  4.0, -0.5, -3.0, -2.5]),
        rule(Pixel(Infrared),  Below, 0.20,  [  0.0, -2.5,  1.0,  2.5,  0.0,  0.0]),
        // Crowns and the shadows between them.
        rule(Rough(Infrared),  Above, 0.05,  [ -3.0,  0.0,  6.5,  0.0,  0.0,  0.0]),
        // Rows of plants with soil between them.
        rule(Rough(Green),     Above, 0.016, [  0.0, -7.0,  0.0,  0.0,  0.0,  0.0]),
        // Lawn between houses.
        rule(Rough(Warm),      Above, 0.025, [ -5.0,  9.0,  0.0,  0.0,  0.0,  0.0]),
    ]
};

/// Votes before any rule.
const PRIOR: [f32; CLASSES] = [0.5, 2.0, -6.0, -2.0, 2.5, -1.0];

/// The bundled model as a folder would hold it: [`bundled`] with its card.
///
/// # Errors
/// If graph and weights do not fit each other.
pub fn model() -> swath_models::Result<Model> {
    let (graph, weights) = bundled()?;
    let card = ModelCard {
        name: "demo".into(),
        architecture: "spectral rules".into(),
        bands: ["red", "green", "blue", "nir"].map(String::from).to_vec(),
        scaling: vec![Scaling::Scale { value: 255.0 }; 4],
        classes: super::classes(),
        nodata: 255,
        activation: ScoreActivation::Softmax,
        dropped: Vec::new(),
        gsd: None,
    };
    Ok(Model { card, graph, weights })
}

/// The bundled model: takes red, green, blue and near infrared as reflectances of 0 to 1 (a [`DemoScene`](super::DemoScene)'s digital
/// numbers divided by 255), gives logits of [`classes`](super::classes). It sees 13 x 13 pixels.
///
/// # Errors
/// If graph and weights do not fit each other.
pub fn bundled() -> swath_models::Result<(Graph, Weights)> {
    let indices = INDICES.len();
    let mut g = Builder::new("rules", Rank::Planar, BANDS);
    let mut weights = Weights::new();
    let root = Scope::root("");

    let input = g.input();
    let pixel = g.conv(input, &(&root / "indices"), Conv::square(indices, 1)).node();
    weights.insert("indices.weight", vec![indices, BANDS, 1, 1], INDICES.concat());
    let mean = g.push("mean", average(MEAN), vec![pixel]).node();

    // |pixel - mean| as relu(pixel - mean) and relu(mean - pixel), which the rules add.
    let both = g.concat(vec![pixel, mean]).node();
    let deviation = g.conv(both, &(&root / "deviation"), Conv::square(2 * indices, 1)).relu().node();
    let mut matrix = vec![0.0; 2 * indices * 2 * indices];
    for index in 0..indices {
        for (half, sign) in [(0, 1.0), (indices, -1.0)] {
            let row = (half + index) * 2 * indices;
            matrix[row + index] = sign;
            matrix[row + indices + index] = -sign;
        }
    }
    weights.insert("deviation.weight", vec![2 * indices, 2 * indices, 1, 1], matrix);
    let rough = g.push("roughness", average(ROUGHNESS), vec![deviation]).node();

    let signals = g.concat(vec![pixel, mean, rough]).node();
    let rules = g.conv(signals, &(&root / "rules"), Conv::square(RULES.len(), 1).biased()).relu().node();
    let mut matrix = vec![0.0; RULES.len() * 4 * indices];
    let mut bias = Vec::new();
    for (rule, row) in RULES.iter().zip(matrix.chunks_exact_mut(4 * indices)) {
        let per_tenth = match rule.side {
            Side::Above => 10.0,
            Side::Below => -10.0,
        };
        match rule.signal {
            Signal::Pixel(index) => row[index as usize] = per_tenth,
            Signal::Mean(index) => row[indices + index as usize] = per_tenth,
            Signal::Rough(index) => {
                row[2 * indices + index as usize] = per_tenth;
                row[3 * indices + index as usize] = per_tenth;
            }
        }
        bias.push(-per_tenth * rule.threshold);
    }
    weights.insert("rules.weight", vec![RULES.len(), 4 * indices, 1, 1], matrix);
    weights.insert("rules.bias", vec![RULES.len()], bias);

    let head = g.conv(rules, &(&root / "votes"), Conv::square(CLASSES, 1).biased()).node();
    let votes = (0..CLASSES).flat_map(|class| RULES.iter().map(move |rule| rule.votes[class])).collect();
    weights.insert("votes.weight", vec![CLASSES, RULES.len(), 1, 1], votes);
    weights.insert("votes.bias", vec![CLASSES], PRIOR.to_vec());

    let graph = g.build(head)?;
    weights.check(&graph)?;
    Ok((graph, weights))
}

/// The mean over a square of the scene; beyond the edge there is nothing to average.
fn average(side: usize) -> Op {
    Op::Pool(Pool {
        kind: PoolKind::AverageInside,
        kernel: Axes::plane(side),
        stride: Axes::plane(1),
        padding: Axes::plane_padding(side / 2),
    })
}

#[cfg(test)]
mod tests {
    use swath_models::{Extent, Shape};

    use super::*;

    #[test]
    fn the_model_gives_a_logit_per_class_and_pixel() {
        let (graph, _) = bundled().unwrap();
        assert_eq!(graph.input_channels(), BANDS);
        assert_eq!(graph.output_channels(), super::super::classes().len());
        assert_eq!(graph.output_shape(Extent::planar(40, 30)).unwrap(), Shape::planar(CLASSES, 40, 30));
    }
}
