//! How labels and reference agree, for people and programs.

use std::io;

use serde_json::{Value, json};
use swath::evaluate::{AreaEstimates, Calibration, ConfusionMatrix, Estimate, Evaluation};
use swath_models::Class;

use super::args::EvaluateArgs;
use super::print;

/// All that is to be shown.
pub(super) struct Figures<'a> {
    pub(super) args: &'a EvaluateArgs,
    pub(super) classes: &'a [Class],
    pub(super) evaluation: &'a Evaluation,
    /// The places of classes without which the figures are wanted, too.
    pub(super) without: &'a [usize],
    pub(super) areas: Option<Areas>,
}

/// Estimated areas.
pub(super) struct Areas {
    pub(super) estimates: AreaEstimates,
    /// Area of all labelled pixels in square metres, where the CRS is a projected one.
    pub(super) total_m2: Option<f64>,
}

/// One set of pixels: all, or those far from boundaries.
struct Set<'a> {
    name: &'static str,
    matrix: &'a ConfusionMatrix,
}

impl Figures<'_> {
    fn sets(&self) -> impl Iterator<Item = Set<'_>> {
        let eroded = self.evaluation.eroded.as_ref().map(|matrix| Set { name: "eroded", matrix });
        [Set { name: "full", matrix: &self.evaluation.matrix }].into_iter().chain(eroded)
    }

    /// Names of the classes that are left out, as a list.
    fn left_out(&self) -> String {
        self.without.iter().map(|&class| self.classes[class].name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Prints tables.
    pub(super) fn print(&self) -> io::Result<()> {
        let sets: Vec<Set<'_>> = self.sets().collect();
        let mut rows = summary(&sets);
        if !self.without.is_empty() {
            let name = self.left_out();
            rows.push(row(format!("mean F1 except {name}"), &sets, |matrix| share(self.mean(matrix, ConfusionMatrix::f1))));
            rows.push(row(format!("mIoU except {name}"), &sets, |matrix| share(self.mean(matrix, ConfusionMatrix::iou))));
        }
        print::table(&rows)?;
        print::line("")?;
        print::table(&class_rows(&sets))?;
        print::line("")?;
        print_matrix(&self.evaluation.matrix)?;
        if !self.without.is_empty() {
            print::line(format!("\nwithout {} in the reference", self.left_out()))?;
            let matrices: Vec<ConfusionMatrix> = sets.iter().map(|set| set.matrix.without(self.without)).collect();
            let sets: Vec<Set<'_>> = sets.iter().zip(&matrices).map(|(set, matrix)| Set { matrix, ..*set }).collect();
            print::table(&summary(&sets))?;
            print::line("")?;
            print::table(&class_rows(&sets))?;
        }
        if let Some(error) = self.evaluation.calibration.as_ref().map(Calibration::expected_error) {
            print::line(format!("\nexpected calibration error  {}", share(error)))?;
        }
        self.areas.as_ref().map_or(Ok(()), |areas| self.print_areas(areas))
    }

    /// The mean of a figure over the classes that are not left out.
    fn mean(&self, matrix: &ConfusionMatrix, figure: fn(&ConfusionMatrix, usize) -> Option<f64>) -> Option<f64> {
        matrix.mean(|matrix, class| figure(matrix, class).filter(|_| !self.without.contains(&class)))
    }

    fn print_areas(&self, Areas { estimates, total_m2 }: &Areas) -> io::Result<()> {
        let unit = if total_m2.is_some() { "ha" } else { "%" };
        let area = |share: f64| format!("{:.4}", share * total_m2.map_or(100.0, |area| area / 1e4));
        let accuracy = |estimate: Option<Estimate>| estimate.map_or("-".into(), |e| format!("{:.4} +- {:.4}", e.value, e.margin));
        let heads = [
            format!("area ({unit})"),
            "mapped".into(),
            "estimate".into(),
            "+- 95 %".into(),
            "user's".into(),
            "producer's".into(),
        ];
        let mut rows = vec![heads.to_vec()];
        for (class, estimate) in self.classes.iter().zip(&estimates.classes) {
            rows.push(vec![
                class.name.clone(),
                area(estimate.mapped),
                area(estimate.share.value),
                area(estimate.share.margin),
                accuracy(estimate.users_accuracy),
                accuracy(estimate.producers_accuracy),
            ]);
        }
        print::line("")?;
        print::table(&rows)?;
        print::line(format!("accuracy of the map  {}", accuracy(Some(estimates.accuracy))))?;
        print::line("the intervals hold for references that are random samples, not for patches of neighbouring pixels")
    }

    /// One object with everything.
    pub(super) fn as_json(&self) -> Value {
        let evaluation = self.evaluation;
        let figures = |matrix: &ConfusionMatrix| {
            let mut figures = matrix_json(matrix);
            if !self.without.is_empty() {
                figures["mean_f1_without"] = self.mean(matrix, ConfusionMatrix::f1).into();
                figures["mean_iou_without"] = self.mean(matrix, ConfusionMatrix::iou).into();
            }
            figures
        };
        let without = |matrix: &ConfusionMatrix| matrix_json(&matrix.without(self.without));
        json!({
            "prediction": self.args.prediction,
            "reference": self.args.reference,
            "classes": self.classes,
            "mapped_pixels": evaluation.mapped,
            "full": figures(&evaluation.matrix),
            "erode": self.args.erode,
            "eroded": evaluation.eroded.as_ref().map(figures),
            "without": (!self.without.is_empty()).then(|| json!({
                "classes": self.without.iter().map(|&class| &self.classes[class].name).collect::<Vec<_>>(),
                "full": without(&evaluation.matrix),
                "eroded": evaluation.eroded.as_ref().map(without),
            })),
            "calibration": evaluation.calibration.as_ref().map(calibration_json),
            "areas": self.areas.as_ref().map(|areas| self.areas_json(areas)),
        })
    }

    fn areas_json(&self, Areas { estimates, total_m2 }: &Areas) -> Value {
        let estimate = |estimate: Estimate| json!({ "value": estimate.value, "margin_95": estimate.margin });
        let classes = self.classes.iter().zip(&estimates.classes).map(|(class, area)| {
            json!({
                "name": class.name,
                "mapped_share": area.mapped,
                "share": estimate(area.share),
                "area_m2": total_m2.map(|total| {
                    estimate(Estimate { value: total * area.share.value, margin: total * area.share.margin })
                }),
                "users_accuracy": area.users_accuracy.map(estimate),
                "producers_accuracy": area.producers_accuracy.map(estimate),
            })
        });
        json!({ "total_m2": total_m2, "accuracy": estimate(estimates.accuracy), "classes": classes.collect::<Vec<_>>() })
    }
}

/// Four digits, `-` for what is undefined.
fn share(figure: Option<f64>) -> String {
    figure.map_or("-".into(), |figure| format!("{figure:.4}"))
}

fn row(name: String, sets: &[Set<'_>], figure: impl Fn(&ConfusionMatrix) -> String) -> Vec<String> {
    [name].into_iter().chain(sets.iter().map(|set| figure(set.matrix))).collect()
}

/// The figures of all classes together, a column for each set.
fn summary(sets: &[Set<'_>]) -> Vec<Vec<String>> {
    vec![
        [""].into_iter().chain(sets.iter().map(|set| set.name)).map(str::to_owned).collect(),
        row("pixels".into(), sets, |matrix| matrix.pixels().to_string()),
        row("accuracy".into(), sets, |matrix| share(matrix.accuracy())),
        row("kappa".into(), sets, |matrix| share(matrix.kappa())),
        row("mean F1".into(), sets, |matrix| share(matrix.mean_f1())),
        row("mIoU".into(), sets, |matrix| share(matrix.mean_iou())),
    ]
}

/// A row for each class, columns for each set.
fn class_rows(sets: &[Set<'_>]) -> Vec<Vec<String>> {
    let heads = sets.iter().flat_map(|set| {
        let head = |name: &str| if set.name == "full" { name.to_owned() } else { format!("{name} {}", set.name) };
        ["pixels", "precision", "recall", "F1", "IoU"].map(head)
    });
    let mut rows = vec![["class".to_owned()].into_iter().chain(heads).collect::<Vec<_>>()];
    let names = sets.first().map_or(&[][..], |set| set.matrix.names());
    for (class, name) in names.iter().enumerate() {
        let figures = sets.iter().flat_map(|Set { matrix, .. }| {
            let shares = [matrix.precision(class), matrix.recall(class), matrix.f1(class), matrix.iou(class)].map(share);
            [matrix.reference_pixels(class).to_string()].into_iter().chain(shares)
        });
        rows.push([name.clone()].into_iter().chain(figures).collect());
    }
    rows
}

fn print_matrix(matrix: &ConfusionMatrix) -> io::Result<()> {
    let classes = 0..matrix.classes();
    let has_unlabelled = classes.clone().any(|class| matrix.unlabelled(class) > 0);
    let unlabelled = |cell: String| has_unlabelled.then_some(cell);
    let heads = ["reference \\ prediction".to_owned()].into_iter().chain(matrix.names().iter().cloned());
    let mut rows = vec![heads.chain(unlabelled("unlabelled".into())).collect::<Vec<_>>()];
    for (reference, name) in matrix.names().iter().enumerate() {
        let counts = classes.clone().map(|label| matrix.count(reference, label).to_string());
        let row = [name.clone()].into_iter().chain(counts);
        rows.push(row.chain(unlabelled(matrix.unlabelled(reference).to_string())).collect());
    }
    print::table(&rows)
}

fn matrix_json(matrix: &ConfusionMatrix) -> Value {
    let classes = 0..matrix.classes();
    let class = |class: usize| {
        json!({
            "name": matrix.names()[class],
            "reference_pixels": matrix.reference_pixels(class),
            "labelled_pixels": matrix.labelled_pixels(class),
            "precision": matrix.precision(class),
            "recall": matrix.recall(class),
            "f1": matrix.f1(class),
            "iou": matrix.iou(class),
        })
    };
    let row = |reference: usize| classes.clone().map(|label| matrix.count(reference, label)).collect::<Vec<_>>();
    json!({
        "pixels": matrix.pixels(),
        "accuracy": matrix.accuracy(),
        "kappa": matrix.kappa(),
        "mean_f1": matrix.mean_f1(),
        "mean_iou": matrix.mean_iou(),
        "classes": classes.clone().map(class).collect::<Vec<_>>(),
        "matrix": classes.clone().map(row).collect::<Vec<_>>(),
        "unlabelled": classes.clone().map(|class| matrix.unlabelled(class)).collect::<Vec<_>>(),
    })
}

fn calibration_json(calibration: &Calibration) -> Value {
    let bins = calibration
        .bins()
        .iter()
        .map(|bin| json!({ "pixels": bin.pixels, "accuracy": bin.accuracy(), "confidence": bin.confidence() }));
    json!({ "expected_calibration_error": calibration.expected_error(), "bins": bins.collect::<Vec<_>>() })
}
