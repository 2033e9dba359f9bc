//! What is done after the network, and networks that look several times: the built binary, and the library where figures are taken.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Linear, NODATA, Pixels, Run, edit_json, files, program, read_band, read_labels, segment, swath};
use swath_models::ScoreActivation;
use swath_refine::{Connectivity, LabelSteps, Majority, Regions};
use swath_tiling::{Size, Window};
use tempfile::TempDir;

/// Grey values of the classes of a patchy scene.
const GREYS: [f32; 3] = [80.0, 120.0, 160.0];

/// Standard deviation of its noise.
const NOISE: f32 = 30.0;

const STEPS: &str = "--majority 3 --fill-holes 12 --sieve 20 --connectivity 8";

/// The class of a pixel of a patchy scene.
fn truth(x: usize, y: usize) -> usize {
    let (x, y) = (x as f32, y as f32);
    let field = (x / 23.0).sin() + (y / 17.0).cos() + ((x + 2.0 * y) / 41.0).sin() + ((3.0 * x - y) / 67.0).sin();
    if field < -0.5 { 0 } else { usize::from(field > 0.6) + 1 }
}

/// A patchy scene: a colour for each class, and much noise.
fn patches(width: usize, height: usize) -> Pixels<u8> {
    Pixels::new(width, height, 3, |band, x, y| {
        // The mean of four is nearly normal, with a standard deviation of 73.6 / 2.
        let sum: f32 = (0..4).map(|k| f32::from(support::noise(4 * band + k, x, y)) - 127.5).sum();
        (GREYS[truth(x, y)] + NOISE * sum / 4.0 / 36.8).round().clamp(0.0, 255.0) as u8
    })
}

/// The best that can be said of a pixel of a patchy scene by its colour alone.
fn by_colour() -> Linear {
    let variance = NOISE * NOISE;
    Linear {
        weights: GREYS.iter().map(|grey| vec![grey / variance; 3]).collect(),
        bias: GREYS.iter().map(|grey| -1.5 * grey * grey / variance).collect(),
        activation: ScoreActivation::Softmax,
    }
}

/// A folder with a patchy scene, on the map, with a stripe of nodata, and a model of it.
fn workplace(width: usize, height: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut pixels = patches(width, height);
    for plane in &mut pixels.bands {
        for value in plane.iter_mut() {
            *value = (*value).max(1);
        }
        (0..height).for_each(|y| plane[y * width + width / 3..][..5].fill(0));
    }
    pixels.write(&folder.path().join("scene.tif"), &[], |dataset| {
        support::utm(dataset);
        (1..=3).for_each(|band| dataset.rasterband(band).unwrap().set_no_data_value(Some(0.0)).unwrap());
    });
    by_colour().write(&folder.path().join("model"));
    folder
}

fn arguments(name: &str, more: &str) -> String {
    format!("segment scene.tif --model model --tile 96 --overlap 32 --max-memory 1GiB --threads 2 --output {name}.tif {more}")
}

fn label(folder: &Path, name: &str, more: &str) -> Run {
    swath(folder, &arguments(name, more))
}

