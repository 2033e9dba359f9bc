//! Which crops are taken.

use std::collections::BTreeSet;

use swath_models::Extent;
use swath_tiling::{Size, Window};

use super::TrainError;
use super::census::Census;
use super::crop_settings::SceneWeight;
use super::recipe::{Role, Settings};
use super::scene::{Readers, TrainingScene};
use crate::Result;
use crate::random::Random;

/// How often a place is tried before the first free one is taken.
const TRIES: usize = 1000;

/// Places crops: some on a pixel of a class, the others anywhere; none on what is held back.
#[derive(Debug)]
pub(super) struct Sampler<'s> {
    scenes: &'s [TrainingScene],
    censuses: &'s [Census],
    /// How likely each scene is; 0 for those that are held back as a whole.
    weights: Vec<f64>,
    balance: f64,
    /// The classes that crops are placed on; each is there.
    classes: Vec<u8>,
    /// A free place in each scene for the largest crops.
    rooms: Vec<Option<Window>>,
}

/// Where a crop is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The scene's place among all.
    pub(super) scene: usize,
    /// At the network's resolution.
    pub(super) window: Window,
}

impl<'s> Sampler<'s> {
    /// A sampler of crops of at most this extent, along the network's axes.
    pub(super) fn new(scenes: &'s [TrainingScene], censuses: &'s [Census], settings: &Settings, largest: Extent) -> Result<Self> {
        let weight = |(scene, census): (&TrainingScene, &Census)| match (scene.role, settings.sampling.scenes) {
            (Role::Validation, _) => 0.0,
            (_, SceneWeight::RootArea) => (census.area() as f64).sqrt(),
            (_, SceneWeight::Area) => census.area() as f64,
            (_, SceneWeight::Equal) => 1.0,
        };
        let weights: Vec<f64> = scenes.iter().zip(censuses).map(weight).collect();
        let is_there = |class: &u8| censuses.iter().any(|census| census.totals()[usize::from(*class)] > 0);
        let all = settings.classes.iter().zip(0u8..);
        let wanted = |name: &String| settings.sampling.classes.as_ref().is_none_or(|names| names.contains(name));
        let classes: Vec<u8> = all.filter(|(class, _)| wanted(&class.name)).map(|(_, place)| place).filter(is_there).collect();
        if censuses.iter().flat_map(Census::totals).all(|total| *total == 0) {
            return Err(TrainError::NoLabels.into());
        }
        let room = |scene: &TrainingScene| match scene.role {
            Role::Train | Role::Both => room(scene, scene.crop_size(largest)).map(Some),
            Role::Validation => Ok(None),
        };
        let rooms = scenes.iter().map(room).collect::<Result<_>>()?;
        Ok(Self { scenes, censuses, weights, balance: settings.sampling.balance, classes, rooms })
    }

    /// A place for a crop of an extent along the network's axes.
    pub(super) fn place(&self, extent: Extent, random: &mut Random, readers: &mut Readers<'_>) -> Result<Place> {
        if random.chance(self.balance) && !self.classes.is_empty() {
            let class = self.classes[random.below(self.classes.len())];
            let has = |at: usize| self.censuses[at].totals()[usize::from(class)] > 0;
            let scene = self.scene(random, has);
            return self.around(scene, class, extent, random, readers);
        }
        let scene = self.scene(random, |_| true);
        let (size, crop) = (self.scenes[scene].profile().size, self.scenes[scene].crop_size(extent));
        let windows = (0..TRIES).map(|_| {
            // Scenes have one slice, for which no number is drawn.
            let z = if size.depth > 1 { random.below(size.depth - crop.depth + 1) } else { 0 };
            let y = random.below(size.height - crop.height + 1);
            window(crop, [z, y, random.below(size.width - crop.width + 1)])
        });
        Ok(self.first_free(scene, crop, windows))
    }

