//! What is learned from.

use std::path::Path;

use swath_models::Extent;
use swath_tiling::{Size, Window};

use super::image::{TrainingImage, band_requests, open_volume};
use super::label_vectors::LabelVectors;
use super::label_volume::{LabelVolume, StoredLabels};
use super::labels::{LabelReader, Labels};
use super::paths::{SceneFiles, scene_files};
use super::recipe::{BlockSettings, Recipe, Role};
use super::window_index::WindowIndex;
use crate::Result;
use crate::random::hash;
use crate::source::{Patch, RasterProfile, RasterSource as _, Scene, WindowReader};
use crate::volume::Volume;

/// Most scenes that a thread keeps open; each may take a file for its pixels and one for its labels.
const OPEN: usize = 32;

/// Most scenes that all threads together keep open, if there are not more threads: systems may allow no more than 1024 files.
const ALL_OPEN: usize = 256;

/// A scene or a volume with its labels, at the network's resolution.
#[derive(Debug)]
pub(super) struct TrainingScene {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) image: TrainingImage,
    pub(super) labels: Labels,
    /// What is validated with.
    pub(super) held_back: Vec<Window>,
    /// What is never learned from: all of that, unless the scene is for both.
    held: WindowIndex,
}

/// The scenes of a recipe, and the bands that are read of them.
#[derive(Debug)]
pub(super) struct TrainingScenes {
    pub(super) scenes: Vec<TrainingScene>,
    /// Names for a model card.
    pub(super) bands: Vec<String>,
}

impl TrainingScenes {
    /// Looks at all scenes and their labels. Volumes are read, and prepared in files without a name on the disk of `scratch`.
    pub(super) fn open(recipe: &Recipe, scratch: &Path) -> Result<Self> {
        let settings = &recipe.settings;
        let files = settings.scenes.iter().enumerate().map(|(at, entry)| {
            let files = scene_files(entry, at, &recipe.source)?;
            Ok(files.into_iter().map(move |files| (files, entry.role)).collect::<Vec<_>>())
        });
        let files: Vec<(SceneFiles, Role)> = files.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        for (at, (file, _)) in files.iter().enumerate() {
            if files[..at].iter().any(|(other, _)| other.name == file.name) {
                return Err(recipe.source.value("scenes", "names that differ", format!("`{}` twice", file.name)).into());
            }
        }
        // All are looked at before the first volume is read.
        for (files, _) in &files {
            if let Some(volume) = open_volume(recipe, files)? {
                StoredLabels::open(&files.labels, &volume, settings)?;
            }
        }
        let bands = match (&settings.model.bands, &settings.volume, files.first()) {
            (Some(bands), _, _) => bands.clone(),
            (None, Some(input), _) => volume_bands(input.slices.unwrap_or(1)),
            (None, None, Some((first, _))) => band_names(Scene::open(&first.image, &[])?.profile()),
            (None, None, None) => Vec::new(),
        };
        if bands.is_empty() {
            return Err(recipe.source.value("model.bands", "at least one band", "none").into());
        }
        let scenes = files.into_iter().map(|(files, role)| TrainingScene::open(recipe, files, role, &bands, scratch));
        let mut scenes: Vec<TrainingScene> = scenes.collect::<Result<_>>()?;
        LabelVectors::check_all(scenes.iter().filter_map(|scene| scene.labels.vectors()))?;
        hold_back(recipe, &mut scenes)?;
        if scenes.iter().all(|scene| scene.role == Role::Validation) {
            return Err(recipe.source.value("scenes", "at least one scene with the role `train`", "none").into());
        }
        Ok(Self { scenes, bands })
    }
}

