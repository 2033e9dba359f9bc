//! What pixels are learned from.

use gdal::raster::GdalDataType;
use swath_models::{Axes, Extent, Orientation};
use swath_tiling::Size;

use super::TrainError;
use super::paths::SceneFiles;
use super::recipe::Recipe;
use crate::Result;
use crate::source::{BandRequest, RasterSource, Reduced, Scene};
use crate::volume::{Volume, VolumeChoice, VolumeFiles, is_local_volume};

/// How much farther pixels may be apart along one axis than along another if they are to be square.
const SQUARE: f64 = 1.05;

/// A scene or a volume, as the network sees it.
#[derive(Debug)]
pub(super) enum TrainingImage {
    /// At the network's resolution.
    Scene(Box<Reduced>),
    /// On the network's grid.
    Volume(Box<Volume>),
}

/// Looks at a volume; an error if the file is a scene.
pub(super) fn open_volume(recipe: &Recipe, files: &SceneFiles) -> Result<Option<Volume>> {
    match (&recipe.settings.volume, is_local_volume(&files.image)) {
        (Some(input), true) => Volume::open(VolumeFiles::local(&files.image), &VolumeChoice::default(), input).map(Some),
        (None, false) => Ok(None),
        (Some(_), false) => Err(TrainError::SceneAmongVolumes { path: files.image.clone() }.into()),
        (None, true) => Err(TrainError::VolumeAmongScenes { path: files.image.clone() }.into()),
    }
}

/// What a recipe's names of bands ask a scene for.
pub(super) fn band_requests(bands: &[String]) -> Vec<BandRequest> {
    bands.iter().map(|name| name.parse().unwrap_or_else(|never| match never {})).collect()
}

impl TrainingImage {
    /// A scene, reduced as the recipe says.
    pub(super) fn scene(recipe: &Recipe, scene: Scene) -> Result<Self> {
        let factor = match (recipe.settings.resolution, scene.profile().georeference.pixel_side()) {
            (None, _) => 1,
            (Some(resolution), Some(side)) => (resolution / side).round().max(1.0) as usize,
            (Some(_), None) => {
                let got = format!("{}, which has no transform", scene.profile().path.display());
                return Err(recipe.source.value("resolution", "scenes with a transform", got).into());
            }
        };
        Ok(Self::Scene(Box::new(Reduced::new(scene, factor)?)))
    }

    /// What its windows are read from.
    pub(super) fn source(&self) -> &dyn RasterSource {
        match self {
            Self::Scene(scene) => scene.as_ref(),
            Self::Volume(volume) => volume.as_ref(),
        }
    }

    /// Stored pixels a side that become one.
    pub(super) fn factor(&self) -> usize {
        match self {
            Self::Scene(scene) => scene.factor(),
            Self::Volume(_) => 1,
        }
    }

    /// How many pixels are stored.
    pub(super) fn stored_size(&self) -> Size {
        match self {
            Self::Scene(scene) => scene.scene().profile().size,
            Self::Volume(volume) => volume.size(),
        }
    }

    /// Bytes of it and its labels once GDAL has decoded them.
    pub(super) fn decoded_bytes(&self) -> usize {
        match self {
            Self::Scene(scene) => {
                let stored = scene.scene().profile();
                stored.size.area() * (1 + stored.bands.iter().map(|band| band.bytes).sum::<usize>())
            }
            Self::Volume(_) => 0,
        }
    }

    /// The types of the values of each of so many bands.
    pub(super) fn data_types(&self, bands: usize) -> Vec<GdalDataType> {
        match self {
            Self::Scene(scene) => {
                let stored = scene.scene();
                stored.bands().numbers().iter().map(|number| stored.profile().bands[number - 1].data_type).collect()
            }
            Self::Volume(_) => vec![GdalDataType::Float32; bands],
        }
    }

    /// How the network's axes lie in it.
    pub(super) fn orientation(&self) -> Orientation {
        match self {
            Self::Scene(_) => Orientation::SAME,
            Self::Volume(volume) => volume.orientation(),
        }
    }

    /// How crops of an extent, along the network's axes, may be laid on themselves.
    pub(super) fn symmetries(&self, crop: Extent) -> Symmetries {
        let Self::Volume(volume) = self else { return Symmetries::Plane };
        let [x, y, z] = volume.stored_profile().affine.spacing();
        let lines = volume.lines();
        let spacing = Axes { z, y, x }.zip(lines).map(|(spacing, line)| spacing * line.from as f64 / line.to as f64);
        let (spacing, crop) = (volume.orientation().to_network(spacing).into_array(), crop.into_array());
        let is_square = |[a, b]: &[usize; 2]| {
            let ratio = spacing[*a] / spacing[*b];
            crop[*a] == crop[*b] && crop[*a] > 1 && (1.0 / SQUARE..=SQUARE).contains(&ratio)
        };
        Symmetries::Volume { planes: [[0, 1], [0, 2], [1, 2]].into_iter().filter(is_square).collect() }
    }
}

/// How crops may be laid on themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Symmetries {
    /// As squares.
    Plane,
    /// Mirrored along every axis, and turned in these planes: pairs of axes, 0 for depth.
    Volume { planes: Vec<[usize; 2]> },
}