fn item(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// What `STEPS` make of labels.
fn changed(size: Size, labels: Vec<u8>) -> Vec<u8> {
    let regions = |smallest| Some(Regions { smallest, connectivity: Connectivity::Corners });
    let (majority, holes, sieve) = (Some(Majority::new(3).unwrap()), regions(12), regions(20));
    let steps = LabelSteps { majority, holes, sieve, nodata: NODATA };
    let [block] = steps.blocks(size).collect::<Vec<_>>()[..] else { panic!("several blocks") };
    assert_eq!(block.core, Window::all(size));
    steps.apply(size, block, labels).unwrap()
}

#[test]
fn labels_are_changed_as_the_steps_say_and_everything_tells_of_it() {
    let folder = workplace(300, 220);
    let at = folder.path();
    label(at, "plain", "").succeeds();
    label(at, "steps", STEPS).succeeds();
    let [plain, steps] = ["plain", "steps"].map(|name| read_labels(&at.join(format!("{name}.tif"))));
    assert!(steps == changed(Size::plane(300, 220), plain.clone()));
    let differing = plain.iter().zip(&steps).filter(|(a, b)| a != b).count();
    assert!(differing > 2000, "{differing} labels changed");
    // Pixels without data stay, and none is made.
    assert!(plain.iter().zip(&steps).all(|(a, b)| (*a == NODATA) == (*b == NODATA)) && plain.contains(&NODATA));
    let item = item(at, "steps");
    let parameters = &item["properties"]["swath:parameters"];
    assert_eq!(parameters["majority"], 3);
    assert_eq!(parameters["fill_holes"], json!({ "pixels": 12, "connectivity": 8 }));
    assert_eq!(parameters["sieve"], json!({ "pixels": 20, "connectivity": 8 }));
    let count = item["assets"]["labels"]["classification:classes"][0]["count"].as_u64().unwrap();
    assert_eq!(count as usize, support::count(&steps, 1));
    // Nothing temporary is left.
    assert!(!files(at).iter().any(|name| name.contains(".part")), "{:?}", files(at));
    // An area on the ground is that of as many pixels: of 100 square metres each.
    label(at, "area", "--majority 3 --fill-holes 1200m2 --sieve 0.2ha --connectivity 8").succeeds();
    assert!(read_labels(&at.join("area.tif")) == steps);
    for (option, words) in [
        ("--sieve 5parsecs", "expected pixels such as 50, or an area such as 200m2 or 0.5ha, got `5parsecs`"),
        ("--majority 4", "expected an odd width from 3 to 255, got 4"),
        ("--connectivity 6", "expected 4 or 8"),
        ("--below class_1", "--threshold"),
    ] {
        label(at, "refused", option).fails(2, &[words]);
    }
    let nowhere = workplace(40, 40);
    patches(40, 40).write(&nowhere.path().join("scene.tif"), &[], |_| {});
    label(nowhere.path(), "refused", "--sieve 500m2")
        .fails(2, &["scene.tif to have a projected CRS, so that --sieve can be an area"]);
}

#[test]
fn parts_kills_swaths_and_threads_change_no_byte() {
    let folder = workplace(300, 520);
    let at = folder.path();
    let more = format!(
        "{STEPS} --crf iterations=2,appearance-width=8,colour-width=40 --threshold 0.9,class_2=0.95 --below class_0 --tta flips"
    );
    label(at, "whole", &more).succeeds();
    let bytes = |name: &str| fs::read(at.join(format!("{name}.tif"))).unwrap();
    let whole = bytes("whole");
    // Everything does something.
    for without in [
        "--majority 3",
        "--sieve 20",
        "--crf iterations=2,appearance-width=8,colour-width=40",
        "--threshold 0.9,class_2=0.95 --below class_0",
    ] {
        label(at, "less", &format!("{} --overwrite", more.replace(without, ""))).succeeds();
        assert!(bytes("less") != whole, "without {without}");
    }
    for options in ["--threads 1", "--threads 3 --workers 1", "--threads 3"] {
        let run = format!(
            "segment scene.tif --model model --tile 96 --overlap 32 --max-memory 1GiB {options} --output threads.tif {more} --overwrite"
        );
        swath(at, &run).succeeds();
        assert!(bytes("threads") == whole, "{options}");
    }
    for index in [2, 1, 3] {
        label(at, "parts", &format!("{more} --shard {index}/3")).succeeds();
    }
    // A part's labels are those before its neighbours are known.
    swath(at, "merge parts.tif").succeeds();
    assert!(bytes("parts") == whole);
    let parameters = |name| item(at, name)["properties"]["swath:parameters"].clone();
    assert_eq!(parameters("parts"), parameters("whole"));
    let arguments = arguments("killed", &more);
    let mut child = program(at).args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ledger = at.join("killed.tif.ledger.part");
    while fs::read_to_string(&ledger).map_or(0, |text| text.matches('\n').count()) < 3 && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Another option is another run.
    let refused = |from: &str, to: &str, words: &str| {
        let run = swath(at, &arguments.replace(from, to));
        run.fails(2, &[&format!("differs in options: {words}"), "hint: --overwrite"]);
    };
    refused("--sieve 20", "", "sieve 20 (connectivity 8) -> none");
    refused("--majority 3", "--majority 5", "majority 3 -> 5");
    refused("--threshold 0.9,class_2=0.95", "--threshold 0.9", "threshold 0.9,class_2=0.95 -> 0.9");
    refused("--tta flips", "--tta d4", "tta flips -> d4");
    let run = swath(at, &arguments).succeeds();
    assert!(run.stderr.contains("resuming at row"), "{}", run.stderr);
    assert!(bytes("killed") == whole);
    assert!(!files(at).iter().any(|name| name.contains(".part")), "{:?}", files(at));
}

#[test]
fn labels_need_their_probabilities() {
    let folder = workplace(120, 90);
    let at = folder.path();
    let layers = |name: &str| format!("--probabilities {name}_p.tif --confidence {name}_c.tif");
    label(at, "plain", &layers("plain")).succeeds();
    label(at, "nodata", &format!("{} --threshold class_1=0.8,0.6", layers("nodata"))).succeeds();
    label(at, "class", &format!("{} --threshold 0.6,class_1=0.8 --below class_2", layers("class"))).succeeds();
    let [plain, nodata, class] = ["plain", "nodata", "class"].map(|name| read_labels(&at.join(format!("{name}.tif"))));
    let probabilities: Vec<Vec<f32>> = (1..=3).map(|band| read_band(&at.join("plain_p.tif"), band)).collect();
    let confidence: Vec<u8> = read_band(&at.join("class_c.tif"), 1);
    let mut kinds = [0; 3];
    for pixel in 0..plain.len() {
        if plain[pixel] == NODATA {
            assert_eq!([nodata[pixel], class[pixel]], [NODATA; 2]);
            continue;
        }
        let own = usize::from(plain[pixel] / 2);
        let enough = probabilities[own][pixel] >= if own == 1 { 0.8 } else { 0.6 };
        let expected = if enough { [plain[pixel]; 2] } else { [NODATA, 5] };
        assert_eq!([nodata[pixel], class[pixel]], expected);
        let label = usize::from(class[pixel] / 2);
        assert_eq!(confidence[pixel], (254.0 * probabilities[label][pixel]).round() as u8);
        kinds[own] += usize::from(!enough);
    }
    assert!(kinds.iter().all(|count| *count > 10), "{kinds:?}");
    for (option, words) in [
        ("--threshold class_7=0.5", "expected a class of model `linear` (class_0, class_1, class_2), got `class_7`"),
        ("--threshold 1.5", "expected a probability from 0 to 1"),
        ("--threshold 0.5 --below water", "got `water`"),
    ] {
        label(at, "refused", option).fails(2, &[words]);
    }
}

/// Precision and recall of the borders between labels, of which those count that are at most `near` pixels from one of the other's; their harmonic mean.
fn boundary_f1(width: usize, a: &[u8], b: &[u8], near: usize) -> f64 {
    let height = a.len() / width;
    let border = |labels: &[u8]| -> Vec<bool> {
        let is_border = |at: usize| {
            let right = at % width + 1 < width && labels[at] != labels[at + 1];
            right || at + width < labels.len() && labels[at] != labels[at + width]
        };
        (0..labels.len()).map(is_border).collect()
    };
    let [a, b] = [a, b].map(border);
    let share = |of: &[bool], other: &[bool]| {
        let is_near = |at: &usize| {
            let (x, y) = (at % width, at / width);
            let columns = x.saturating_sub(near)..width.min(x + near + 1);
            (y.saturating_sub(near)..height.min(y + near + 1)).any(|y| columns.clone().any(|x| other[y * width + x]))
        };
        let all: Vec<usize> = (0..of.len()).filter(|at| of[*at]).collect();
        all.iter().filter(|at| is_near(at)).count() as f64 / all.len() as f64
    };
    let (precision, recall) = (share(&b, &a), share(&a, &b));
    2.0 * precision * recall / (precision + recall)
}

#[test]
fn a_crf_finds_the_borders_of_a_noisy_scene() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    patches(400, 300).write(&at.join("scene.tif"), &[], support::utm);
    by_colour().write(&at.join("model"));
    let truth: Vec<u8> = (0..400 * 300).map(|pixel| by_colour().value(truth(pixel % 400, pixel / 400))).collect();
    let f1 = |name: &str, more: &str| {
        segment(at, &format!("scene.tif --model model --output {name}.tif {more}")).succeeds();
        let labels = read_labels(&at.join(format!("{name}.tif")));
        let accuracy = labels.iter().zip(&truth).filter(|(a, b)| a == b).count() as f64 / truth.len() as f64;
        let f1 = boundary_f1(400, &truth, &labels, 2);
        println!("{name}: boundary F1 {f1:.3}, accuracy {accuracy:.3}");
        f1
    };
    let plain = f1("plain", "");
    let settings = "smoothness=3,smoothness-width=3,appearance=4,appearance-width=30,colour-width=60";
    let refined = f1("refined", &format!("--crf {settings}"));
    assert!(plain < 0.5 && refined > 0.7, "boundary F1 {plain} -> {refined}");
    // A model may ask for it in its card; it need not be heeded.
    edit_json(&at.join("model/model.json"), |card| {
        card["properties"]["swath:crf"] =
            json!({ "smoothness": 3, "smoothness-width": 3.0, "appearance": 4, "appearance-width": 30, "colour-width": 60 });
    });
    f1("card", "");
    f1("off", "--crf off");
    let bytes = |name: &str| fs::read(at.join(format!("{name}.tif"))).unwrap();
    assert!(bytes("card") == bytes("refined") && bytes("off") == bytes("plain"));
    let said = &item(at, "card")["properties"]["swath:parameters"]["crf"];
    let appearance = json!({ "weight": 4.0, "width": 30.0, "colour_width": 60.0, "bands": ["1", "2", "3"] });
    assert_eq!(*said, json!({ "iterations": 10, "smoothness": { "weight": 3.0, "width": 3.0 }, "appearance": appearance }));
    let refused = |settings: &str, words: &str| {
        segment(at, &format!("scene.tif --model model --output no.tif --crf {settings}")).fails(2, &[words]);
    };
    refused("iterations=0", "wrong CRF for model `linear`: expected 1 to 1000 for iterations, got 0");
    refused("bands=1+nir", "expected bands of model `linear` (1, 2, 3) for its CRF, got `nir`");
    refused("width=3", "expected NAME=VALUE with one of iterations, smoothness");
    refused("smoothness=3,smoothness=4", "expected smoothness once");
    edit_json(&at.join("model/model.json"), |card| card["properties"]["swath:crf"]["bands"] = json!(["nir"]));
    segment(at, "scene.tif --model model --output no.tif").fails(2, &["swath:crf.bands", "`nir`"]);
    edit_json(&at.join("model/model.json"), |card| card["properties"]["swath:crf"] = json!({ "sigma": 3 }));
    segment(at, "scene.tif --model model --output no.tif").fails(2, &["model.json", "sigma"]);
}

