//! `swath train` on volumes, by the built binary: a ball in noise is learned, as it is labelled afterwards, and what does not fit is said.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod nifti;
mod support;

use std::fs;
use std::path::Path;

use nifti::{Nifti, read_labels};
use support::{Pixels, Run, noise, swath};
use swath_models::Model;
use tempfile::TempDir;

/// Voxels along x, y and z of the file, which go towards the back, the left and the head.
const SIZE: [usize; 3] = [24, 20, 16];
/// Millimetres from one to the next.
const SPACING: [f32; 3] = [1.0, 1.25, 2.0];

/// A volume whose axes are not those of the network, with voxels that are no cubes.
fn volume(value: impl Fn(usize, usize, usize) -> f32) -> Nifti {
    let spacing = [-SPACING[0], -SPACING[1], SPACING[2]];
    Nifti { sides: [1, 0, 2], spacing, ..Nifti::new(SIZE, value) }
}

/// Whether a voxel is in a ball about a place in millimetres.
fn is_in_ball(x: usize, y: usize, z: usize) -> bool {
    let place = [x, y, z].into_iter().zip(SPACING).map(|(at, spacing)| at as f32 * spacing);
    place.zip([13.0, 11.0, 14.0]).map(|(at, centre)| (at - centre).powi(2)).sum::<f32>() < 49.0
}

/// A bright ball in noise: many voxels of one are as bright as some of the other.
fn bright(x: usize, y: usize, z: usize) -> f32 {
    f32::from(noise(z, x, y)) / 2.0 + if is_in_ball(x, y, z) { 90.0 } else { 0.0 }
}

/// A folder with a volume, its labels, and `recipe.toml`; `edit` changes the recipe's text.
fn workplace(edit: impl Fn(&str) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    volume(bright).write(&folder.path().join("case.nii.gz"));
    let label = |x, y, z| if is_in_ball(x, y, z) { 7.0 } else { ((x + y + z) % 3) as f32 };
    volume(label).write(&folder.path().join("labels.nii.gz"));
    fs::write(folder.path().join("recipe.toml"), edit(RECIPE)).unwrap();
    folder
}

const RECIPE: &str = r#"
seed = 3
output = "model"
epochs = 8
batch = 2

[model]
network = "unet_3d"
widths = [4, 8]

[volume]
axes = "SPL"
spacing = [1.5, 1.5, 1.5]
intensity = [{ type = "clip", minimum = 0, maximum = 220 }]

[[classes]]
name = "other"
others = true

[[classes]]
name = "ball"
values = [7]

[[scenes]]
image = "case.nii.gz"
labels = "labels.nii.gz"
role = "both"

[sampling]
crop = 16
samples = 24
balance = 0.5

[augment]
contrast = 0.1
brightness = 0.05

[[loss]]
kind = "cross_entropy"

[[loss]]
kind = "dice"
classes = [1]

[optimizer]
kind = "adamw"

[schedule]
rate = 3e-2
warm_up = 4
"#;

/// `swath train` with threads that do not depend on the machine.
fn train(folder: &Path, args: &str) -> Run {
    swath(folder, &format!("train recipe.toml --threads 2 {args}"))
}

/// The column of that name of the table's last line.
fn last(metrics: &str, name: &str) -> f64 {
    let column = metrics.lines().next().unwrap().split(',').position(|own| own == name).unwrap();
    metrics.lines().next_back().unwrap().split(',').nth(column).unwrap().parse().unwrap()
}

#[test]
fn a_trained_model_labels_volumes_as_it_was_validated() {
    let folder = workplace(str::to_owned);
    let run = train(folder.path(), "--json").succeeds();
    let report = &run.json()[0];
    assert_eq!(report["steps"], 96);
    assert!(report["last"]["dice"][1].as_f64().unwrap() > 0.8, "{report}");
    assert!(run.stderr.contains("case is learned from and validated with"), "{}", run.stderr);
    assert!(run.stderr.contains("case: 16 x 17 x 21; 5.71 k labelled pixels: other 92.6 %"), "{}", run.stderr);

    let metrics = fs::read_to_string(folder.path().join("model/metrics.csv")).unwrap();
    let names = "step,epoch,learning_rate,loss,seconds,mean_iou,mean_f1,accuracy,iou_other,iou_ball,f1_other,f1_ball,mean_dice,\
                 dice_other,dice_ball";
    assert_eq!(metrics.lines().next(), Some(names));
    assert_eq!(metrics.lines().skip(1).filter(|line| !line.contains(",,")).count(), 8, "{metrics}");

    let card = Model::read(&folder.path().join("model")).unwrap().card;
    assert_eq!((card.bands, card.gsd), (vec!["intensity".to_owned()], None));
    let input = card.volume.unwrap();
    assert_eq!((input.axes.to_string().as_str(), input.spacing, input.tile), ("SPL", Some([1.5; 3]), Some([16; 3])));

    // The figures are those of the labels that the same weights give on the volume's own voxels.
    let segment = "segment case.nii.gz --max-memory 1GiB --threads 1 --model model/last --output out.nii.gz";
    swath(folder.path(), segment).succeeds();
    let labels = read_labels(&folder.path().join("out.nii.gz")).values;
    let truth: Vec<bool> = volume(|x, y, z| f32::from(is_in_ball(x, y, z))).values.iter().map(|v| *v > 0.0).collect();
    let both = labels.iter().zip(&truth).filter(|(label, truth)| **label == 1 && **truth).count();
    let sizes = support::count(&labels, 1) + truth.iter().filter(|truth| **truth).count();
    let dice = 2.0 * both as f64 / sizes as f64;
    for name in ["dice_ball", "mean_dice", "f1_ball"] {
        assert!((dice - last(&metrics, name)).abs() < 1e-6, "{dice}: {name} in\n{metrics}");
    }
    // Neither files beside the model nor in it are left of the volumes.
    assert_eq!(support::files(folder.path()), ["case.nii.gz", "labels.nii.gz", "model", "out.json", "out.nii.gz", "recipe.toml"]);
    assert!(support::files(&folder.path().join("model")).contains(&"validation.png".to_owned()));
}

