//! How a training goes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::evaluate::ConfusionMatrix;
use crate::sink::Unpublished;
use crate::{Error, Existing, Result};

/// What is known after some steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Steps so far.
    pub step: u64,
    /// Epochs so far, perhaps with a fraction.
    pub epoch: f64,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Mean loss of the steps since the last metrics.
    pub loss: f64,
    /// Time spent in training so far, in seconds, without validation.
    pub seconds: f64,
    /// How good the network is on what is held back, at the end of an epoch.
    pub validation: Option<Validation>,
}

/// How good a network is on what is held back. Figures are 0 to 1; `None` where they are undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Mean intersection over union of the classes.
    pub mean_iou: Option<f64>,
    /// Mean F1 of the classes.
    pub mean_f1: Option<f64>,
    /// Share of the pixels with the right label.
    pub accuracy: Option<f64>,
    /// Intersection over union of each class.
    pub iou: Vec<Option<f64>>,
    /// F1 of each class.
    pub f1: Vec<Option<f64>>,
    /// Of volumes, the mean of `dice` over all classes but the first, the background.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_dice: Option<f64>,
    /// Of volumes, the Dice coefficient of each class: the mean over the volumes that have it, or labels of it. `None` for scenes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dice: Option<Vec<Option<f64>>>,
}

impl Validation {
    /// The figures of a confusion matrix.
    #[must_use]
    pub fn new(matrix: &ConfusionMatrix) -> Self {
        let classes = || 0..matrix.classes();
        Self {
            mean_iou: matrix.mean_iou(),
            mean_f1: matrix.mean_f1(),
            accuracy: matrix.accuracy(),
            iou: classes().map(|class| matrix.iou(class)).collect(),
            f1: classes().map(|class| matrix.f1(class)).collect(),
            mean_dice: None,
            dice: None,
        }
    }

    /// The same with what is known of each volume; of no volume, nothing is added.
    pub(super) fn with_volumes(self, volumes: &[ConfusionMatrix]) -> Self {
        let Some(first) = volumes.first() else { return self };
        let dice = |class: usize| mean(volumes.iter().filter_map(|volume| volume.f1(class)));
        let dice: Vec<Option<f64>> = (0..first.classes()).map(dice).collect();
        Self { mean_dice: mean(dice.iter().skip(1).copied().flatten()), dice: Some(dice), ..self }
    }
}

/// The mean of some numbers, if there are any.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let [sum, count] = values.fold([0.0; 2], |[sum, count], value| [sum + value, count + 1.0]);
    (count > 0.0).then(|| sum / count)
}

/// Writes all metrics as a table with a line of names, in place of an earlier one; of volumes with their Dice coefficients.
pub(super) fn write(metrics: &[Metrics], classes: &[String], path: &Path) -> Result<()> {
    let has_volumes = metrics.iter().filter_map(|row| row.validation.as_ref()).any(|validation| validation.dice.is_some());
    let mut text = String::from("step,epoch,learning_rate,loss,seconds,mean_iou,mean_f1,accuracy");
    for figure in ["iou", "f1"] {
        text.extend(classes.iter().flat_map(|class| [",", figure, "_", class]));
    }
    if has_volumes {
        text.push_str(",mean_dice");
        text.extend(classes.iter().flat_map(|class| [",dice_", class]));
    }
    text.push('\n');
    for row in metrics {
        // Text in memory takes all that is written.
        let _ = write!(text, "{},{:.4},{:e},{:.6},{:.1}", row.step, row.epoch, row.rate, row.loss, row.seconds);
        let mut figures: Vec<Option<f64>> = match &row.validation {
            Some(v) => [v.mean_iou, v.mean_f1, v.accuracy].into_iter().chain(v.iou.clone()).chain(v.f1.clone()).collect(),
            None => vec![None; 3 + 2 * classes.len()],
        };
        if has_volumes {
            let validation = row.validation.as_ref();
            figures.push(validation.and_then(|v| v.mean_dice));
            figures.extend(validation.and_then(|v| v.dice.clone()).unwrap_or_else(|| vec![None; classes.len()]));
        }
        for figure in figures {
            text.push(',');
            text.push_str(&figure.map_or(String::new(), |figure| format!("{figure:.6}")));
        }
        text.push('\n');
    }
    let output = Unpublished::create(path, Existing::Overwrite)?;
    fs::write(output.part(), text).map_err(|source| Error::File { action: "write", path: path.into(), source })?;
    output.publish()
}