#[test]
fn a_crf_tells_colours_of_16_bits_apart_and_names_a_band_that_has_none() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let is_second = |x: usize, y: usize| (x + y) % 60 < 30;
    // The first band is the colour, and the network sees nothing but the second: it is right for seven pixels of ten.
    let value = |band: usize, x: usize, y: usize| {
        let noise = f32::from(support::noise(band, x, y)) - 127.5;
        let second = f32::from(u8::from(is_second(x, y)));
        if band == 0 { 4000.0 + 400.0 * second + noise / 74.0 } else { 1000.0 + 100.0 * (second - 0.5) + noise }
    };
    Pixels::new(160, 120, 2, |band, x, y| value(band, x, y).round() as u16).write(&at.join("scene.tif"), &[], |_| {});
    let model =
        Linear { weights: vec![vec![0.0, 0.0], vec![0.0, 0.03]], bias: vec![0.0, -30.0], activation: ScoreActivation::Softmax };
    model.write(&at.join("model"));
    let wrong = |name: &str, more: &str| {
        segment(at, &format!("scene.tif --model model --output {name}.tif {more}")).succeeds();
        let labels = read_labels(&at.join(format!("{name}.tif")));
        let is_wrong = |place: &usize| labels[*place] != model.value(usize::from(is_second(place % 160, place / 160)));
        (0..labels.len()).filter(is_wrong).count() as f64 / labels.len() as f64
    };
    let [plain, refined] = [wrong("plain", ""), wrong("refined", "--crf smoothness=0,bands=1")];
    assert!(plain > 0.2 && refined < 0.02, "{plain} -> {refined} of labels wrong");
    Pixels::new(160, 120, 2, |band, x, y| if (band, x, y) == (0, 30, 20) { 1e30 } else { value(band, x, y) }).write(
        &at.join("scene.tif"),
        &[],
        |_| {},
    );
    let run = segment(at, "scene.tif --model model --output no.tif --crf bands=2+1");
    let words =
        ["scene.tif by band `1`", "expected colours at most", "a colour-width of 3, got 1", "at place 1", "hint: a nodata value"];
    run.fails(1, &words);
    segment(at, "scene.tif --model model --output yes.tif --crf bands=2").succeeds();
}