    /// A random scene of those that will do.
    fn scene(&self, random: &mut Random, will_do: impl Fn(usize) -> bool) -> usize {
        let weight = |at: usize| if will_do(at) { self.weights[at] } else { 0.0 };
        let total: f64 = (0..self.weights.len()).map(weight).sum();
        let mut left = random.between(0.0, total);
        let mut last = 0;
        for at in (0..self.weights.len()).filter(|at| weight(*at) > 0.0) {
            last = at;
            left -= weight(at);
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// A place that has a random pixel of a class anywhere in it; near the scene's edge it is moved inside.
    fn around(&self, scene: usize, class: u8, extent: Extent, random: &mut Random, readers: &mut Readers<'_>) -> Result<Place> {
        let own = &self.scenes[scene];
        let (size, crop) = (own.profile().size, own.crop_size(extent));
        for _ in 0..TRIES {
            let pixel = self.censuses[scene].pick(class, random, own, readers.of(scene)?)?;
            let x = pixel.x.saturating_sub(random.below(crop.width)).min(size.width - crop.width);
            let y = pixel.y.saturating_sub(random.below(crop.height)).min(size.height - crop.height);
            let z =
                if size.depth > 1 { pixel.z.saturating_sub(random.below(crop.depth)).min(size.depth - crop.depth) } else { 0 };
            let window = window(crop, [z, y, x]);
            if own.is_free(window) {
                return Ok(Place { scene, window });
            }
        }
        Ok(self.first_free(scene, crop, std::iter::empty()))
    }

    /// The first window that is not held back, or the scene's free place.
    fn first_free(&self, scene: usize, crop: Size, mut windows: impl Iterator<Item = Window>) -> Place {
        let free = windows.find(|window| self.scenes[scene].is_free(*window));
        let room = self.rooms[scene].unwrap_or_else(|| self.scenes[scene].all());
        Place { scene, window: free.unwrap_or(window(crop, [room.z, room.y, room.x])) }
    }
}

/// A crop whose first slice, row and column are these.
fn window(Size { depth, height, width }: Size, [z, y, x]: [usize; 3]) -> Window {
    Window { z, y, x, depth, height, width }
}

/// A free place for a crop: if there is any, there is one that touches what is held back, or the edge, above it and to its left.
/// Volumes are held back as a whole, or not at all.
fn room(scene: &TrainingScene, crop: Size) -> Result<Window> {
    let profile = scene.profile();
    let (size, path) = (profile.size, || profile.path.clone());
    if size.width < crop.width || size.height < crop.height || size.depth < crop.depth {
        return Err(TrainError::SceneTooSmall { path: path(), size, crop }.into());
    }
    let rows: BTreeSet<usize> = std::iter::once(0).chain(scene.held_back.iter().map(|held| held.y + held.height)).collect();
    for y in rows.into_iter().filter(|y| y + crop.height <= size.height) {
        let mut x = 0;
        while x + crop.width <= size.width {
            let window = window(crop, [0, y, x]);
            // Whatever is in the way is so until the window lies beside it.
            let Some(right) = scene.held(window).map(|held| held.x + held.width).max() else { return Ok(window) };
            x = right;
        }
    }
    Err(TrainError::NoRoom { path: path(), crop }.into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Workplace, with_crops};
    use super::*;
    use crate::random::Random;

    const CROP: usize = 16;

    #[test]
    fn crops_lie_where_the_recipe_wants_them_and_never_on_what_is_held_back() {
        let workplace = Workplace::new();
        // Few pixels of class one, some of them held back and some of them near that; the other scene has none.
        let is_one = |x: usize, y: usize| u8::from((40..44).contains(&x) && y.is_multiple_of(20));
        workplace.raster("large.tif", [200, 160], |x, y| (x + y) as u8);
        workplace.raster("large_labels.tif", [200, 160], is_one);
        workplace.raster("small.tif", [50, 40], |x, y| (x * y) as u8);
        workplace.raster("small_labels.tif", [50, 40], |_, _| 0u8);
        let sampling = format!("crop = {CROP}\nsamples = 8\nbalance = 0.5\nclasses = [\"one\"]");
        let windows = "validation.windows = [{ scene = \"large\", x = 42, y = 30, width = 100, height = 130 }]";
        let recipe =
            workplace.recipe(&[["large.tif", "large_labels.tif"], ["small.tif", "small_labels.tif"]], &sampling, windows);
        with_crops(&recipe, CROP, |maker| {
            let mut readers = Readers::new(maker.scenes, 1);
            let mut random = Random::new(7);
            let (mut with_one, mut small) = (0, 0);
            let count = 2000;
            for _ in 0..count {
                let place = maker.sampler.place(Extent::plane(CROP), &mut random, &mut readers).unwrap();
                let scene = &maker.scenes[place.scene];
                assert!(scene.all().contains(place.window) && scene.is_free(place.window), "{place:?}");
                small += place.scene;
                with_one += usize::from(readers.of(place.scene).unwrap().labels(place.window).unwrap().contains(&1));
            }
            // All of the balanced half have the class, and some of the others, of which the small scene gets its share by the root of its area.
            let uniform = f64::from(count) / 2.0;
            let [large_area, small_area] = [200.0 * 160.0 - 100.0 * 130.0, 50.0 * 40.0];
            let share = f64::sqrt(small_area) / (f64::sqrt(large_area) + f64::sqrt(small_area));
            assert!((small as f64 - uniform * share).abs() < 4.0 * (uniform * share).sqrt(), "{small} of {uniform} x {share}");
            assert!(with_one as f64 > 0.97 * uniform && (with_one as f64) < 1.5 * uniform, "{with_one}");
        });
    }

    #[test]
    fn every_pixel_of_a_class_is_as_likely() {
        let workplace = Workplace::new();
        // In blocks of the census of their own, with 1 and 3 pixels.
        let is_one = |x: usize, y: usize| u8::from((x, y) == (5, 5) || ((100..103).contains(&x) && y == 70));
        workplace.raster("scene.tif", [130, 90], |x, _| x as u8);
        workplace.raster("labels.tif", [130, 90], is_one);
        let recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], "crop = 32\nsamples = 2", "");
        with_crops(&recipe, 32, |maker| {
            let (scene, mut random) = (&maker.scenes[0], Random::new(1));
            let mut reader = scene.reader().unwrap();
            let mut counts = std::collections::BTreeMap::new();
            for _ in 0..800 {
                let pixel = maker.sampler.censuses[0].pick(1, &mut random, scene, &mut reader).unwrap();
                *counts.entry([pixel.x, pixel.y]).or_insert(0) += 1;
            }
            assert_eq!(counts.keys().collect::<Vec<_>>(), [&[5, 5], &[100, 70], &[101, 70], &[102, 70]]);
            assert!(counts.values().all(|count| (140..260).contains(count)), "{counts:?}");
        });
    }

