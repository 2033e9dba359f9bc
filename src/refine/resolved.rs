//! What is done, for one model and scene.

use serde_json::{Map, Value, json};
use swath_models::{CrfSettings, ModelCard, Scaling};
use swath_refine::{Appearance, Connectivity, CrfParameters, DenseCrf, LabelSteps, Regions, Smoothness};

use super::tile_crf::Colour;
use super::{Amount, CrfChoice, Refinement, SmallRegions, Thresholds, TileCrf};
use crate::source::RasterProfile;
use crate::{Error, Result};

/// Bands that are a CRF's colours where nobody says which: the first ones.
const COLOURS: usize = 3;

/// What is done after the network, for one model and scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Refine {
    /// What refines the probabilities of each tile.
    pub crf: Option<TileCrf>,
    /// Which labels count.
    pub thresholds: Option<Thresholds>,
    /// What is done with the finished labels.
    pub steps: LabelSteps,
    /// What a product says of it.
    pub parameters: Map<String, Value>,
}

impl Refine {
    /// Nothing is done; pixels without data have the label `nodata`.
    #[must_use]
    pub fn none(nodata: u8) -> Self {
        Self { crf: None, thresholds: None, steps: LabelSteps::none(nodata), parameters: Map::new() }
    }

    /// What a model's card asks for, whatever the scene.
    ///
    /// # Errors
    /// If its CRF has numbers that cannot be, or bands that the model has not.
    pub fn of_card(card: &ModelCard) -> Result<Self> {
        Self::new(&Refinement::default(), card, None)
    }

    /// What a refinement means for a model's labels; `profile` is the scene's, if there is one yet: without it, areas are not looked at.
    pub(crate) fn new(refinement: &Refinement, card: &ModelCard, profile: Option<&RasterProfile>) -> Result<Self> {
        let crf = match (&refinement.crf, &card.crf) {
            (CrfChoice::Off, _) | (CrfChoice::Card, None) => None,
            (CrfChoice::On(settings), _) | (CrfChoice::Card, Some(settings)) => Some(tile_crf(settings, card)?),
        };
        let regions = |name, regions: Option<SmallRegions>| -> Result<Option<Regions>> {
            let Some(SmallRegions { below, connectivity }) = regions else { return Ok(None) };
            let smallest = match (below, profile) {
                (Amount::Pixels(pixels), _) => pixels,
                (Amount::SquareMetres(_), None) => return Ok(None),
                (Amount::SquareMetres(area), Some(profile)) => {
                    let pixel = profile.georeference.pixel_area_m2();
                    let pixel = pixel.ok_or_else(|| Error::AreaUnknown { path: profile.path.clone(), option: name })?;
                    // What is a whole number of pixels but for rounding is that number.
                    (area / pixel * (1.0 - 1e-9)).ceil() as usize
                }
            };
            // A region of one pixel is the smallest there is, one of all pixels the largest.
            let smallest = profile.map_or(smallest, |profile| smallest.min(profile.size.area() + 1));
            Ok((smallest > 1).then_some(Regions { smallest, connectivity }))
        };
        let steps = LabelSteps {
            majority: refinement.majority,
            holes: regions("--fill-holes", refinement.holes)?,
            sieve: regions("--sieve", refinement.sieve)?,
            nodata: card.nodata,
        };
        let mut refine = Self { thresholds: thresholds(refinement, card)?, steps, crf, parameters: Map::new() };
        refine.parameters = refine.describe(refinement);
        Ok(refine)
    }

    /// What a product says of it: nothing where nothing is done, and everything that was left open.
    fn describe(&self, refinement: &Refinement) -> Map<String, Value> {
        let mut parameters = refinement.parameters();
        parameters.remove("crf");
        if let Some(TileCrf { crf, names, .. }) = &self.crf {
            let CrfParameters { iterations, smoothness, appearance } = crf.parameters();
            let mut said = json!({ "iterations": iterations });
            if let Some(Smoothness { weight, width }) = smoothness {
                said["smoothness"] = json!({ "weight": weight, "width": width });
            }
            if let Some(Appearance { weight, width, colour_width }) = appearance {
                said["appearance"] = json!({ "weight": weight, "width": width, "colour_width": colour_width, "bands": names });
            }
            parameters.insert("crf".into(), said);
        }
        for (name, regions) in [("fill_holes", self.steps.holes), ("sieve", self.steps.sieve)] {
            if let Some(Regions { smallest, connectivity }) = regions {
                let connectivity = if connectivity == Connectivity::Faces { 4 } else { 8 };
                parameters.insert(name.into(), json!({ "pixels": smallest, "connectivity": connectivity }));
            }
        }
        parameters
    }

