//! What the tests of the built binary share: running it, small scenes, and models whose labels a test can compute itself.
#![allow(dead_code, reason = "every test binary uses its own part of it")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::{Dataset, DriverManager};
use serde_json::Value;
use swath_models::{Builder, Class, Conv, Model, ModelCard, Rank, Scaling, Scope, ScoreActivation, Weights};

/// The label of pixels without data in every model here.
pub(crate) const NODATA: u8 = 255;

/// The binary, to be run in `folder`; nothing of the tester's environment changes what it says, nor does a graphics processor.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swath"));
    command.current_dir(folder).env_remove("RUST_LOG").env("CUDA_VISIBLE_DEVICES", "").stdin(Stdio::null());
    command
}

/// Runs the binary in `folder` with arguments separated by spaces.
pub(crate) fn swath(folder: &Path, args: &str) -> Run {
    run(program(folder).args(args.split_whitespace()))
}

/// `swath segment` with memory and threads that do not depend on the machine.
pub(crate) fn segment(folder: &Path, args: &str) -> Run {
    swath(folder, &format!("segment --max-memory 1GiB --threads 2 {args}"))
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The run, which succeeded.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The run, which failed with this exit code and these words on standard error, and printed no data.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing from:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(self.stdout, "", "{self:?}");
        self
    }

    /// Standard output as JSON, an object a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Of the summary of a batch in JSON: how many were labelled, skipped and failed.
pub(crate) fn counts(run: &Run) -> [usize; 3] {
    let summary = &run.json()[0];
    let count = |what: &str| summary[what].as_u64().unwrap() as usize;
    [count("done"), count("skipped"), summary["failed"].as_array().unwrap().len()]
}

/// Names of the files in a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Nothing that `swath segment --output labels.tif` or its layers could have made is in the folder.
#[track_caller]
pub(crate) fn assert_nothing_left(folder: &Path) {
    let left = |name: &String| name.contains("labels") || name.contains(".part") || name.contains(".tmp");
    assert_eq!(files(folder).into_iter().filter(left).collect::<Vec<_>>(), Vec::<String>::new());
}

/// Pixels of a scene, plane by plane.
#[derive(Clone, Debug)]
pub(crate) struct Pixels<T> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// `(height, width)` each.
    pub(crate) bands: Vec<Vec<T>>,
}

impl<T: GdalType + Copy> Pixels<T> {
    /// Pixels as a function of band, column and row.
    pub(crate) fn new(width: usize, height: usize, bands: usize, value: impl Fn(usize, usize, usize) -> T) -> Self {
        let plane = |band| (0..width * height).map(|at| value(band, at % width, at / width)).collect();
        Self { width, height, bands: (0..bands).map(plane).collect() }
    }

    /// Writes a GeoTIFF. `describe` sets what else it has before its pixels are written.
    pub(crate) fn write(&self, path: &Path, options: &[&str], describe: impl FnOnce(&mut Dataset)) {
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let options: RasterCreationOptions = options.iter().copied().collect();
        let (width, height) = (self.width, self.height);
        let mut dataset =
            driver.create_with_band_type_with_options::<T, _>(path, width, height, self.bands.len(), &options).unwrap();
        describe(&mut dataset);
        for (number, plane) in (1..).zip(&self.bands) {
            let mut buffer = Buffer::new((width, height), plane.clone());
            dataset.rasterband(number).unwrap().write((0, 0), (width, height), &mut buffer).unwrap();
        }
        dataset.close().unwrap();
    }
}

