//! By what changed data is told.

use serde::{Deserialize, Serialize};
use swath_tiling::Size;

use super::census::Census;
use super::scene::{TrainingScene, TrainingScenes};
use super::statistics::BandStatistics;

/// What a training saw of its data: its next crops, and their scaling, follow from them only while that is the same. A change that alters neither
/// counts nor statistics goes unnoticed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    scenes: Vec<SceneFingerprint>,
    bands: Vec<BandFingerprint>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SceneFingerprint {
    name: String,
    width: usize,
    height: usize,
    /// Slices of a volume.
    #[serde(default = "one")]
    depth: usize,
    /// Pixels of each class that are learned from.
    training: Vec<u64>,
    /// Pixels of each class that are held back.
    held_back: Vec<u64>,
}

/// A band in the crops by which the scaling is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct BandFingerprint {
    name: String,
    mean: f64,
    deviation: f64,
}

fn one() -> usize {
    1
}

impl SceneFingerprint {
    fn size(&self) -> Size {
        Size { depth: self.depth, height: self.height, width: self.width }
    }
}

impl Fingerprint {
    pub(super) fn new(scenes: &TrainingScenes, censuses: &[Census], measured: &[BandStatistics]) -> Self {
        let scene = |(scene, census): (&TrainingScene, &Census)| {
            let Size { width, height, depth } = scene.profile().size;
            let (training, held_back) = (census.totals().to_vec(), census.held_back().to_vec());
            SceneFingerprint { name: scene.name.clone(), width, height, depth, training, held_back }
        };
        let band = |(name, band): (&String, &BandStatistics)| BandFingerprint {
            name: name.clone(),
            mean: band.mean,
            deviation: band.deviation,
        };
        Self {
            scenes: scenes.scenes.iter().zip(censuses).map(scene).collect(),
            bands: scenes.bands.iter().zip(measured).map(band).collect(),
        }
    }

    /// The first thing that is not as it was in `earlier`, in words.
    pub(super) fn change_since(&self, earlier: &Self) -> Option<String> {
        let names = |print: &Self| print.scenes.iter().map(|scene| scene.name.as_str()).collect::<Vec<_>>().join(", ");
        if names(self) != names(earlier) {
            return Some(format!("the scenes were {}, and are {}", names(earlier), names(self)));
        }
        for (now, then) in self.scenes.iter().zip(&earlier.scenes) {
            let name = &now.name;
            let (was, is) = (then.size(), now.size());
            if was != is {
                return Some(format!("the scene {name} was of {was} pixels, and is of {is}"));
            }
            if now != then {
                let counts = |scene: &SceneFingerprint| format!("{:?} and {:?}", scene.training, scene.held_back);
                let (was, is) = (counts(then), counts(now));
                return Some(format!("the labels of {name} were {was} pixels to learn from and to validate with, and are {is}"));
            }
        }
        let changed = self.bands.iter().zip(&earlier.bands).find(|(now, then)| now != then);
        let band = |band: &BandFingerprint| format!("{} with mean {} and deviation {}", band.name, band.mean, band.deviation);
        match changed {
            Some((now, then)) => Some(format!("band {} was {}, and is {}", now.name, band(then), band(now))),
            None => (self.bands.len() != earlier.bands.len()).then(|| "the number of bands".to_owned()),
        }
    }
}