/// How much more often labels change across the borders of tiles than elsewhere.
fn change_at(width: usize, labels: &[u8], borders: &[usize]) -> f64 {
    let height = labels.len() / width;
    let [mut at, mut elsewhere] = [[0.0; 2]; 2];
    let mut add = |place: usize, is_change: bool| {
        let counts = if borders.contains(&place) { &mut at } else { &mut elsewhere };
        counts[0] += f64::from(u8::from(is_change));
        counts[1] += 1.0;
    };
    for y in 0..height {
        (1..width).for_each(|x| add(x, labels[y * width + x] != labels[y * width + x - 1]));
    }
    for x in 0..width {
        (1..height).for_each(|y| add(y, labels[y * width + x] != labels[(y - 1) * width + x]));
    }
    at[0] / at[1] / (elsewhere[0] / elsewhere[1])
}

#[test]
fn a_crf_leaves_no_seams() {
    const SIDE: usize = 960;
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    patches(SIDE, SIDE).write(&at.join("scene.tif"), &[], support::utm);
    by_colour().write(&at.join("model"));
    let labels = |name: &str, more: &str| {
        let crf = "--crf smoothness-width=3,appearance-width=30,colour-width=60";
        swath(at, &format!("segment scene.tif --model model --output {name}.tif --max-memory 4GiB --threads 2 {crf} {more}"))
            .succeeds();
        read_labels(&at.join(format!("{name}.tif")))
    };
    let whole = labels("whole", "--tile 1024");
    let tiled = labels("tiled", "--tile 256");
    // Tiles of 256 that share a quarter: where they begin, end, and where their middles meet.
    let starts: Vec<usize> = (192..SIDE).step_by(192).map(|start| start.min(SIDE - 256)).collect();
    let borders: Vec<usize> = starts.iter().flat_map(|start| [*start, start + 32, start + 64]).collect();
    let [single, several] = [&whole, &tiled].map(|labels| change_at(SIDE, labels, &borders));
    let differing = whole.iter().zip(&tiled).filter(|(a, b)| a != b).count() as f64 / whole.len() as f64;
    println!(
        "changes across borders to elsewhere: {several:.4} in tiles, {single:.4} at the same places in one; {differing:.5} of labels differ"
    );
    assert!((several / single - 1.0).abs() < 0.02, "{several} {single}");
    assert!(differing < 0.01, "{differing}");
}