    /// Whether scores are changed, or looked at once more, after they were stitched or before.
    pub(crate) fn changes_scores(&self) -> bool {
        self.crf.is_some() || self.thresholds.is_some()
    }

    /// How far from a pixel others matter to its probabilities, in pixels.
    pub(crate) fn halo(&self) -> usize {
        self.crf.as_ref().map_or(0, |crf| crf.crf.parameters().halo())
    }
}

/// The CRF that settings stand for, on a model's bands.
fn tile_crf(settings: &CrfSettings, card: &ModelCard) -> Result<TileCrf> {
    let default = CrfParameters::default();
    let kernel = |weight: Option<f32>, default: f32| Some(weight.unwrap_or(default)).filter(|weight| *weight != 0.0);
    let (s, a) = (default.smoothness.unwrap_or(Smoothness { weight: 0.0, width: 0.0 }), default.appearance);
    let a = a.unwrap_or(Appearance { weight: 0.0, width: 0.0, colour_width: 0.0 });
    let smoothness = kernel(settings.smoothness, s.weight)
        .map(|weight| Smoothness { weight, width: settings.smoothness_width.unwrap_or(s.width) });
    let appearance = kernel(settings.appearance, a.weight).map(|weight| Appearance {
        weight,
        width: settings.appearance_width.unwrap_or(a.width),
        colour_width: settings.colour_width.unwrap_or(a.colour_width),
    });
    let iterations = settings.iterations.unwrap_or(default.iterations);
    let wrong = |source| Error::Crf { model: card.name.clone(), source };
    let crf = DenseCrf::new(CrfParameters { iterations, smoothness, appearance }).map_err(wrong)?;
    let is_first = |(place, band): &(usize, &String)| !card.bands[..*place].contains(band);
    let distinct = card.bands.iter().enumerate().filter(is_first).map(|(_, band)| band.clone());
    let names = match &settings.bands {
        Some(names) => names.clone(),
        None => distinct.take(COLOURS).collect(),
    };
    if names.len() > DenseCrf::MOST_BANDS {
        return Err(Error::CrfBands { model: card.name.clone(), most: DenseCrf::MOST_BANDS, got: names.len() });
    }
    let colour = |name: &String| match card.bands.iter().position(|band| band == name) {
        Some(channel) => Ok(Colour { channel, unit: unit(card.scaling[channel]) }),
        None => Err(Error::CrfBand { model: card.name.clone(), bands: card.bands.join(", "), got: name.clone() }),
    };
    let bands = names.iter().map(colour).collect::<Result<_>>()?;
    Ok(TileCrf { crf, names, bands })
}

/// How much a stored value changes where the scaled one changes by 1.
fn unit(scaling: Scaling) -> f32 {
    let unit = match scaling {
        Scaling::MinMax { minimum, maximum } => maximum - minimum,
        Scaling::ZScore { stddev, .. } => stddev,
        Scaling::Scale { value } => value,
        Scaling::Clip { .. } | Scaling::ClipMin { .. } | Scaling::ClipMax { .. } | Scaling::Offset { .. } | Scaling::None => 1.0,
    };
    unit as f32
}

fn thresholds(refinement: &Refinement, card: &ModelCard) -> Result<Option<Thresholds>> {
    let place = |name: &String| {
        card.classes.iter().position(|class| class.name == *name).ok_or_else(|| Error::ThresholdClass {
            model: card.name.clone(),
            classes: card.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>().join(", "),
            got: name.clone(),
        })
    };
    let below = refinement.below.as_ref().map(place).transpose()?;
    if refinement.thresholds.is_empty() {
        return Ok(None);
    }
    let mut least = Box::new([0.0; 256]);
    // Those of all classes first, so that a class's own replaces them.
    for threshold in refinement.thresholds.iter().filter(|threshold| threshold.class.is_none()) {
        card.classes.iter().for_each(|class| least[usize::from(class.value)] = threshold.least);
    }
    for threshold in &refinement.thresholds {
        if let Some(name) = &threshold.class {
            least[usize::from(card.classes[place(name)?].value)] = threshold.least;
        }
    }
    Ok(Some(Thresholds { least, below }))
}