/// A network of planes that sees three slices at once; the other volume is held back.
#[test]
fn networks_of_planes_learn_from_slices() {
    let folder = workplace(|recipe| {
        let recipe = recipe.replace("\"unet_3d\"\nwidths = [4, 8]", "\"unet\"\nwidths = [4, 8]");
        let recipe = recipe.replace("spacing = [1.5, 1.5, 1.5]", "slices = 3").replace("role = \"both\"", "names = [\"case\"]");
        let other = "[[scenes]]\nimage = \"other.nii.gz\"\nlabels = \"other_labels.nii.gz\"\nrole = \"validation\"\n\n[sampling]";
        recipe.replace("epochs = 8", "epochs = 6").replace("[sampling]", other)
    });
    for (name, copy) in [("case.nii.gz", "other.nii.gz"), ("labels.nii.gz", "other_labels.nii.gz")] {
        fs::copy(folder.path().join(name), folder.path().join(copy)).unwrap();
    }
    let run = train(folder.path(), "--json").succeeds();
    assert!(run.json()[0]["last"]["mean_dice"].as_f64().unwrap() > 0.8, "{}", run.stdout);
    assert!(run.stderr.contains("band slice-3: (x - "), "{}", run.stderr);
    let card = Model::read(&folder.path().join("model")).unwrap().card;
    assert_eq!(card.volume.unwrap().tile, Some([1, 16, 16]));
    swath(folder.path(), "segment case.nii.gz --model model --output out.nii.gz").succeeds();
}

#[test]
fn labels_that_do_not_fit_are_errors() {
    let folder = workplace(|recipe| recipe.replace("others = true", "values = [0, 1, 2]"));
    let labels = folder.path().join("labels.nii.gz");
    let refused = |labelled: Nifti, words: &[&str]| {
        labelled.write(&labels);
        train(folder.path(), "").fails(2, words);
        assert!(!folder.path().join("model").exists());
    };
    let sound = || volume(|x, y, z| if is_in_ball(x, y, z) { 7.0 } else { 1.0 });
    let at = |x: usize, y: usize, z: usize| (z * SIZE[1] + y) * SIZE[0] + x;
    for (value, what) in [(9.0, "value 9"), (1.5, "value 1.5"), (-1.0, "value -1")] {
        let mut unknown = sound();
        unknown.values[at(5, 6, 13)] = value;
        let place = "at column 5, row 6, plane 13 of ";
        refused(unknown, &[what, place, "labels.nii.gz is none of the recipe's: 0, 1, 2, 7", "hint: ", "others"]);
    }
    let shifted = Nifti { spacing: [-1.0, -1.25, 2.1], ..sound() };
    refused(shifted, &["expected ", "labels.nii.gz to have the voxels of ", "case.nii.gz", "voxels apart"]);
    let turned = Nifti { sides: [0, 1, 2], ..sound() };
    refused(turned, &["labels.nii.gz to have the voxels of ", "case.nii.gz"]);
    refused(Nifti { size: [24, 20, 15], ..sound() }, &["labels.nii.gz", "24 x 20 x 15", "24 x 20 x 16", "case.nii.gz"]);
    refused(
        volume(|_, _, _| f32::NAN),
        &["no pixel that is held back has data and a label", "x 0 y 0 z 0 of 16 x 17 x 21 of case"],
    );
    fs::write(&labels, "not a volume").unwrap();
    train(folder.path(), "").fails(2, &["labels.nii.gz"]);
    fs::remove_file(&labels).unwrap();
    train(folder.path(), "").fails(2, &["labels.nii.gz"]);
}

