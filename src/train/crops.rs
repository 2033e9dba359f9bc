//! Crops, ready for the network, ahead of need.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use swath_models::train::{Batch, Targets};
use swath_models::{Extent, Scaling, Shape};

use super::augment::{BandRange, Resampled, Variation, draw_ground, resample};
use super::recipe::Settings;
use super::sampler::{Place, Sampler};
use super::scene::{Readers, TrainingScene};
use crate::Result;
use crate::random::{Random, hash};
use crate::source::Patch;

/// Batches that each reading thread has ready.
pub(super) const AHEAD: usize = 2;

/// Which random numbers a crop is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Those of the training.
    Training,
    /// Those by which the scaling is found.
    Statistics,
}

/// A crop as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crop {
    pub(super) place: Place,
    pub(super) patch: Patch,
    /// Classes, `(depth, height, width)`.
    pub(super) labels: Vec<u8>,
    pub(super) variation: Variation,
}

/// Several crops for the network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prepared {
    pub(super) input: Batch,
    pub(super) targets: Targets,
    /// Where each is from.
    pub(super) places: Vec<Place>,
}

/// Makes crops: which is the k-th follows from the seed and k alone.
#[derive(Debug)]
pub(super) struct CropMaker<'s> {
    pub(super) scenes: &'s [TrainingScene],
    pub(super) sampler: Sampler<'s>,
    pub(super) settings: &'s Settings,
    /// What the network sees of a crop.
    pub(super) extent: Extent,
}

/// How the network wants its input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Preparation {
    /// One per band.
    pub(super) scaling: Vec<Scaling>,
    /// For each scene, one per band.
    pub(super) ranges: Vec<Vec<BandRange>>,
}

impl CropMaker<'_> {
    /// The crop with this number.
    pub(super) fn crop(&self, stream: Stream, number: u64, readers: &mut Readers<'_>) -> Result<Crop> {
        let augment = &self.settings.augment;
        let mut random = Random::new(hash(self.settings.seed, stream as i64, number as i64));
        let ground = draw_ground(augment, self.extent, &mut random);
        let place = self.sampler.place(ground, &mut random, readers)?;
        let reader = readers.of(place.scene)?;
        let (patch, labels) = (reader.pixels(place.window)?, reader.labels(place.window)?);
        let Resampled { patch, labels } = if ground == self.extent {
            Resampled { patch, labels }
        } else {
            // Only planes are resampled.
            resample(&patch, &labels, self.extent.x)
        };
        let symmetries = self.scenes[place.scene].image.symmetries(self.extent);
        Ok(Crop { place, patch, labels, variation: Variation::draw(augment, &symmetries, &mut random) })
    }

    /// The batch with this number.
    pub(super) fn batch(&self, preparation: &Preparation, number: u64, readers: &mut Readers<'_>) -> Result<Prepared> {
        let (extent, samples, bands) = (self.extent, self.settings.batch.get(), preparation.scaling.len());
        let area = extent.product();
        let (mut values, mut classes) = (vec![0f32; samples * area * bands], Vec::with_capacity(samples * area));
        let mut places = Vec::with_capacity(samples);
        for (sample, values) in (0..samples as u64).zip(values.chunks_exact_mut(area * bands)) {
            let Crop { place, mut patch, labels, variation } =
                self.crop(Stream::Training, number * samples as u64 + sample, readers)?;
            variation.shade(&mut patch, &preparation.ranges[place.scene]);
            let sources = variation.sources(self.scenes[place.scene].image.orientation(), extent);
            for (band, (plane, scaling)) in patch.pixels.chunks_exact_mut(area).zip(&preparation.scaling).enumerate() {
                scaling.apply(plane);
                for (at, &from) in sources.iter().enumerate() {
                    // As when scenes are labelled, the network sees zeros where there is no data.
                    values[at * bands + band] = if patch.valid[from] { plane[from] } else { 0.0 };
                }
            }
            let class = |from: usize| if patch.valid[from] { labels[from] } else { Targets::IGNORE };
            classes.extend(sources.into_iter().map(class));
            places.push(place);
        }
        let shape = Shape { channels: bands, extent };
        let targets = Targets::new(samples, extent, classes)?;
        Ok(Prepared { input: Batch::new(samples, shape, values)?, targets, places })
    }
}

