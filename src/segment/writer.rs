//! Where what the network finds is written, and which rows are finished.

use swath_tiling::{TileGrid, Window};

use crate::Result;
use crate::labels::Labeller;
use crate::ledger::Ledger;
use crate::pipeline::{LabelledPart, LabelsWanted, RowSink, Scores};
use crate::plan::Plan;
use crate::product::Sinks;

/// Writes what a run finishes, and notes which rows are.
pub(super) struct Writer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) labeller: Labeller,
    pub(super) sinks: &'a mut Sinks,
    /// None if the run is not worth one.
    pub(super) ledger: Option<&'a mut Ledger>,
}

impl Writer<'_> {
    /// Notes that a part is written, if a row of tiles is finished with it.
    fn note(&mut self, part: Window) -> Result<()> {
        if let Some(ledger) = &mut self.ledger
            && let Some(row) = finished_row(self.plan, part)
        {
            let row = self.plan.to_output(row);
            self.sinks.sync()?;
            ledger.record(row, self.sinks.digest(row)?)?;
            self.sinks.keep();
        }
        Ok(())
    }
}

impl RowSink for Writer<'_> {
    fn labels_wanted(&self) -> Option<LabelsWanted> {
        self.sinks.labels_wanted(&self.labeller)
    }

    fn scores(&mut self, scores: Scores) -> Result<()> {
        self.sinks.write(self.plan.to_output(scores.window), &self.labeller, &scores)?;
        self.note(scores.window)
    }

    fn labels(&mut self, part: LabelledPart) -> Result<()> {
        self.sinks.write_labels(self.plan.to_output(part.window), &part.labels, &part.confidence)?;
        self.note(part.window)
    }
}

/// The row of tiles of a swath that is finished with this block: its last one.
fn finished_row(plan: &Plan, block: Window) -> Option<Window> {
    let swaths = plan.swaths.iter().map(TileGrid::owned);
    let swath = swaths.into_iter().find(|swath| swath.contains(block))?;
    let is_last = block.x + block.width == swath.x + swath.width;
    is_last.then_some(Window { x: swath.x, width: swath.width, ..block })
}
