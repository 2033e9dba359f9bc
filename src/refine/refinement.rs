//! What is asked for.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use swath_models::CrfSettings;
use swath_refine::{Connectivity, Majority};

/// What is to be done after the network, by the names of the model's classes and bands; by default what the model's card says.
///
/// It is done in this order: the CRF refines the probabilities of each tile; thresholds decide which labels count; then, on the finished labels, the
/// majority filter, the filling of holes, and the sieve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refinement {
    /// Whether probabilities are refined.
    pub crf: CrfChoice,
    /// The least probabilities that labels need; a class has none without.
    pub thresholds: Vec<Threshold>,
    /// The class of pixels whose label is not probable enough; without one they have no data.
    pub below: Option<String>,
    /// The most frequent label around each pixel.
    pub majority: Option<Majority>,
    /// Regions below this size get the label that encloses them.
    pub holes: Option<SmallRegions>,
    /// Regions below this size get the label of those beside them.
    pub sieve: Option<SmallRegions>,
}

/// Whether there is a CRF.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum CrfChoice {
    /// As the model's card says.
    #[default]
    Card,
    /// None.
    Off,
    /// With these settings.
    On(CrfSettings),
}

/// The least probability of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The class; all that have no threshold of their own without one.
    pub class: Option<String>,
    /// From 0 to 1.
    pub least: f32,
}

/// Which regions are too small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmallRegions {
    /// Smaller ones are.
    pub below: Amount,
    /// Which pixels are one region.
    pub connectivity: Connectivity,
}

/// How much of a raster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many pixels.
    Pixels(usize),
    /// So many square metres.
    SquareMetres(f64),
}

impl Refinement {
    /// What of it a label may depend on, by the names of the flags; nothing where nothing is asked for.
    #[must_use]
    pub fn parameters(&self) -> Map<String, Value> {
        let mut parameters = Map::new();
        match &self.crf {
            CrfChoice::Card => {}
            CrfChoice::Off => drop(parameters.insert("crf".into(), "off".into())),
            CrfChoice::On(settings) => drop(parameters.insert("crf".into(), settings.to_string().into())),
        }
        if !self.thresholds.is_empty() {
            let thresholds = self.thresholds.iter().map(ToString::to_string).collect::<Vec<_>>();
            parameters.insert("threshold".into(), thresholds.join(",").into());
        }
        if let Some(below) = &self.below {
            parameters.insert("below".into(), below.as_str().into());
        }
        if let Some(majority) = self.majority {
            parameters.insert("majority".into(), majority.width().into());
        }
        for (name, regions) in [("fill_holes", self.holes), ("sieve", self.sieve)] {
            if let Some(regions) = regions {
                parameters.insert(name.into(), regions.to_string().into());
            }
        }
        parameters
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (class, least) = text.rsplit_once('=').map_or((None, text), |(class, least)| (Some(class.to_owned()), least));
        match least.parse() {
            Ok(least) if (0.0..=1.0).contains(&least) => Ok(Self { class, least }),
            _ => Err(format!("expected a probability from 0 to 1, or CLASS=PROBABILITY, got `{text}`")),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.class {
            Some(class) => write!(f, "{class}={}", self.least),
            None => self.least.fmt(f),
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = || format!("expected pixels such as 50, or an area such as 200m2 or 0.5ha, got `{text}`");
        let area = |number: &str, unit: f64| match number.trim().parse::<f64>() {
            Ok(number) if number > 0.0 && number.is_finite() => Ok(Self::SquareMetres(number * unit)),
            _ => Err(usage()),
        };
        match (text.strip_suffix("m2"), text.strip_suffix("ha")) {
            (Some(number), _) => area(number, 1.0),
            (_, Some(number)) => area(number, 1e4),
            (None, None) => {
                text.parse().map(Self::Pixels).map_err(|error: std::num::ParseIntError| format!("{}: {error}", usage()))
            }
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => pixels.fmt(f),
            Self::SquareMetres(area) => write!(f, "{area}m2"),
        }
    }
}

impl fmt::Display for SmallRegions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connectivity = if self.connectivity == Connectivity::Faces { 4 } else { 8 };
        write!(f, "{} (connectivity {connectivity})", self.below)
    }
}