impl TrainingScene {
    fn open(recipe: &Recipe, files: SceneFiles, role: Role, bands: &[String], scratch: &Path) -> Result<Self> {
        let (image, labels) = if let Some(volume) = open_volume(recipe, &files)? {
            tracing::info!("reads {}", files.image.display());
            let stored = StoredLabels::open(&files.labels, &volume, &recipe.settings)?;
            let labels = LabelVolume::new(stored, &volume, scratch)?;
            (TrainingImage::Volume(Box::new(volume.prepared(scratch)?)), Labels::Volume(Box::new(labels)))
        } else {
            let scene = Scene::open(&files.image, &band_requests(bands))?;
            let labels = Labels::open(&files, scene.profile(), &recipe.settings)?;
            (TrainingImage::scene(recipe, scene)?, labels)
        };
        Ok(Self { name: files.name, role, image, labels, held_back: Vec::new(), held: WindowIndex::default() })
    }

    /// What it is at the network's resolution.
    pub(super) fn profile(&self) -> &RasterProfile {
        self.image.source().profile()
    }

    /// The volume, and its labels as they are stored, if it is one.
    pub(super) fn volume(&self) -> Option<(&Volume, &StoredLabels)> {
        match (&self.image, &self.labels) {
            (TrainingImage::Volume(volume), Labels::Volume(labels)) => Some((volume, &labels.stored)),
            _ => None,
        }
    }

    /// How much of it a crop of an extent along the network's axes takes.
    pub(super) fn crop_size(&self, extent: Extent) -> Size {
        let Extent { z: depth, y: height, x: width } = self.image.orientation().to_raster(extent);
        Size { depth, height, width }
    }

    /// All of it.
    pub(super) fn all(&self) -> Window {
        Window::all(self.profile().size)
    }

    /// Whether no pixel of a window is held back.
    pub(super) fn is_free(&self, window: Window) -> bool {
        self.held(window).next().is_none()
    }

    /// What is held back and has a pixel of a window; one may come several times.
    pub(super) fn held(&self, window: Window) -> impl Iterator<Item = Window> {
        self.held.touching(window)
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<TrainingSceneReader<'_>> {
        let image = self.image.source().reader()?;
        Ok(TrainingSceneReader { image, labels: self.labels.reader()?, factor: self.image.factor() })
    }

    /// A window in the file's pixels as one at the network's resolution, that has all of it.
    fn reduced(&self, window: Window) -> Window {
        let factor = self.image.factor();
        let (x, y) = (window.x / factor, window.y / factor);
        let (right, bottom) = ((window.x + window.width).div_ceil(factor), (window.y + window.height).div_ceil(factor));
        Window::plane(x, y, right - x, bottom - y).intersection(self.all())
    }
}

/// Reads pixels and labels of one scene.
pub(super) struct TrainingSceneReader<'s> {
    image: Box<dyn WindowReader + 's>,
    labels: LabelReader<'s>,
    factor: usize,
}

impl TrainingSceneReader<'_> {
    /// The pixels of a window.
    pub(super) fn pixels(&mut self, window: Window) -> Result<Patch> {
        self.image.read(window)
    }

    /// The classes of a window, `(depth, height, width)`.
    pub(super) fn labels(&mut self, window: Window) -> Result<Vec<u8>> {
        self.labels.read_reduced(window, self.factor)
    }
}

/// Readers of several scenes for one thread, opened when they are needed; those that were used last stay open.
pub(super) struct Readers<'s> {
    scenes: &'s [TrainingScene],
    /// The last used first.
    open: Vec<OpenScene<'s>>,
    /// How many may be open.
    most: usize,
}

/// A scene that is open.
struct OpenScene<'s> {
    /// The scene's place among all.
    scene: usize,
    reader: TrainingSceneReader<'s>,
}

impl<'s> Readers<'s> {
    /// The readers of one of so many threads.
    pub(super) fn new(scenes: &'s [TrainingScene], threads: usize) -> Self {
        Self { scenes, open: Vec::new(), most: (ALL_OPEN / threads.max(1)).clamp(1, OPEN) }
    }

