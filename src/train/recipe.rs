//! What a training is: scenes, classes, network, loss, optimiser.

use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use swath_models::train::{Loss, Rule, Schedule};
use swath_models::{AdaptBands, Colour, Scaling, VolumeInput, zoo};
use swath_tiling::Window;

use super::crop_settings::{AugmentSettings, CropSize, SamplingSettings};
use super::paths;
use super::recipe_text::RecipeText;
use crate::{Error, Result};

/// A training as a TOML file describes it. Unknown keys are errors; paths are relative to the file, and `${NAME}` in them is an environment
/// variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What the file says, with its defaults.
    pub settings: Settings,
    pub(super) source: RecipeText,
}

/// What a recipe says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model folder to make.
    pub output: PathBuf,
    /// Seed of weights, crops and augmentation.
    #[serde(default)]
    pub seed: u64,
    /// How often `sampling.samples` crops are seen.
    pub epochs: NonZeroU64,
    /// Crops that go through the network at once.
    pub batch: NonZeroUsize,
    /// Batches whose gradients are added up for one step.
    #[serde(default = "one")]
    pub accumulate: NonZeroUsize,
    /// Side of the pixels that the network sees, in units of the scenes' CRS. A scene is reduced by the whole factor that comes nearest; without
    /// it, scenes are taken as they are.
    pub resolution: Option<f64>,
    /// What the network needs of volumes, as its card will say: with it, the scenes are volumes. A tile that is not given is a crop.
    pub volume: Option<VolumeInput>,
    /// What is trained.
    pub model: ModelSettings,
    /// What the network tells apart, in the order of its scores.
    pub classes: Vec<ClassSettings>,
    /// Labels that do not count.
    #[serde(default)]
    pub ignore: IgnoreSettings,
    /// What is learned from.
    pub scenes: Vec<SceneSettings>,
    /// What is held back to see how good the network is.
    #[serde(default)]
    pub validation: ValidationSettings,
    /// Which crops are taken.
    pub sampling: SamplingSettings,
    /// How crops are varied.
    #[serde(default)]
    pub augment: AugmentSettings,
    /// Terms of the loss.
    pub loss: Loss,
    /// How weights follow gradients.
    pub optimizer: Rule,
    /// How fast.
    pub schedule: Schedule,
    /// How bands are scaled, one for all or one for each; by mean and deviation of what is sampled where absent.
    pub scaling: Option<Vec<Scaling>>,
}

/// What is trained.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// The network's name in the zoo.
    pub network: String,
    /// Channels of its levels, the finest first, for a U-Net; the network's own where absent.
    pub widths: Option<Vec<usize>>,
    /// Bands by name or number; all of the first scene but alpha where absent. Of volumes, what they are to be called in the card.
    pub bands: Option<Vec<String>>,
    /// Model folder or file of weights (safetensors, PyTorch) whose tensors are taken over where name and shape match.
    pub weights: Option<String>,
    /// How the first convolution of these weights becomes one for other bands; it is learned anew where absent.
    pub adapt_bands: Option<AdaptBands>,
}

/// A class, and how labels stand for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSettings {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// How people call it.
    pub title: Option<String>,
    /// How it is drawn.
    pub colour: Option<Colour>,
    /// Its values in label rasters of one band, and in label volumes.
    #[serde(default)]
    pub values: Vec<i64>,
    /// Whether it has all values there that no other class has.
    #[serde(default)]
    pub others: bool,
    /// Its colours in label rasters of three bands.
    #[serde(default)]
    pub rgb: Vec<Colour>,
    /// Which features of a vector layer it has: an OGR attribute filter. Later classes lie above earlier ones.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Whether it is where a vector layer has no feature.
    #[serde(default)]
    pub background: bool,
}

/// Labels that do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IgnoreSettings {
    /// Values in label rasters of one band.
    #[serde(default)]
    pub values: Vec<i64>,
    /// Colours in label rasters of three bands.
    #[serde(default)]
    pub rgb: Vec<Colour>,
    /// Features of a vector layer: an OGR attribute filter. They lie above all classes.
    #[serde(rename = "where")]
    pub filter: Option<String>,
}

/// One scene, or several by a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneSettings {
    /// A raster or a volume; `{name}` stands for each of `names`.
    pub image: String,
    /// A raster on the same pixels, or vectors in any CRS; of a volume, a label volume on the same voxels.
    pub labels: String,
    /// Layer of the vectors, if there are several.
    pub layer: Option<String>,
    /// What `{name}` stands for; where absent, whatever makes `image` a file that is there.
    pub names: Option<Vec<String>>,
    /// What it is for.
    #[serde(default)]
    pub role: Role,
}

