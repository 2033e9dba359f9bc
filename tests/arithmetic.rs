//! What precision and the way of computing convolutions change in the labels of trained networks on real scenes.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::print_stderr, reason = "what is measured, and what is not, is part of the result")]

mod common;
mod real_data;

use std::path::Path;

use common::{Raster, difference};
use swath_models::onnx::{self, Imported};
use swath_models::{Arithmetic, Convolutions, Executor, Fused, Precision, Scaling, ScoreActivation, Shape, Tensor};

/// Of the labels, how many Winograd's convolutions may change: one in so many.
const WINOGRAD: usize = 100_000;
/// As [`WINOGRAD`], of 16-bit values.
const BF16: usize = 500;

/// A trained network and a scene as it sees it.
struct Trained {
    name: &'static str,
    imported: Imported,
    /// What the network's output lacks to be probabilities.
    activation: ScoreActivation,
    scene: Tensor,
}

impl Trained {
    /// Reads a network, and a scene with one scaling for each band.
    fn read(name: &'static str, onnx: &Path, activation: ScoreActivation, scene: &Path, scaling: &[Scaling]) -> Self {
        let Raster { size, mut bands } = Raster::read(scene);
        assert_eq!(bands.len(), scaling.len());
        bands.iter_mut().zip(scaling).for_each(|(band, scaling)| scaling.apply(band));
        let scene = Tensor::new(Shape::planar(bands.len(), size.height, size.width), bands.concat()).unwrap();
        Self { name, imported: onnx::read(onnx, None).unwrap(), activation, scene }
    }

    /// Probabilities of the whole scene at once.
    fn probabilities(&self, precision: Precision, convolutions: Convolutions) -> Tensor {
        let graph = self.imported.graph.clone().with_activation(self.activation);
        let network = Fused::new(graph, &self.imported.weights, Arithmetic { precision, convolutions }).unwrap();
        network.run(self.scene.clone()).unwrap()
    }

    /// Fails if Winograd's convolutions in `f32` or 16-bit values change more labels than they may, or give scores that are not what they have to be
    /// beside those of direct convolutions in `f32`.
    fn check(&self, winograd: Scores) {
        let direct = self.probabilities(Precision::F32, Convolutions::Direct);
        self.check_one(&direct, Precision::F32, WINOGRAD, winograd);
        self.check_one(&direct, Precision::Bf16, BF16, Scores::Other { largest: 8e-2 });
    }

    fn check_one(&self, direct: &Tensor, precision: Precision, one_in: usize, expected: Scores) {
        let convolutions = Convolutions::Winograd;
        let scores = self.probabilities(precision, convolutions);
        let largest = difference(direct.data(), scores.data());
        let (before, after) = (labels(direct), labels(&scores));
        let other = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        let what = format!("{}, {} {}", self.name, precision.name(), convolutions.name());
        let share = other as f64 / before.len() as f64;
        eprintln!("{what}: {other} of {} labels differ ({share:.1e}), scores by {largest:.1e} at most", before.len());
        // A scene of one class would have no border at which labels can change.
        let second = before.iter().sum::<usize>();
        assert!(second.min(before.len() - second) > before.len() / 50, "{what}: {second} labels of the second class");
        assert!(largest.is_finite(), "{what}: scores that are not numbers");
        assert!(
            other * one_in <= before.len(),
            "{what}: {other} of {} labels differ, expected 1 in {one_in} at most",
            before.len()
        );
        match expected {
            Scores::Other { largest: most } => {
                assert!(largest > 0.0, "{what}: the same scores to the bit: this arithmetic was not used");
                assert!(largest <= most, "{what}: scores differ by {largest:e}, expected {most:e} at most");
            }
            Scores::Same => assert!(largest == 0.0, "{what}: scores differ by {largest:e}, expected the same bits"),
        }
    }
}

/// What scores are beside those of direct convolutions in `f32`.
#[derive(Clone, Copy)]
enum Scores {
    /// Rounded otherwise, by so much at most.
    Other { largest: f32 },
    /// The same to the bit: the network has nothing to which the arithmetic applies.
    Same,
}

/// The most probable class of every pixel; one score is the probability of the second of two.
fn labels(probabilities: &Tensor) -> Vec<usize> {
    match probabilities.shape().channels {
        1 => probabilities.data().iter().map(|p| usize::from(*p > 0.5)).collect(),
        2 => probabilities.channel(0).iter().zip(probabilities.channel(1)).map(|(a, b)| usize::from(b > a)).collect(),
        channels => panic!("expected 1 or 2 classes, got {channels}"),
    }
}

fn clouds(data: &Path) -> Trained {
    let onnx = data.join("weights/cloud_unet/landsatbiomeRGBISWIR7.onnx");
    let scene = data.join("cloud/sentinel2_toa_6band.tif");
    Trained::read("cloud U-Net", &onnx, ScoreActivation::None, &scene, &[Scaling::None; 6])
}

fn buildings(data: &Path, name: &'static str, file: &str) -> Trained {
    let folder = data.join("weights/buildings");
    let bands = [(125.926_395, 52.933_155), (125.315_67, 45.286_725), (101.341_08, 47.962_44)];
    let scaling = bands.map(|(mean, stddev)| Scaling::ZScore { mean, stddev });
    Trained::read(name, &folder.join(file), ScoreActivation::Softmax, &folder.join("val_rgb.tif"), &scaling)
}

fn buildings_fcn(data: &Path) -> Trained {
    buildings(data, "buildings FCN", "fcn_resnet18.onnx")
}

fn buildings_unet(data: &Path) -> Trained {
    buildings(data, "buildings U-Net", "unet.onnx")
}

#[test]
fn buildings_of_the_fcn_are_kept() {
    let Some(data) = real_data::folder() else { return };
    buildings_fcn(&data).check(Scores::Other { largest: 1e-5 });
}

#[test]
fn buildings_of_the_unet_are_kept() {
    let Some(data) = real_data::folder() else { return };
    buildings_unet(&data).check(Scores::Other { largest: 1e-5 });
}

/// Its convolutions are 1 x 1 and depthwise: Winograd has nothing to do.
#[test]
fn clouds_are_kept() {
    let Some(data) = real_data::folder() else { return };
    clouds(&data).check(Scores::Same);
}
