//! The dense CRF held against the authors' implementation and against sums over all pairs of pixels.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use serde_json::Value;
use swath_refine::{Appearance, CrfParameters, DenseCrf, Lattice, Pixels, Smoothness};
use swath_tiling::Size;

struct Case {
    name: String,
    size: Size,
    classes: usize,
    crf: DenseCrf,
    image: Vec<f32>,
    probabilities: Vec<f32>,
    exact: Vec<f32>,
    pydensecrf: Vec<f32>,
}

/// What `golden/make_crf.py` wrote.
fn cases() -> Vec<Case> {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/crf.json")).unwrap();
    let case = |case: &Value| {
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let numbers = |name: &str| {
            let values = case[name].as_array().map(Vec::as_slice).unwrap_or_default();
            values.iter().map(|value| value.as_f64().unwrap() as f32).collect::<Vec<_>>()
        };
        let smoothness = match *numbers("smoothness") {
            [weight, width] => Some(Smoothness { weight, width }),
            _ => None,
        };
        let appearance = match *numbers("appearance") {
            [weight, width, colour_width] => Some(Appearance { weight, width, colour_width }),
            _ => None,
        };
        let iterations = number("iterations") as u32;
        Case {
            name: case["name"].as_str().unwrap().to_owned(),
            size: Size::plane(number("width"), number("height")),
            classes: number("classes"),
            crf: DenseCrf::new(CrfParameters { iterations, smoothness, appearance }).unwrap(),
            image: numbers("image"),
            probabilities: numbers("probabilities"),
            exact: numbers("exact"),
            pydensecrf: numbers("pydensecrf"),
        }
    };
    cases.iter().map(case).collect()
}

fn refined(case: &Case, [x, y]: [usize; 2], valid: &[bool]) -> Vec<f32> {
    let mut probabilities = case.probabilities.clone();
    let pixels = Pixels { size: case.size, x, y, colours: &case.image, valid };
    case.crf.refine(&pixels, &mut probabilities).unwrap();
    probabilities
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn labels(classes: usize, probabilities: &[f32]) -> Vec<usize> {
    let area = probabilities.len() / classes;
    let best = |pixel: usize| {
        let p = |class: &usize| probabilities[class * area + pixel];
        (0..classes).max_by(|a, b| p(a).total_cmp(&p(b))).unwrap()
    };
    (0..area).map(best).collect()
}

fn disagreement(case: &Case, a: &[f32], b: &[f32]) -> f64 {
    let [a, b] = [a, b].map(|probabilities| labels(case.classes, probabilities));
    a.iter().zip(&b).filter(|(a, b)| a != b).count() as f64 / a.len() as f64
}

#[test]
fn probabilities_are_those_of_the_authors_implementation() {
    for case in cases() {
        let got = refined(&case, [0, 0], &vec![true; case.size.area()]);
        let difference = largest_difference(&got, &case.pydensecrf);
        println!("{}: {difference:.1e} from pydensecrf", case.name);
        assert!(difference < 2e-5, "{}: {difference}", case.name);
    }
}

/// The lattice is no exact Gaussian: where labels are contested, probabilities may be far off, as the authors' own are.
#[test]
fn labels_are_those_of_exact_sums_wherever_the_lattice_is_put() {
    for case in cases() {
        let before = disagreement(&case, &case.probabilities, &case.exact);
        for origin in [[0, 0], [13, 5], [1_000_003, 77_777]] {
            let got = refined(&case, origin, &vec![true; case.size.area()]);
            let wrong = disagreement(&case, &got, &case.exact);
            println!(
                "{} at {origin:?}: {:.2} % of labels differ from exact sums, {:.1} % before",
                case.name,
                100.0 * wrong,
                100.0 * before
            );
            assert!(before > 0.06 && wrong <= 0.04, "{} at {origin:?}: {wrong}", case.name);
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let case = &cases()[0];
    let valid = vec![true; case.size.area()];
    let on = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| refined(case, [3, 9], &valid))
    };
    let one = on(1);
    for threads in [2, 5] {
        let other = on(threads);
        assert!(one.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()), "{threads} threads");
    }
}