/// What a scene is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Learned from, but for its validation windows.
    #[default]
    Train,
    /// Held back.
    Validation,
    /// Learned from and validated with: the figures say how well it is learned, and not how good the network is.
    Both,
}

/// What is held back of training scenes, and how it is labelled.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationSettings {
    /// Parts of scenes.
    #[serde(default)]
    pub windows: Vec<WindowSettings>,
    /// Blocks chosen by chance.
    pub blocks: Option<BlockSettings>,
    /// Side of the tiles of the validation, in pixels; 512 where absent, for volumes that of the card.
    pub tile: Option<NonZeroUsize>,
}

/// Part of a scene, in the file's pixels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSettings {
    /// The scene's name: what `{name}` stands for, or the file's name without its ending.
    pub scene: String,
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl WindowSettings {
    /// Which pixels of the file.
    #[must_use]
    pub fn window(&self) -> Window {
        Window::plane(self.x, self.y, self.width, self.height)
    }
}

/// Blocks held back of every training scene.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSettings {
    /// Side in pixels at the network's resolution.
    pub size: NonZeroUsize,
    /// Share of a scene's blocks, above 0 and below 1.
    pub share: f64,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

impl Recipe {
    /// Reads a recipe and checks what can be checked without a scene.
    ///
    /// # Errors
    /// If the file cannot be read, or a key or value is wrong; the error names file, line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::File { action: "read", path: path.into(), source })?;
        let source = RecipeText { path: path.into(), text };
        let mut settings: Settings = toml::from_str(&source.text).map_err(|error| source.syntax(&error))?;
        let output = settings.output.to_string_lossy().into_owned();
        settings.output = paths::resolve(&output, path).map_err(|error| error.at(&source, "output"))?;
        let recipe = Self { settings, source };
        recipe.check()?;
        Ok(recipe)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// Whether another recipe's text says the same, but for where the model goes.
    pub(super) fn agrees(&self, text: &str) -> bool {
        let other = toml::from_str::<Settings>(text);
        other.is_ok_and(|other| self.settings == Settings { output: self.settings.output.clone(), ..other })
    }

    /// Steps of an epoch: whole ones, at least one.
    #[must_use]
    pub fn steps_per_epoch(&self) -> u64 {
        let step = (self.settings.batch.get() * self.settings.accumulate.get()) as u64;
        (self.settings.sampling.samples.get() / step).max(1)
    }