    /// The reader of the scene at a place.
    pub(super) fn of(&mut self, scene: usize) -> Result<&mut TrainingSceneReader<'s>> {
        let found = if let Some(at) = self.open.iter().position(|open| open.scene == scene) {
            self.open.remove(at)
        } else {
            self.open.truncate(self.most - 1);
            OpenScene { scene, reader: self.scenes[scene].reader()? }
        };
        self.open.insert(0, found);
        Ok(&mut self.open[0].reader)
    }
}

/// What slices of a volume are called where nothing is said.
fn volume_bands(slices: usize) -> Vec<String> {
    if slices == 1 { vec!["intensity".into()] } else { (1..=slices).map(|slice| format!("slice-{slice}")).collect() }
}

/// The bands of a scene but alpha: by description or colour where that tells them apart, else by number.
fn band_names(profile: &RasterProfile) -> Vec<String> {
    let bands = profile.bands.iter().enumerate().filter(|(_, band)| !band.is_alpha());
    let name = |(at, band): (usize, &crate::source::BandProfile)| {
        let names = [band.description.as_ref(), band.colour.as_ref()].into_iter().flatten();
        let is_unique = |name: &&String| profile.bands.iter().filter(|other| other.is_called(name)).count() == 1;
        names.into_iter().find(is_unique).cloned().unwrap_or_else(|| (at + 1).to_string())
    };
    bands.map(name).collect()
}

/// Gives every scene what the recipe holds back of it.
fn hold_back(recipe: &Recipe, scenes: &mut [TrainingScene]) -> Result<()> {
    let validation = &recipe.settings.validation;
    for (at, settings) in validation.windows.iter().enumerate() {
        let key = format!("validation.windows[{at}]");
        let names: Vec<String> = scenes.iter().map(|scene| scene.name.clone()).collect();
        let Some(scene) = scenes.iter_mut().find(|scene| scene.name == settings.scene) else {
            let expected = format!("one of {}", names.join(", "));
            return Err(recipe.source.value(format!("{key}.scene"), expected, format!("`{}`", settings.scene)).into());
        };
        let (window, size) = (settings.window(), scene.image.stored_size());
        if window.area() == 0 || !Window::all(size).contains(window) {
            return Err(recipe.source.value(key, format!("a window within {size} pixels"), window.to_string()).into());
        }
        let reduced = scene.reduced(window);
        if reduced.area() == 0 {
            let factor = scene.image.factor();
            let expected =
                format!("a window within the {} pixels that are left of {size} reduced by {factor}", scene.profile().size);
            return Err(recipe.source.value(key, expected, window.to_string()).into());
        }
        if scene.held_back.iter().any(|other| other.intersection(reduced).area() > 0) {
            let expected = "windows that have no pixel in common at the network's resolution";
            return Err(recipe.source.value(key, expected, format!("{window} of `{}` over another", scene.name)).into());
        }
        scene.held_back.push(reduced);
    }
    for (at, scene) in scenes.iter_mut().enumerate() {
        match (scene.role, &validation.blocks) {
            (Role::Validation | Role::Both, _) => scene.held_back = vec![scene.all()],
            (Role::Train, Some(blocks)) => {
                let chosen = choose_blocks(scene.all(), &scene.held_back, blocks, recipe.settings.seed, at);
                scene.held_back.extend(chosen);
            }
            (Role::Train, None) => {}
        }
        if scene.role != Role::Both {
            scene.held = WindowIndex::new(scene.all(), &scene.held_back);
        }
    }
    Ok(())
}