#[test]
fn views_of_a_network_that_sees_single_pixels_are_all_the_same() {
    let folder = workplace(130, 97);
    let at = folder.path();
    label(at, "plain", "--probabilities plain_p.tif").succeeds();
    for views in ["hflip", "flips", "d4"] {
        label(at, views, &format!("--tta {views} --probabilities {views}_p.tif --blend crop")).succeeds();
        assert!(read_labels(&at.join(format!("{views}.tif"))) == read_labels(&at.join("plain.tif")), "{views}");
        for band in 1..=3 {
            let [plain, views]: [Vec<f32>; 2] = ["plain", views].map(|name| read_band(&at.join(format!("{name}_p.tif")), band));
            assert!(plain.iter().zip(&views).all(|(a, b)| (a - b).abs() < 1e-6 || a.is_nan() && b.is_nan()));
        }
    }
    let flops = |more: &str| {
        let plan = swath(at, &format!("plan scene.tif --model model --tile 96 --overlap 32 --threads 1 --json {more}"))
            .succeeds()
            .json();
        (plan[0]["views"].as_u64().unwrap(), plan[0]["flops"].as_u64().unwrap(), plan[0]["memory"]["network"].as_u64().unwrap())
    };
    let plain = flops("");
    let views = flops("--tta d4+scales=1,0.5");
    assert_eq!((plain.0, views.0), (1, 16));
    assert_eq!(views.1, 8 * plain.1 + 8 * plain.1 / 4);
    assert!(views.2 > plain.2);
    label(at, "scaled", "--tta flips+scales=0.75,1,1.25").succeeds();
    let [plain, scaled] = ["plain", "scaled"].map(|name| read_labels(&at.join(format!("{name}.tif"))));
    let same = plain.iter().zip(&scaled).filter(|(a, b)| a == b).count();
    assert!(same * 10 > plain.len() * 6 && plain != scaled, "{same} of {}", plain.len());
    let parameters = item(at, "scaled")["properties"]["swath:parameters"].clone();
    assert_eq!(parameters["tta"], "flips+scales=0.75,1,1.25");
    label(at, "refused", "--tta scales=0.5,1 --blend crop").fails(2, &["`scales=0.5,1` of the network sees the whole tile"]);
    for (views, words) in [
        ("rotations", "expected none, hflip, flips, d4, mirrors or scales=A,B,.., joined by +, got `rotations`"),
        ("scales=0", "expected scales from 0.1 to 10, got `0`"),
        ("scales=1,1", "got 1 twice"),
        ("flips+d4", "expected turns once"),
    ] {
        label(at, "refused", &format!("--tta {views}")).fails(2, &[words]);
    }
}