    /// Steps of the whole training.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.settings.epochs.get() * self.steps_per_epoch()
    }

    fn check(&self) -> Result<()> {
        let Settings { classes, sampling, augment, validation, .. } = &self.settings;
        let fail = |key: &str, expected: &str, got: String| Err(self.source.value(key, expected, got).into());
        if !(2..=254).contains(&classes.len()) {
            return fail("classes", "2 to 254 classes", classes.len().to_string());
        }
        for (at, class) in classes.iter().enumerate() {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if class.name.is_empty() || !class.name.chars().all(is_plain) {
                return fail(&format!("classes[{at}].name"), "letters, digits, `-` and `_`", format!("`{}`", class.name));
            }
            if classes[..at].iter().any(|other| other.name == class.name) {
                return fail(&format!("classes[{at}].name"), "names that differ", format!("`{}` twice", class.name));
            }
        }
        self.check_labels()?;
        if !zoo::names().contains(&self.settings.model.network.as_str()) {
            let expected = format!("one of {}", zoo::names().join(", "));
            return fail("model.network", &expected, format!("`{}`", self.settings.model.network));
        }
        if self.settings.scenes.is_empty() {
            return fail("scenes", "at least one scene", "none".into());
        }
        if let Some(resolution) = self.settings.resolution.filter(|r| !(*r > 0.0 && r.is_finite())) {
            return fail("resolution", "a number above 0", resolution.to_string());
        }
        let fraction = |key: &str, value: f64| {
            if (0.0..=1.0).contains(&value) { Ok(()) } else { fail(key, "0 to 1", value.to_string()) }
        };
        fraction("sampling.balance", sampling.balance)?;
        fraction("augment.contrast", augment.contrast)?;
        fraction("augment.brightness", augment.brightness)?;
        let [smallest, largest] = augment.scale;
        if !(smallest > 0.0 && smallest <= largest && largest.is_finite()) {
            return fail("augment.scale", "two numbers above 0, the smaller one first", format!("{smallest}, {largest}"));
        }
        if let Some(blocks) = validation.blocks.as_ref().filter(|blocks| !(blocks.share > 0.0 && blocks.share < 1.0)) {
            return fail("validation.blocks.share", "a number between 0 and 1", blocks.share.to_string());
        }
        for (at, name) in sampling.classes.iter().flatten().enumerate() {
            if !classes.iter().any(|class| class.name == *name) {
                return fail(&format!("sampling.classes[{at}]"), "the name of a class", format!("`{name}`"));
            }
        }
        self.check_volumes()?;
        self.check_steps()?;
        let setting = |key: &'static str| move |source| Error::from(self.source.setting(key, source));
        self.settings.loss.check(classes.len()).map_err(setting("loss"))?;
        self.settings.optimizer.check().map_err(setting("optimizer"))?;
        self.settings.schedule.check().map_err(setting("schedule"))
    }

    /// Checks what is not the same for scenes and for volumes.
    fn check_volumes(&self) -> Result<()> {
        let Settings { volume, resolution, scenes, validation, sampling, augment, .. } = &self.settings;
        let fail = |key: &str, expected: &str, got: String| Err(self.source.value(key, expected, got).into());
        if volume.is_none() {
            return match sampling.crop {
                CropSize::Sides(_) => fail("sampling.crop", "one side for scenes; volumes need `[volume]`", "three".into()),
                CropSize::Side(_) => Ok(()),
            };
        }
        if resolution.is_some() {
            return fail("resolution", "none for volumes, for which there is `volume.spacing`", "one".into());
        }
        if !validation.windows.is_empty() {
            return fail("validation.windows", "none for volumes, which are held back as a whole", "some".into());
        }
        if validation.blocks.is_some() {
            return fail("validation.blocks", "none for volumes, which are held back as a whole", "some".into());
        }
        if augment.scale.iter().any(|scale| (scale - 1.0).abs() > 0.0) {
            let [smallest, largest] = augment.scale;
            return fail("augment.scale", "1, 1 for volumes", format!("{smallest}, {largest}"));
        }
        if let Some(at) = scenes.iter().position(|scene| scene.layer.is_some()) {
            return fail(&format!("scenes[{at}].layer"), "none for volumes, whose labels are volumes", "one".into());
        }
        Ok(())
    }

    /// Checks that steps and crops can be counted.
    fn check_steps(&self) -> Result<()> {
        let Settings { batch, accumulate, epochs, sampling, .. } = &self.settings;
        let Some(step) = batch.get().checked_mul(accumulate.get()).map(|step| step as u64) else {
            let got = format!("{accumulate} times {batch}");
            return Err(self.source.value("accumulate", "a number of batches whose crops can be counted", got).into());
        };
        let steps = (sampling.samples.get() / step).max(1);
        if epochs.get().checked_mul(steps).and_then(|steps| steps.checked_mul(step)).is_none() {
            let got = format!("{epochs} times {steps} steps of {step} crops");
            return Err(self.source.value("epochs", "a number of epochs whose crops can be counted", got).into());
        }
        Ok(())
    }

    /// Checks that no label stands for two classes.
    fn check_labels(&self) -> Result<()> {
        let Settings { classes, ignore, .. } = &self.settings;
        let keys = || (0..classes.len()).map(|at| format!("classes[{at}]")).chain(["ignore".to_owned()]);
        let values = classes.iter().map(|class| &class.values).chain([&ignore.values]);
        let colours = classes.iter().map(|class| &class.rgb).chain([&ignore.rgb]);
        let (mut seen, mut painted) = (Vec::new(), Vec::new());
        for (key, values) in keys().zip(values) {
            if let Some(value) = values.iter().find(|value| seen.contains(value)) {
                return Err(self.source.value(format!("{key}.values"), "values that differ", format!("{value} twice")).into());
            }
            seen.extend(values);
        }
        for (key, colours) in keys().zip(colours) {
            if let Some(colour) = colours.iter().find(|colour| painted.contains(colour)) {
                return Err(self.source.value(format!("{key}.rgb"), "colours that differ", format!("{colour} twice")).into());
            }
            painted.extend(colours);
        }
        let mut others = classes.iter().enumerate().filter(|(_, class)| class.others);
        if let (Some(_), Some((at, class))) = (others.next(), others.next()) {
            return Err(self.source.value(format!("classes[{at}].others"), "one class with it", class.name.clone()).into());
        }
        let mut backgrounds = classes.iter().enumerate().filter(|(_, class)| class.background);
        if let (Some(_), Some((at, class))) = (backgrounds.next(), backgrounds.next()) {
            return Err(self.source.value(format!("classes[{at}].background"), "one background", class.name.clone()).into());
        }
        Ok(())
    }
}