    #[test]
    fn a_scene_without_room_is_an_error() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [60, 40], |x, _| x as u8);
        workplace.raster("labels.tif", [60, 40], |x, _| (x % 2) as u8);
        let windows = "validation.windows = [{ scene = \"scene\", x = 20, y = 0, width = 25, height = 40 }]";
        let recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], "crop = 32\nsamples = 2", windows);
        let scenes = super::super::scene::TrainingScenes::open(&recipe, workplace.folder.path()).unwrap().scenes;
        assert_eq!(room(&scenes[0], Size::plane(20, 20)).unwrap(), Window::plane(0, 0, 20, 20));
        let error = room(&scenes[0], Size::plane(32, 32)).unwrap_err().to_string();
        assert!(error.starts_with("no crop of 32 x 32 pixels fits beside the validation windows of "), "{error}");
        let error = room(&scenes[0], Size::plane(41, 41)).unwrap_err().to_string();
        assert!(error.contains("at least 41 x 41") && error.contains("got 60 x 40"), "{error}");
    }

    #[test]
    fn many_small_blocks_may_be_held_back() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [804, 800], |x, _| x as u8);
        workplace.raster("labels.tif", [804, 800], |x, y| ((x / 9 + y / 7) % 2) as u8);
        let blocks = "validation.blocks = { size = 4, share = 0.3 }";
        let recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], "crop = 8\nsamples = 2\nbalance = 0.5", blocks);
        with_crops(&recipe, 8, |maker| {
            let (scene, mut readers, mut random) = (&maker.scenes[0], Readers::new(maker.scenes, 1), Random::new(5));
            assert_eq!(scene.held_back.len(), 12_060);
            let held = |window: Window| scene.held_back.iter().any(|held| held.intersection(window).area() > 0);
            for _ in 0..200 {
                let window = maker.sampler.place(Extent::plane(8), &mut random, &mut readers).unwrap().window;
                assert!(!held(window), "{window}");
            }
            // Hardly any place is free for crops of 3 x 3 blocks, and none for much larger ones.
            assert!(room(scene, Size::plane(12, 12)).is_ok_and(|window| !held(window)));
            let error = room(scene, Size::plane(64, 64)).unwrap_err().to_string();
            assert!(error.starts_with("no crop of 64 x 64 pixels fits"), "{error}");
        });
    }
}