/// Batches in order, made ahead by threads of their own.
pub(super) struct Crops {
    readers: Vec<Receiver<Result<Prepared>>>,
    next: usize,
}

impl Crops {
    /// Starts the threads. Thread k makes batches k, k + threads, ... into a channel of its own: taking from the channels in turn gives their order.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        maker: &'scope CropMaker<'scope>,
        preparation: &'scope Preparation,
        batches: Range<u64>,
        threads: usize,
    ) -> Self {
        let start = |first: usize| {
            let (send, receive) = sync_channel(AHEAD);
            let own = batches.clone().skip(first).step_by(threads);
            scope.spawn(move || {
                let readers = Readers::new(maker.scenes, threads);
                make(maker, preparation, own, readers, &send);
            });
            receive
        };
        Self { readers: (0..threads).map(start).collect(), next: 0 }
    }
}

impl Iterator for Crops {
    type Item = Result<Prepared>;

    /// The next batch; `None` after the last or an error, or where a thread panicked, which its scope passes on.
    fn next(&mut self) -> Option<Self::Item> {
        let reader = &self.readers[self.next % self.readers.len()];
        self.next += 1;
        reader.recv().ok()
    }
}

fn make(
    maker: &CropMaker<'_>,
    preparation: &Preparation,
    batches: impl Iterator<Item = u64>,
    mut readers: Readers<'_>,
    send: &SyncSender<Result<Prepared>>,
) {
    for number in batches {
        let batch = maker.batch(preparation, number, &mut readers);
        let failed = batch.is_err();
        if send.send(batch).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use gdal::raster::GdalDataType;
    use swath_models::Orientation;

    use super::super::augment::symmetry;
    use super::super::testing::nifti::Nifti;
    use super::super::testing::{Workplace, with_crops};
    use super::*;

    fn preparation() -> Preparation {
        Preparation { scaling: vec![Scaling::None], ranges: vec![vec![BandRange::new(GdalDataType::Float32, 1.0)]] }
    }

    /// A scene whose labels follow from its pixels: whether the value is odd.
    fn workplace() -> Workplace {
        let workplace = Workplace::new();
        let value = |x: usize, y: usize| (7 * x + 13 * y + x * y / 5) % 101;
        workplace.raster("scene.tif", [90, 70], |x, y| value(x, y) as f32);
        workplace.raster("labels.tif", [90, 70], |x, y| (value(x, y) % 2) as u8);
        workplace
    }

    #[test]
    fn labels_stay_on_their_pixels() {
        let recipe = workplace().recipe_of("crop = 32\nsamples = 64", "");
        with_crops(&recipe.1, 32, |maker| {
            let mut readers = Readers::new(maker.scenes, 1);
            let mut symmetries = std::collections::BTreeSet::new();
            for number in 0..32 {
                let Prepared { input, targets, .. } = maker.batch(&preparation(), number, &mut readers).unwrap();
                let odd: Vec<u8> = input.values().iter().map(|value| (value % 2.0) as u8).collect();
                assert_eq!(odd, targets.classes());
                let variation = maker.crop(Stream::Training, number, &mut readers).unwrap().variation;
                symmetries.insert(variation.sources(Orientation::SAME, Extent::plane(2)));
            }
            assert_eq!(symmetries.len(), 8);
        });
    }

    #[test]
    fn turns_and_mirrors_are_those_of_numpy() {
        // a = [[0, 1], [2, 3]]: a.ravel(), np.rot90(a, k).ravel(), and of np.rot90(a)[:, ::-1].
        let shown = |turns, mirrored| {
            let symmetry = symmetry([1, 2], turns, [false, false, mirrored]);
            Variation { symmetry, contrast: 1.0, brightness: 0.0 }.sources(Orientation::SAME, Extent::plane(2))
        };
        assert_eq!([0, 1, 2, 3].map(|turns| shown(turns, false)), [[0, 1, 2, 3], [1, 3, 0, 2], [3, 2, 1, 0], [2, 0, 3, 1]]);
        assert_eq!(shown(1, true), [3, 1, 2, 0]);
    }

    #[test]
    fn contrast_and_brightness_stay_within_the_type() {
        let range = BandRange::new(GdalDataType::UInt8, 1.0);
        let variation = Variation { symmetry: Orientation::SAME, contrast: 2.0, brightness: 0.1 };
        let window = swath_tiling::Window::plane(0, 0, 4, 1);
        let mut patch =
            Patch { window, pixels: vec![0.0, 100.0, 200.0, 7.0], valid: vec![true, true, true, false], wanted: None };
        variation.shade(&mut patch, &[range]);
        assert_eq!(patch.pixels, [0.0, 125.5, 255.0, 7.0]);
    }

    #[test]
    fn crops_of_other_scales_are_resampled() {
        let recipe =
            workplace().recipe_of("crop = 32\nsamples = 64", "augment = { scale = [0.5, 2.0], flip = false, rotate = false }");
        with_crops(&recipe.1, 64, |maker| {
            let mut readers = Readers::new(maker.scenes, 1);
            let crops: Vec<Crop> = (0..40).map(|number| maker.crop(Stream::Training, number, &mut readers).unwrap()).collect();
            assert!(crops.iter().all(|crop| crop.patch.valid.len() == 32 * 32 && crop.labels.len() == 32 * 32));
            let sides = || crops.iter().map(|crop| crop.place.window.width);
            assert!(sides().min().unwrap() < 20 && sides().max().unwrap() > 50 && sides().all(|side| (16..=64).contains(&side)));
        });
    }

    #[test]
    fn a_crop_follows_from_its_number_alone() {
        let recipe =
            workplace().recipe_of("crop = 32\nsamples = 64\nbalance = 0.5", "augment = { contrast = 0.2, brightness = 0.1 }");
        with_crops(&recipe.1, 32, |maker| {
            let preparation = preparation();
            let taken = |first: u64, threads: usize| -> Vec<Prepared> {
                thread::scope(|scope| Crops::start(scope, maker, &preparation, first..9, threads).map(Result::unwrap).collect())
            };
            let all = taken(0, 1);
            assert_eq!(all.len(), 9);
            assert_eq!(all, taken(0, 4));
            assert_eq!(all[5..], taken(5, 2));
            assert!((1..9).all(|at| all[at] != all[0]));
        });
    }

    /// The place of a voxel along x, y and z of its file, as its value tells it.
    fn place(value: f32) -> [usize; 3] {
        let value = value as usize;
        [value / 100 % 100, value % 100, value / 10_000]
    }

    /// A volume whose x goes towards the back, y towards the left and z towards the head.
    fn volume_workplace() -> Workplace {
        let workplace = Workplace::new();
        let volume = |value: &dyn Fn(usize, usize, usize) -> f32| Nifti {
            sides: [1, 0, 2],
            spacing: [-1.0, -1.0, 1.0],
            ..Nifti::new([13, 12, 70], value)
        };
        volume(&|x, y, z| (10_000 * z + 100 * x + y) as f32).write(&workplace.path("case.nii"));
        volume(&|x, y, z| ((x + y + z) % 2) as f32).write(&workplace.path("labels.nii"));
        workplace
    }

    fn volume_recipe(workplace: &Workplace, axes: &str, sampling: &str, more: &str) -> super::super::Recipe {
        let more = format!("volume.axes = \"{axes}\"\n{more}");
        let model = "network = \"unet_3d\"\nwidths = [2, 3]";
        workplace.recipe_for(model, &[["case.nii", "labels.nii"]], sampling, &more)
    }

    #[test]
    fn crops_of_volumes_have_the_networks_axes() {
        let workplace = volume_workplace();
        // The file's axes along depth, height and width, and which way they go.
        for (axes, order, signs) in [
            ("SPL", [2, 0, 1], [1, 1, 1]),
            ("IAR", [2, 0, 1], [-1, -1, -1]),
            ("LSA", [1, 2, 0], [1, 1, -1]),
            ("ijk", [0, 1, 2], [1, 1, 1]),
        ] {
            let sampling = "crop = [6, 4, 2]\nsamples = 4\nbalance = 0.5";
            let recipe = volume_recipe(&workplace, axes, sampling, "augment = { flip = false, rotate = false }");
            with_crops(&recipe, 0, |maker| {
                let mut readers = Readers::new(maker.scenes, 1);
                let Prepared { input, targets, .. } = maker.batch(&preparation(), 0, &mut readers).unwrap();
                assert_eq!(input.shape().extent, Extent { z: 6, y: 4, x: 2 });
                for (sample, values) in input.values().chunks_exact(48).enumerate() {
                    let first = place(values[0]);
                    for (at, value) in values.iter().enumerate() {
                        let mut expected = first;
                        for (axis, step) in [at / 8, at / 2 % 4, at % 2].into_iter().enumerate() {
                            let step = step as isize * signs[axis];
                            expected[order[axis]] = expected[order[axis]].checked_add_signed(step).unwrap();
                        }
                        let found = place(*value);
                        assert_eq!(found, expected, "{axes}");
                        assert_eq!(usize::from(targets.classes()[sample * 48 + at]), found.iter().sum::<usize>() % 2);
                    }
                }
            });
        }
    }

    #[test]
    fn labels_stay_on_the_voxels_of_volumes_and_crops_lie_everywhere() {
        let workplace = volume_workplace();
        let recipe = volume_recipe(&workplace, "SPL", "crop = 5\nsamples = 4\nbalance = 0.5", "");
        with_crops(&recipe, 0, |maker| {
            let mut readers = Readers::new(maker.scenes, 1);
            let (mut symmetries, mut seen) = (std::collections::BTreeSet::new(), [(usize::MAX, 0); 3]);
            for number in 0..300 {
                let Prepared { input, targets, .. } = maker.batch(&preparation(), number, &mut readers).unwrap();
                for (value, class) in input.values().iter().zip(targets.classes()) {
                    let place = place(*value);
                    assert_eq!(usize::from(*class), place.iter().sum::<usize>() % 2);
                    for (seen, at) in seen.iter_mut().zip(place) {
                        *seen = (seen.0.min(at), seen.1.max(at));
                    }
                }
                let steps = [25, 5, 1].map(|at| input.values()[at] as i64 - input.values()[0] as i64);
                symmetries.insert(steps);
            }
            // The voxels are cubes: axes are exchanged and go either way. The first and the last of them are seen.
            assert_eq!(symmetries.len(), 32);
            assert_eq!(seen, [(0, 12), (0, 11), (0, 69)]);
        });
    }

    /// Of what is resampled, a voxel has the label of the nearest stored one, and every class is as likely as in the census.
    #[test]
    fn crops_of_resampled_volumes_keep_their_labels() {
        let workplace = volume_workplace();
        let half = |z: usize| f32::from(z >= 30);
        Nifti { sides: [1, 0, 2], spacing: [-1.0, -1.0, 1.0], ..Nifti::new([13, 12, 70], |_, _, z| half(z)) }
            .write(&workplace.path("labels.nii"));
        let recipe = volume_recipe(&workplace, "SPL", "crop = 6\nsamples = 4\nbalance = 1.0", "volume.spacing = [2.0, 1.0, 0.5]");
        with_crops(&recipe, 0, |maker| {
            assert_eq!(maker.scenes[0].profile().size, swath_tiling::Size { depth: 35, height: 24, width: 13 });
            let mut readers = Readers::new(maker.scenes, 1);
            let mut counts = [0; 2];
            for number in 0..50 {
                let Prepared { input, targets, .. } = maker.batch(&preparation(), number, &mut readers).unwrap();
                for (value, class) in input.values().iter().zip(targets.classes()) {
                    // Between slices 2 k and 2 k + 1.
                    assert_eq!(*class, u8::from(*value >= 300_000.0), "{value}");
                    counts[usize::from(*class)] += 1;
                }
            }
            assert!(counts.iter().all(|count| *count > 4000), "{counts:?}");
        });
    }

    impl Workplace {
        /// A recipe for `scene.tif`, and the folder that it is in.
        fn recipe_of(self, sampling: &str, more: &str) -> (Self, super::super::Recipe) {
            let recipe = self.recipe(&[["scene.tif", "labels.tif"]], sampling, more);
            (self, recipe)
        }
    }
}
