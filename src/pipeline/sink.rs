//! Where finished parts of a scene go.

use swath_models::LabelTable;
use swath_tiling::Window;

use super::Scores;
use crate::Result;

/// Where finished parts of a scene go, each pixel once.
pub(crate) trait RowSink: Send {
    /// What labels are made of, for who can make them before scores come back; `None` if scores are wanted in any case.
    fn labels_wanted(&self) -> Option<LabelsWanted> {
        None
    }

    /// Takes scores.
    fn scores(&mut self, scores: Scores) -> Result<()>;

    /// Takes labels; only if they are wanted.
    fn labels(&mut self, labels: LabelledPart) -> Result<()> {
        let _ = labels;
        Ok(())
    }
}

impl<F: FnMut(Scores) -> Result<()> + Send> RowSink for F {
    fn scores(&mut self, scores: Scores) -> Result<()> {
        self(scores)
    }
}

/// What labels are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LabelsWanted {
    /// The label of each class.
    pub(crate) table: LabelTable,
    /// Whether it is wanted how probable each label is.
    pub(crate) confidence: bool,
}

/// Labels of a part of the scene.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LabelledPart {
    pub(crate) window: Window,
    /// `(height, width)`
    pub(crate) labels: Vec<u8>,
    /// In steps of 1/254, 255 for none: `(height, width)`; empty if it is not wanted.
    pub(crate) confidence: Vec<u8>,
}