#[test]
fn a_model_twice_is_the_model() {
    let folder = workplace(130, 97);
    let at = folder.path();
    label(at, "one", "--probabilities one_p.tif").succeeds();
    label(at, "two", "--model model --probabilities two_p.tif").succeeds();
    for name in ["", "_p"] {
        let [one, two] = ["one", "two"].map(|run| fs::read(at.join(format!("{run}{name}.tif"))).unwrap());
        assert!(one == two, "{name}");
    }
    let models = item(at, "two")["properties"]["swath:parameters"]["models"].clone();
    assert_eq!(models.as_array().unwrap().len(), 2);
    assert_eq!(models[1]["name"], "linear");
}

#[test]
fn models_of_other_bands_and_class_orders_are_averaged_by_name() {
    let folder = workplace(130, 97);
    let at = folder.path();
    // Takes the third band and the first, scaled, and has its classes in another order.
    let mut other = by_colour().model();
    other.card.bands = vec!["3".into(), "1".into()];
    other.card.scaling = vec![swath_models::Scaling::Scale { value: 2.0 }, swath_models::Scaling::None];
    other.card.classes.rotate_left(1);
    other.card.name = "other".into();
    let variance = NOISE * NOISE;
    let order = [1, 2, 0];
    let mut linear = by_colour();
    linear.weights = order.iter().map(|class| vec![2.0 * GREYS[*class] / variance, GREYS[*class] / variance]).collect();
    linear.bias = order.iter().map(|class| -GREYS[*class] * GREYS[*class] / variance).collect();
    let model = linear.model();
    (other.graph, other.weights) = (model.graph, model.weights);
    other.write(&at.join("other")).unwrap();
    let layers = |name: &str| format!("--probabilities {name}.tif");
    label(at, "one", &layers("one_p")).succeeds();
    swath(at, &arguments("two", &layers("two_p")).replace("--model model", "--model other")).succeeds();
    label(at, "both", &format!("--model other --model-weights 1,3 {}", layers("both_p"))).succeeds();
    for band in 1..=3_usize {
        let place = [3, 1, 2][band - 1];
        let one: Vec<f32> = read_band(&at.join("one_p.tif"), band);
        let two: Vec<f32> = read_band(&at.join("two_p.tif"), place);
        let both: Vec<f32> = read_band(&at.join("both_p.tif"), band);
        let mean = one.iter().zip(&two).map(|(a, b)| 0.25 * a + 0.75 * b);
        assert!(mean.zip(&both).all(|(a, b)| (a - b).abs() < 1e-6 || a.is_nan() && b.is_nan()), "band {band}");
    }
    // Bands that the user names are those of all models, each once.
    label(at, "named", "--model other --model-weights 1,3 --bands 1,2,3").succeeds();
    assert!(read_labels(&at.join("named.tif")) == read_labels(&at.join("both.tif")));
    label(at, "refused", "--model other --bands 1,2,3,3,1").fails(2, &["1, 2, 3", "got 5"]);
    label(at, "refused", "--model other --model-weights 1").fails(2, &["expected a weight above 0 for each of 2 models, got 1"]);
    label(at, "refused", "--model other --model-weights 1,0").fails(2, &["got 1, 0"]);
    let plan = |more: &str| swath(at, &format!("plan scene.tif --model model --json {more}")).succeeds().json()[0].clone();
    let [one, two] = [plan(""), plan("--model other")];
    assert!(
        two["flops"].as_u64() > one["flops"].as_u64() && two["memory"]["weights"].as_u64() > one["memory"]["weights"].as_u64()
    );
    assert_eq!(two["models"], 2);
    // What disagrees is named.
    edit_json(&at.join("other/model.json"), |card| {
        card["properties"]["mlm:output"][0]["classification:classes"][0]["name"] = "water".into();
    });
    let words = "model `other`: expected the classes of model `linear`, class_0, class_1, class_2, got class_0, class_2, water";
    label(at, "refused", "--model other").fails(2, &[words]);
}