#[test]
fn scenes_and_volumes_do_not_mix() {
    let folder = workplace(str::to_owned);
    Pixels::new(32, 32, 1, noise).write(&folder.path().join("scene.tif"), &[], |_| {});
    Pixels::new(32, 32, 1, |_, x, _| (x % 3) as u8).write(&folder.path().join("truth.tif"), &[], |_| {});
    let scene = "[[scenes]]\nimage = \"scene.tif\"\nlabels = \"truth.tif\"\n\n[sampling]";
    let refused = |edit: &dyn Fn(&str) -> String, words: &[&str]| {
        fs::write(folder.path().join("recipe.toml"), edit(RECIPE)).unwrap();
        train(folder.path(), "").fails(2, words);
    };
    refused(&|recipe| recipe.replace("[sampling]", scene), &["expected a volume", "`[volume]`", "scene.tif"]);
    let no_volume = |recipe: &str| {
        let start = recipe.find("[volume]").unwrap();
        let end = recipe.find("[[classes]]").unwrap();
        [&recipe[..start], &recipe[end..]].concat().replace("\"unet_3d\"", "\"unet\"")
    };
    refused(&no_volume, &["expected a scene", "`[volume]`", "case.nii.gz", "hint: ", "axes"]);
    refused(
        &|recipe| no_volume(recipe).replace("\"unet\"", "\"unet_3d\""),
        &["recipe.toml:8: `model.network`", "a network that takes planes", "`unet_3d`, which takes volumes"],
    );
    refused(&|recipe| recipe.replace("labels.nii.gz", "truth.tif"), &["truth.tif"]);
}

#[test]
fn recipes_that_do_not_fit_are_errors() {
    let folder = workplace(str::to_owned);
    let refused = |from: &str, to: &str, words: &[&str]| {
        assert!(RECIPE.contains(from));
        fs::write(folder.path().join("recipe.toml"), RECIPE.replace(from, to)).unwrap();
        train(folder.path(), "").fails(2, words);
        assert!(!folder.path().join("model").exists());
    };
    refused("axes = \"SPL\"", "axes = \"SPI\"", &["recipe.toml:12: ", "got `SPI`"]);
    refused("axes = \"SPL\"\n", "", &["recipe.toml:", "missing field `axes`"]);
    refused("[1.5, 1.5, 1.5]", "[1.5, 0.0, 1.5]", &["recipe.toml", "swath:volume.spacing", "above 0"]);
    refused("spacing = [1.5, 1.5, 1.5]", "size = [32, 32]", &["recipe.toml", "swath:volume.size", "takes volumes"]);
    refused("\"unet_3d\"", "\"monai_unet_3d\"", &["recipe.toml:9: `model.widths`", "levels of a U-Net", "monai_unet_3d"]);
    refused("widths = [4, 8]", "bands = [\"t1\", \"t2\"]", &["recipe.toml", "swath:volume.slices", "1 for 2 bands"]);
    refused("others = true", "", &["labels.nii.gz", "`values`, as the labels are a volume", "`other` without"]);
    refused(
        "values = [7]",
        "values = [7]\nothers = true",
        &["recipe.toml:23: `classes[1].others`", "one class with it, got ball"],
    );
    refused("role = \"both\"", "role = \"validation\"", &["at least one scene with the role `train`, got none"]);
    refused("role = \"both\"", "layer = \"a\"", &["recipe.toml:27: `scenes[0].layer`", "whose labels are volumes"]);
    refused("contrast = 0.1", "scale = [0.5, 2.0]", &["recipe.toml:35: `augment.scale`", "1, 1 for volumes, got 0.5, 2"]);
    refused("batch = 2", "batch = 2\nresolution = 1.5", &["recipe.toml:6: `resolution`", "`volume.spacing`"]);
    let blocks = "[validation]\nblocks = { size = 8, share = 0.5 }\n\n[sampling]";
    refused("[sampling]", blocks, &["recipe.toml:30: `validation.blocks`", "held back as a whole"]);
}

#[test]
fn crops_that_do_not_fit_are_errors() {
    let folder = workplace(str::to_owned);
    let refused = |from: &str, to: &str, words: &[&str]| {
        assert!(RECIPE.contains(from));
        fs::write(folder.path().join("recipe.toml"), RECIPE.replace(from, to)).unwrap();
        train(folder.path(), "").fails(2, words);
    };
    refused("crop = 16", "crop = [22, 16, 16]", &["at least 16 x 16 x 22", "got 16 x 17 x 21", "case.nii.gz"]);
    refused("crop = 16", "crop = [16, 15, 16]", &["recipe.toml:30: `sampling.crop`", "stride of 2, got 16 x 15 x 16"]);
    refused("crop = 16", "crop = [16, 16]", &["recipe.toml:30: ", "a side of at least 1, or depth, height and width"]);
    let planes = RECIPE.replace("\"unet_3d\"", "\"unet\"").replace("crop = 16", "crop = [4, 16, 16]");
    fs::write(folder.path().join("recipe.toml"), planes).unwrap();
    train(folder.path(), "").fails(2, &["recipe.toml:30: `sampling.crop`", "a depth of 1, as `unet` takes slices, got 4"]);
}