#[test]
fn pixels_that_do_not_count_stay_and_change_none() {
    let case = &cases()[0];
    let area = case.size.area();
    let valid: Vec<bool> = (0..area).map(|pixel| pixel % case.size.width < 20).collect();
    let expected = refined(case, [0, 0], &valid);
    let mut other = cases().remove(0);
    for pixel in (0..area).filter(|pixel| !valid[*pixel]) {
        (0..case.classes).for_each(|class| other.probabilities[class * area + pixel] = f32::NAN);
        (0..3).for_each(|band| other.image[band * area + pixel] = f32::NAN);
    }
    let got = refined(&other, [0, 0], &valid);
    for place in 0..got.len() {
        if valid[place % area] {
            assert_eq!(got[place].to_bits(), expected[place].to_bits());
        } else {
            assert!(got[place].is_nan());
            assert_eq!(expected[place].to_bits(), case.probabilities[place].to_bits());
        }
    }
    assert_ne!(expected, refined(case, [0, 0], &vec![true; area]));
}

#[test]
fn a_probability_that_is_no_number_is_left_to_be_found() {
    let mut case = cases().remove(0);
    case.probabilities[40] = f32::NAN;
    let got = refined(&case, [0, 0], &vec![true; case.size.area()]);
    assert!(got.iter().zip(&case.probabilities).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let refused = |parameters: CrfParameters| DenseCrf::new(parameters).unwrap_err().to_string();
    let default = CrfParameters::default();
    assert_eq!(refused(CrfParameters { iterations: 0, ..default }), "expected 1 to 1000 for iterations, got 0");
    let smoothness = Some(Smoothness { weight: f32::NAN, width: 3.0 });
    assert_eq!(
        refused(CrfParameters { smoothness, ..default }),
        "expected a number above 0, up to 1000000 for smoothness, got NaN"
    );
    let none = CrfParameters { smoothness: None, appearance: None, ..default };
    assert_eq!(refused(none), "expected a weight above 0 for one of them for smoothness and appearance, got 0 for both");
    let crf = DenseCrf::new(default).unwrap();
    let pixels = Pixels { size: Size::plane(2, 2), x: 0, y: 0, colours: &[0.0; 28], valid: &[true; 4] };
    let error = crf.refine(&pixels, &mut [0.5; 8]).unwrap_err();
    assert_eq!(error.to_string(), "expected 4 for each of at most 6 bands colours for 2 x 2 pixels, got 28");
}

/// Sums over all pairs, with Gaussian weights.
fn gaussian_sums(dimensions: usize, points: &[f32], values: &[f32]) -> Vec<f64> {
    let points: Vec<&[f32]> = points.chunks_exact(dimensions).collect();
    let weight = |a: &[f32], b: &[f32]| (-0.5 * a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()).exp();
    points.iter().map(|a| points.iter().zip(values).map(|(b, value)| weight(a, b) * f64::from(*value)).sum()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Means of a smooth field over many points, as the CRF takes them, are those of an exact Gaussian: within 0.05 of the field's -1 to 1 on
    /// average, and within 0.2 at corners, where few points share a mean.
    #[test]
    fn means_on_the_lattice_are_those_of_a_gaussian((width, slope, x, y) in (2.0..6.0_f32, -0.1..0.1_f32, 0.0..1e6_f64, 0.0..1e6_f64)) {
        let place = |pixel: usize| [(pixel % 40) as f32, (pixel / 40) as f32];
        let points: Vec<f32> = (0..1600).flat_map(|pixel| place(pixel).map(|at| at / width)).collect();
        let values: Vec<f32> = (0..1600).map(|pixel| (place(pixel)[0] * 0.3 + place(pixel)[1] * slope).sin()).collect();
        let lattice = Lattice::new(2, &points, &[x, y]);
        let filtered = |values: &[f32]| {
            let mut out = vec![0.0; values.len()];
            lattice.filter(1, values, &mut out);
            out
        };
        let [sums, ones] = [filtered(&values), filtered(&[1.0; 1600])];
        let [exact, all] = [gaussian_sums(2, &points, &values), gaussian_sums(2, &points, &[1.0; 1600])];
        let mut squares = 0.0;
        for pixel in 0..1600 {
            let [got, expected] = [f64::from(sums[pixel] / ones[pixel]), exact[pixel] / all[pixel]];
            prop_assert!((got - expected).abs() < 0.2, "pixel {pixel}: expected {expected}, got {got}");
            squares += (got - expected).powi(2);
        }
        let mean = (squares / 1600.0).sqrt();
        prop_assert!(mean < 0.05, "means differ by {mean}");
    }
}