#[test]
fn a_batch_heeds_all_of_it_and_refuses_what_differs() {
    let folder = workplace(130, 97);
    let at = folder.path();
    fs::create_dir(at.join("scenes")).unwrap();
    fs::rename(at.join("scene.tif"), at.join("scenes/a.tif")).unwrap();
    let batch = |more: &str| {
        swath(at, &format!("batch scenes/ --model model --output maps --tile 96 --max-memory 2GiB --threads 2 {more}"))
    };
    batch(&format!("{STEPS} --tta hflip")).succeeds();
    let run = batch(&format!("{STEPS} --tta hflip --json")).succeeds();
    assert_eq!(run.json()[0]["skipped"], 1);
    let refused = batch(&format!("{} --tta hflip", STEPS.replace("--sieve 20", "--sieve 30")));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("sieve 20 (connectivity 8) -> 30 (connectivity 8)"), "{}", refused.stdout);
    let refused = batch(STEPS);
    assert!(refused.stdout.contains("tta hflip -> none"), "{}", refused.stdout);
    fs::copy(at.join("scenes/a.tif"), at.join("scene.tif")).unwrap();
    swath(
        at,
        &format!("segment scene.tif --model model --output one.tif --tile 96 --max-memory 1GiB --threads 2 {STEPS} --tta hflip"),
    )
    .succeeds();
    assert!(fs::read(at.join("one.tif")).unwrap() == fs::read(at.join("maps/a.tif")).unwrap());
}