/// Pixels that look random and are always the same: 0 to 255.
pub(crate) fn noise(band: usize, x: usize, y: usize) -> u8 {
    let mut state = (band as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (((x as u64) << 32) | y as u64);
    state = (state ^ (state >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    state = (state ^ (state >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    (state >> 56) as u8
}

/// A scene of noise in 8 bits: `scene.tif`, or another name.
pub(crate) fn write_noise(path: &Path, width: usize, height: usize, bands: usize) -> Pixels<u8> {
    let pixels = Pixels::new(width, height, bands, noise);
    pixels.write(path, &[], |_| {});
    pixels
}

/// Puts a scene on the map.
pub(crate) fn utm(dataset: &mut Dataset) {
    dataset.set_geo_transform(&[399_960.0, 10.0, 0.0, 5_000_040.0, 0.0, -10.0]).unwrap();
    dataset.set_spatial_ref(&gdal::spatial_ref::SpatialRef::from_epsg(32633).unwrap()).unwrap();
}

/// A network of one 1x1 convolution: each class's score is a weighted sum of the bands.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// Weights `(classes, bands)`.
    pub(crate) weights: Vec<Vec<f32>>,
    /// One per class.
    pub(crate) bias: Vec<f32>,
    /// What makes the scores probabilities.
    pub(crate) activation: ScoreActivation,
}

impl Linear {
    /// Three classes by how large a sum of all bands is: up to `first`, up to `second`, above. The bands count 1, 2, 3, 1, 2, 3, ... times,
    /// so that their order matters. All numbers stay exact in single precision if the pixels are integers.
    pub(crate) fn by_sum(bands: usize, first: f32, second: f32) -> Self {
        let row = |slope: f32| (0..bands).map(|band| slope * (band % 3 + 1) as f32).collect();
        Self {
            weights: vec![row(0.0), row(1.0), row(2.0)],
            bias: vec![0.0, -first, -first - second],
            activation: ScoreActivation::Softmax,
        }
    }

    /// Pixels of one band below 128 are their own label: `2 k x - k²` is largest for the class `k` nearest to `x`.
    pub(crate) fn identity() -> Self {
        let classes = || (0..128_u8).map(f32::from);
        Self {
            weights: classes().map(|k| vec![2.0 * k]).collect(),
            bias: classes().map(|k| -k * k).collect(),
            activation: ScoreActivation::Softmax,
        }
    }

    pub(crate) fn bands(&self) -> usize {
        self.weights[0].len()
    }

    /// The score of each class for one pixel.
    pub(crate) fn scores(&self, pixel: &[f32]) -> Vec<f32> {
        let sum = |weights: &Vec<f32>| weights.iter().zip(pixel).map(|(weight, x)| weight * x).sum::<f32>();
        self.weights.iter().zip(&self.bias).map(|(weights, bias)| sum(weights) + bias).collect()
    }

    /// The place of the class with the largest score, the first one at a tie.
    pub(crate) fn class(&self, pixel: &[f32]) -> usize {
        let scores = self.scores(pixel);
        (1..scores.len()).fold(0, |best, class| if scores[class] > scores[best] { class } else { best })
    }

    /// The label of the class with the largest score.
    pub(crate) fn label(&self, pixel: &[f32]) -> u8 {
        self.value(self.class(pixel))
    }

    /// The label of a class. Few classes have odd values, so that a label is not its class's place.
    pub(crate) fn value(&self, class: usize) -> u8 {
        u8::try_from(if self.bias.len() < 100 { 2 * class + 1 } else { class }).unwrap()
    }

    /// The labels of pixels that are all valid.
    pub(crate) fn labels(&self, pixels: &Pixels<u8>) -> Vec<u8> {
        let pixel = |at: usize| pixels.bands.iter().map(|plane| f32::from(plane[at])).collect::<Vec<_>>();
        (0..pixels.width * pixels.height).map(|at| self.label(&pixel(at))).collect()
    }

    /// Card, graph and weights; the bands are called `1`, `2` and so on: places in the file.
    pub(crate) fn model(&self) -> Model {
        let (bands, classes) = (self.bands(), self.bias.len());
        let mut builder = Builder::new("linear", Rank::Planar, bands);
        let input = builder.input();
        let head = builder.conv(input, &Scope::root("head"), Conv::square(classes, 1).biased()).node();
        let mut weights = Weights::new();
        weights.insert("head.weight", vec![classes, bands, 1, 1], self.weights.concat());
        weights.insert("head.bias", vec![classes], self.bias.clone());
        let class = |class: usize| Class {
            value: self.value(class),
            name: format!("class_{class}"),
            title: None,
            description: None,
            colour: None,
        };
        let card = ModelCard {
            name: "linear".into(),
            architecture: "linear".into(),
            bands: (1..=bands).map(|number| number.to_string()).collect(),
            scaling: vec![Scaling::None; bands],
            classes: (0..classes).map(class).collect(),
            nodata: NODATA,
            activation: self.activation,
            dropped: Vec::new(),
            gsd: None,
            volume: None,
            crf: None,
        };
        Model { card, graph: builder.build(head).unwrap(), weights }
    }

    /// Writes the model folder.
    pub(crate) fn write(&self, folder: &Path) {
        self.model().write(folder).unwrap();
    }
}

/// The first band of a label raster.
pub(crate) fn read_labels(path: &Path) -> Vec<u8> {
    read_band(path, 1)
}

/// All pixels of a band.
pub(crate) fn read_band<T: GdalType + Copy>(path: &Path, band: usize) -> Vec<T> {
    let dataset = Dataset::open(path).unwrap();
    let band = dataset.rasterband(band).unwrap();
    band.read_as::<T>((0, 0), band.size(), band.size(), None).unwrap().into_shape_and_vec().1
}

/// How many pixels have a label.
#[expect(clippy::naive_bytecount, reason = "speed does not matter here")]
pub(crate) fn count(labels: &[u8], label: u8) -> usize {
    labels.iter().filter(|other| other == &&label).count()
}

/// Changes a JSON file.
pub(crate) fn edit_json(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    edit(&mut value);
    fs::write(path, value.to_string()).unwrap();
}
