//! The built binary with networks of the zoo: what `model list` says, and scenes labelled by a few.

mod support;

use serde_json::Value;
use support::{program, read_labels, run, segment, swath};
use swath_models::zoo;
use tempfile::TempDir;

#[test]
fn the_list_has_every_network_with_its_figures() {
    let folder = TempDir::new().unwrap();
    let json: Value = serde_json::from_str(&swath(folder.path(), "model list --json").succeeds().stdout).unwrap();
    let networks = json["networks"].as_array().unwrap();
    assert_eq!(networks.iter().map(|network| network["name"].as_str().unwrap()).collect::<Vec<_>>(), zoo::names());
    let of = |name: &str| networks.iter().find(|network| network["name"] == name).unwrap();
    for network in networks {
        assert!(network["parameters"].as_u64().unwrap() > 0 && network["flops_per_pixel"].as_f64().unwrap() > 0.0, "{network}");
        assert!(network["paper"].as_str().unwrap().contains("20"), "{network}");
        assert_eq!(network["sees_whole_tile"].as_bool().unwrap(), network["receptive_field"].is_null(), "{network}");
    }
    // Global means, bins, codewords and normalisations of a tile.
    for name in
        ["smp_pspnet_resnet50", "parsenet_vgg16", "deeplabv3_resnet50", "encnet_resnet50", "unet_instance", "smp_fpn_resnet50"]
    {
        assert!(of(name)["sees_whole_tile"].as_bool().unwrap(), "{name}");
    }
    for name in [
        "fcn8s_vgg16",
        "segnet",
        "unet_paper",
        "torchvision_fcn_resnet50",
        "fcn8s_vgg16_bilinear",
        "deeplabv1_vgg16",
        "smp_unet_resnet34",
        "gcn_resnet50",
    ] {
        assert!(!of(name)["sees_whole_tile"].as_bool().unwrap(), "{name}");
    }
    // The field of view of Long et al., and the stages after the third that PSPNet's files have and its scores do not need.
    assert_eq!(of("fcn32s_vgg16")["stride"]["width"], 32);
    assert_eq!(of("smp_pspnet_resnet50")["stride"]["width"], 8);
    let table = swath(folder.path(), "model list").succeeds().stdout;
    assert!(table.lines().any(|line| line.starts_with("segnet ") && line.contains("arXiv 1511.00561")), "{table}");
}

#[test]
fn scenes_are_labelled_by_networks_of_many_kinds() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    support::write_noise(&path.join("scene.tif"), 150, 110, 3);
    for (network, widths) in [
        ("segnet", ""),
        ("unet_paper", "--widths 4,8,12,16,20"),
        ("unet_bilinear", "--widths 4,8"),
        ("monai_basic_unet", ""),
        ("smp_deeplabv3plus_mobilenet_v2", ""),
        ("smp_unet_efficientnet_b0", ""),
    ] {
        let new = format!("model new {network} {widths} --bands 3 --classes 4 --scaling scale:255 --output {network}");
        swath(path, &new).succeeds();
        let run = segment(path, &format!("scene.tif --model {network} --output {network}.tif --tile 256"));
        run.succeeds();
        let labels = read_labels(&path.join(format!("{network}.tif")));
        assert!(labels.iter().all(|label| *label < 4), "{network}");
    }
    swath(path, "model new segnet --widths 4,8 --bands 3 --classes 4 --output other").fails(2, &["segnet", "widths"]);
    swath(path, "model new segment --bands 3 --classes 4 --output other").fails(2, &["segment", "segnet"]);
}

#[test]
fn what_sees_the_whole_tile_is_warned_of_and_not_cropped() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    support::write_noise(&path.join("scene.tif"), 150, 110, 3);
    swath(path, "model new smp_pspnet_resnet34 --bands 3 --classes 4 --output pspnet").succeeds();
    segment(path, "scene.tif --model pspnet --output a.tif --tile 64 --blend crop").fails(2, &["sees the whole tile"]);
    let several = segment(path, "scene.tif --model pspnet --output b.tif --tile 64").succeeds();
    assert!(several.stderr.contains("seams may show"), "{}", several.stderr);
    let single = segment(path, "scene.tif --model pspnet --output c.tif --tile 256").succeeds();
    assert!(!single.stderr.contains("seams"), "{}", single.stderr);
    let plan = run(program(path).args(["plan", "scene.tif", "--model", "pspnet", "--tile", "64", "--json"])).succeeds();
    let [plan] = &plan.json()[..] else { panic!("{}", plan.stdout) };
    assert!(plan["seams"].is_string() && plan["halo"].is_null(), "{plan}");
}
