//! What is done with labels when all are found.

use swath_models::{Class, ModelCard};
use swath_refine::{Connectivity, Labelling};
use swath_tiling::Size;

use super::scratch::Scratch;
use crate::Result;

/// What is done with labels when all are found, in this order. What loses its label gets that of the card's first class, the background, whose own
/// components stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AfterSteps {
    /// Which components stay.
    pub kept: Kept,
    /// The smallest component that stays, in mm3.
    pub smallest: f64,
    /// Whether background that one class encloses gets its label: what shares no face with another class, nor with the volume's edge.
    pub fill_holes: bool,
}

/// Which components of a class stay. Voxels that touch, if only with a corner, are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Kept {
    /// All
    #[default]
    All,
    /// The largest of each class, the first one of several
    Largest,
}

impl AfterSteps {
    /// Whether nothing is done.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Changes the labels of a volume whose voxels have this size, in slabs.
    pub(super) fn apply(self, labels: &mut Scratch<u8>, size: Size, voxel_mm3: f64, card: &ModelCard) -> Result<()> {
        let Some(Class { value: background, .. }) = card.classes.first() else { return Ok(()) };
        let background = *background;
        if self.kept == Kept::Largest || self.smallest > 0.0 {
            let components = components(labels, size, Connectivity::Corners)?;
            labels.change(|first, labels| {
                components.relabel(first * size.height, labels, |id, component| {
                    let is_class = component.label != background && component.label != card.nodata;
                    let is_small = (component.size as f64) * voxel_mm3 < self.smallest;
                    let is_less = self.kept == Kept::Largest && components.largest(component.label) != Some(id);
                    if is_class && (is_small || is_less) { background } else { component.label }
                });
            })?;
        }
        if self.fill_holes {
            let components = components(labels, size, Connectivity::Faces)?;
            labels.change(|first, labels| {
                components.relabel(first * size.height, labels, |id, component| {
                    let enclosing = components.encloses(id).filter(|label| *label != card.nodata);
                    if component.label == background { enclosing.unwrap_or(background) } else { component.label }
                });
            })?;
        }
        Ok(())
    }
}

fn components(labels: &Scratch<u8>, size: Size, connectivity: Connectivity) -> Result<swath_refine::Components> {
    let mut labelling = Labelling::new(size, connectivity)?;
    labels.read(|_, planes| Ok(labelling.feed(planes)?))?;
    Ok(labelling.finish()?)
}