/// The share of a scene's blocks that have no pixel of the windows, at least one, whose random numbers are smallest.
fn choose_blocks(all: Window, windows: &[Window], settings: &BlockSettings, seed: u64, scene: usize) -> Vec<Window> {
    let side = settings.size.get();
    let (columns, rows) = (all.width.div_ceil(side), all.height.div_ceil(side));
    let block = |place: usize| Window::plane(place % columns * side, place / columns * side, side, side).intersection(all);
    let is_free = |place: &usize| windows.iter().all(|window| window.intersection(block(*place)).area() == 0);
    let mut places: Vec<usize> = (0..columns * rows).filter(is_free).collect();
    places.sort_by_key(|place| hash(seed, scene as i64, *place as i64));
    let count = ((settings.share * places.len() as f64).round() as usize).max(1);
    places.into_iter().take(count).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::super::TrainError;
    use super::super::testing::Workplace;
    use super::*;
    use crate::Error;

    const SAMPLING: &str = "crop = 32\nsamples = 1";

    #[test]
    fn a_pattern_finds_scenes_and_finer_ones_are_reduced() {
        let workplace = Workplace::new();
        for name in ["b", "a_1"] {
            workplace.raster(&format!("{name}_image.tif"), [90, 61], |x, _| x as u8);
            workplace.raster(&format!("{name}_label.tif"), [90, 61], |x, _| u8::from(x > 44));
        }
        let pattern = [["{name}_image.tif", "{name}_label.tif"]];
        let windows = "resolution = 24\nvalidation.windows = [{ scene = \"b\", x = 3, y = 0, width = 4, height = 9 }]";
        let scenes = TrainingScenes::open(&workplace.recipe(&pattern, SAMPLING, windows), workplace.folder.path()).unwrap();
        assert_eq!(scenes.bands, ["1"]);
        assert_eq!(scenes.scenes.iter().map(|scene| scene.name.as_str()).collect::<Vec<_>>(), ["a_1", "b"]);
        // Pixels of 10 m are reduced by 2, and what is held back is not less than what is asked for.
        assert_eq!(scenes.scenes[1].all(), Window::plane(0, 0, 45, 30));
        assert_eq!(scenes.scenes[1].held_back, [Window::plane(1, 0, 3, 5)]);
        let labels = scenes.scenes[0].reader().unwrap().labels(Window::plane(20, 0, 5, 1)).unwrap();
        assert_eq!(labels, [0, 0, 1, 1, 1]);
    }

    #[test]
    fn blocks_are_a_share_of_each_scene() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [100, 70], |x, _| x as u8);
        workplace.raster("labels.tif", [100, 70], |x, _| (x % 2) as u8);
        let open = |seed: u64| {
            let blocks = format!("seed = {seed}\nvalidation.blocks = {{ size = 16, share = 0.2 }}");
            let recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], SAMPLING, &blocks);
            TrainingScenes::open(&recipe, workplace.folder.path()).unwrap().scenes.remove(0)
        };
        let (scene, other) = (open(1), open(2));
        assert_eq!(scene.held_back.len(), 7);
        assert!(scene.held_back.iter().all(|held| scene.all().contains(*held) && held.x.is_multiple_of(16)));
        assert_eq!(scene.held_back, open(1).held_back);
        assert_ne!(scene.held_back, other.held_back);
    }

    #[test]
    fn what_is_for_both_is_validated_with_and_learned_from() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [100, 70], |x, _| x as u8);
        workplace.raster("labels.tif", [100, 70], |x, _| u8::from(x > 9));
        let mut recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], SAMPLING, "");
        for (role, [learned, validated]) in [(Role::Both, [1000, 1000]), (Role::Train, [1000, 0])] {
            recipe.settings.scenes[0].role = role;
            let sizes = [[learned, 9 * learned].map(|at| at * 7 / 10), [validated, 9 * validated].map(|at| at * 7 / 10)];
            let scene = TrainingScenes::open(&recipe, workplace.folder.path()).unwrap().scenes.remove(0);
            let census = crate::train::census::Census::take(&scene, 2).unwrap();
            assert_eq!([census.totals(), census.held_back()], sizes.each_ref().map(<[u64; 2]>::as_slice));
            assert!(scene.is_free(scene.all()));
        }
    }

    #[test]
    fn blocks_leave_windows_out() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [100, 70], |x, _| x as u8);
        workplace.raster("labels.tif", [100, 70], |x, _| (x % 2) as u8);
        let window = "{ scene = \"scene\", x = 10, y = 10, width = 60, height = 50 }";
        let more = format!("validation = {{ windows = [{window}], blocks = {{ size = 16, share = 0.9 }} }}");
        let recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], SAMPLING, &more);
        let scene = TrainingScenes::open(&recipe, workplace.folder.path()).unwrap().scenes.remove(0);
        // Of 7 x 5 blocks, the window touches 5 x 4; 14 of the others are nine tenths.
        assert_eq!(scene.held_back.len(), 1 + 14);
        let overlaps = |at: usize| scene.held_back[..at].iter().any(|other| other.intersection(scene.held_back[at]).area() > 0);
        assert!(!(0..scene.held_back.len()).any(overlaps), "{:?}", scene.held_back);
    }

    #[test]
    fn windows_that_vanish_or_overlap_are_errors() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [91, 70], |x, _| x as u8);
        workplace.raster("labels.tif", [91, 70], |x, _| (x % 2) as u8);
        let error = |x: usize| {
            let window = |x: usize| format!("{{ scene = \"scene\", x = {x}, y = 0, width = 1, height = 70 }}");
            let more = format!("resolution = 20\nvalidation.windows = [{}, {}]", window(10), window(x));
            let recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], SAMPLING, &more);
            TrainingScenes::open(&recipe, workplace.folder.path()).map(|_| ()).unwrap_err().to_string()
        };
        let (vanished, overlapping) = (error(90), error(11));
        assert!(vanished.contains("windows[1]`") && vanished.contains("45 x 35 pixels that are left of 91 x 70"), "{vanished}");
        assert!(vanished.ends_with("got window x 90 y 0 of 1 x 70"), "{vanished}");
        assert!(overlapping.contains("windows[1]`") && overlapping.contains("no pixel in common"), "{overlapping}");
    }

    #[test]
    fn few_scenes_are_open_at_once() {
        let workplace = Workplace::new();
        for name in 0..40_u8 {
            workplace.raster(&format!("{name}_image.tif"), [8, 8], |_, _| name);
            workplace.raster(&format!("{name}_label.tif"), [8, 8], |_, _| 0u8);
        }
        let recipe = workplace.recipe(&[["{name}_image.tif", "{name}_label.tif"]], SAMPLING, "");
        let scenes = TrainingScenes::open(&recipe, workplace.folder.path()).unwrap().scenes;
        let mut readers = Readers::new(&scenes, 1);
        for at in (0..40).chain([39, 8, 0]) {
            let read = readers.of(at).unwrap().pixels(Window::plane(0, 0, 1, 1)).unwrap();
            assert_eq!(read.pixels, [scenes[at].name.parse::<f32>().unwrap()]);
            assert!(readers.open.len() <= OPEN);
        }
        assert_eq!(readers.open.iter().take(4).map(|open| open.scene).collect::<Vec<_>>(), [0, 8, 39, 38]);
        assert_eq!(Readers::new(&scenes, 64).most, 4);
        assert_eq!(Readers::new(&scenes, 1000).most, 1);
    }

    #[test]
    fn scenes_that_are_all_held_back_or_alike_are_errors() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [40, 40], |x, _| x as u8);
        workplace.raster("labels.tif", [40, 40], |x, _| (x % 2) as u8);
        let scene = ["scene.tif", "labels.tif"];
        let error = |recipe: &Recipe| match TrainingScenes::open(recipe, workplace.folder.path()) {
            Err(Error::Train(error)) => *error,
            other => panic!("{other:?}"),
        };
        let twice = error(&workplace.recipe(&[scene, scene], SAMPLING, ""));
        assert!(matches!(&twice, TrainError::Value { key, got, .. } if key == "scenes" && got == "`scene` twice"), "{twice}");
        let mut recipe = workplace.recipe(&[scene], SAMPLING, "");
        recipe.settings.scenes[0].role = Role::Validation;
        assert!(error(&recipe).to_string().ends_with("at least one scene with the role `train`, got none"));
    }
}
