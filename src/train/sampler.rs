//! Which crops are taken.

use swath_tiling::Window;

use super::TrainError;
use super::census::Census;
use super::recipe::{Role, SceneWeight, Settings};
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
    /// At the network's resolution; a square.
    pub(super) window: Window,
}

impl<'s> Sampler<'s> {
    /// A sampler of crops of at most `largest` pixels a side.
    pub(super) fn new(scenes: &'s [TrainingScene], censuses: &'s [Census], settings: &Settings, largest: usize) -> Result<Self> {
        let weight = |(scene, census): (&TrainingScene, &Census)| match (scene.role, settings.sampling.scenes) {
            (Role::Validation, _) => 0.0,
            (Role::Train, SceneWeight::RootArea) => (census.area() as f64).sqrt(),
            (Role::Train, SceneWeight::Area) => census.area() as f64,
            (Role::Train, SceneWeight::Equal) => 1.0,
        };
        let weights: Vec<f64> = scenes.iter().zip(censuses).map(weight).collect();
        let is_there = |class: &u8| censuses.iter().any(|census| census.totals()[usize::from(*class)] > 0);
        let all = settings.classes.iter().zip(0u8..);
        let wanted = |name: &String| settings.sampling.classes.as_ref().is_none_or(|names| names.contains(name));
        let classes: Vec<u8> = all.filter(|(class, _)| wanted(&class.name)).map(|(_, place)| place).filter(is_there).collect();
        if censuses.iter().flat_map(Census::totals).all(|total| *total == 0) {
            return Err(TrainError::NoLabels.into());
        }
        let room = |scene: &TrainingScene| if scene.role == Role::Train { room(scene, largest).map(Some) } else { Ok(None) };
        let rooms = scenes.iter().map(room).collect::<Result<_>>()?;
        Ok(Self { scenes, censuses, weights, balance: settings.sampling.balance, classes, rooms })
    }

    /// A place for a crop of `side` pixels.
    pub(super) fn place(&self, side: usize, random: &mut Random, readers: &mut Readers<'_>) -> Result<Place> {
        if random.chance(self.balance) && !self.classes.is_empty() {
            let class = self.classes[random.below(self.classes.len())];
            let has = |at: usize| self.censuses[at].totals()[usize::from(class)] > 0;
            let scene = self.scene(random, has);
            return self.around(scene, class, side, random, readers);
        }
        let scene = self.scene(random, |_| true);
        let size = self.scenes[scene].profile().size;
        let windows = (0..TRIES).map(|_| {
            let y = random.below(size.height - side + 1);
            Window::plane(random.below(size.width - side + 1), y, side, side)
        });
        Ok(self.first_free(scene, side, windows))
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
    fn around(&self, scene: usize, class: u8, side: usize, random: &mut Random, readers: &mut Readers<'_>) -> Result<Place> {
        let own = &self.scenes[scene];
        let size = own.profile().size;
        for _ in 0..TRIES {
            let [x, y] = self.censuses[scene].pick(class, random, own, readers.of(scene)?)?;
            let x = x.saturating_sub(random.below(side)).min(size.width - side);
            let y = y.saturating_sub(random.below(side)).min(size.height - side);
            let window = Window::plane(x, y, side, side);
            if own.is_free(window) {
                return Ok(Place { scene, window });
            }
        }
        Ok(self.first_free(scene, side, std::iter::empty()))
    }

    /// The first window that is not held back, or the scene's free place.
    fn first_free(&self, scene: usize, side: usize, mut windows: impl Iterator<Item = Window>) -> Place {
        let free = windows.find(|window| self.scenes[scene].is_free(*window));
        let room = self.rooms[scene].unwrap_or_else(|| self.scenes[scene].all());
        Place { scene, window: free.unwrap_or(Window { width: side, height: side, ..room }) }
    }
}

/// A free place for a crop: if there is any, there is one that touches what is held back, or the edge, above it and to its left.
fn room(scene: &TrainingScene, side: usize) -> Result<Window> {
    let profile = scene.profile();
    let (size, path) = (profile.size, || profile.path.clone());
    if size.width < side || size.height < side {
        return Err(TrainError::SceneTooSmall { path: path(), size, crop: side }.into());
    }
    let columns: Vec<usize> = std::iter::once(0).chain(scene.held_back.iter().map(|held| held.x + held.width)).collect();
    let rows: Vec<usize> = std::iter::once(0).chain(scene.held_back.iter().map(|held| held.y + held.height)).collect();
    let mut windows = rows.iter().flat_map(|y| columns.iter().map(|x| Window::plane(*x, *y, side, side)));
    let free = windows.find(|window| scene.all().contains(*window) && scene.is_free(*window));
    Ok(free.ok_or_else(|| TrainError::NoRoom { path: path(), crop: side })?)
}
