//! A picture of what is held back.

use std::path::Path;

use swath_models::Model;
use swath_models::train::Targets;
use swath_tiling::Window;

use super::TrainObserver;
use super::label_volume::StoredLabels;
use super::scene::TrainingScene;
use super::validate::{HeldBack, label_part};
use super::volume_validation;
use crate::Result;
use crate::preview::{Shown, panel_size};
use crate::volume::Volume;

/// Pixels of the scene that are read at once, at most.
const PIXELS: usize = 1 << 20;

/// Writes a PNG of the largest part that is held back, at the network's resolution: the scene, the truth and the labels of `model`. Of a volume, it is
/// that one of its planes, as they are stored, that has most labels but the first class.
pub(super) fn draw(
    scenes: &[TrainingScene],
    held_back: &[HeldBack],
    model: &Model,
    observer: &dyn TrainObserver,
    path: &Path,
) -> Result<()> {
    let Some(part) = held_back.iter().max_by_key(|part| part.window.area()) else { return Ok(()) };
    if let Some((volume, labels)) = scenes[part.scene].volume() {
        return draw_volume(&scenes[part.scene], volume, labels, part, model, observer, path);
    }
    let panel = Panel::new(part.window);
    let (window, [width, height]) = (panel.window, panel.size);
    let (mut truth, mut labels) = (vec![Targets::IGNORE; width * height], vec![Targets::IGNORE; width * height]);
    label_part(scenes, part, model, observer, &mut |block| {
        panel.each(block.window, |at, from| {
            truth[at] = block.truth[from];
            labels[at] = block.labels[from];
        });
        Ok(())
    })?;
    let bands = if model.card.bands.len() < 3 { [0, 0, 0] } else { [0, 1, 2] };
    let mut scene = vec![0.0; 3 * width * height];
    let mut reader = scenes[part.scene].reader()?;
    let rows = (PIXELS / window.width).max(1);
    for top in (window.y..window.y + window.height).step_by(rows) {
        let strip = Window::plane(window.x, top, window.width, rows.min(window.y + window.height - top));
        let patch = reader.pixels(strip)?;
        panel.each(strip, |at, from| {
            for (to, band) in bands.into_iter().enumerate() {
                scene[to * width * height + at] = patch.pixels[band * patch.valid.len() + from];
            }
        });
    }
    Shown { size: panel.size, scene, truth, labels }.draw(&model.card.classes, path)
}

/// The same of a volume.
fn draw_volume(
    scene: &TrainingScene,
    volume: &Volume,
    labels: &StoredLabels,
    part: &HeldBack,
    model: &Model,
    observer: &dyn TrainObserver,
    path: &Path,
) -> Result<()> {
    let size = volume.size();
    let plane = Window::plane(0, 0, size.width, size.height);
    let panel = Panel::new(plane);
    let area = panel.size[0] * panel.size[1];
    let shown = most_labelled(labels, size.depth)?;
    let (mut truth, mut found) = (vec![Targets::IGNORE; area], vec![Targets::IGNORE; area]);
    volume_validation::label_part(scene, part, model, observer, |labelled| {
        if labelled.z == shown {
            panel.each(plane, |at, from| {
                truth[at] = labelled.truth[from];
                found[at] = labelled.labels[from];
            });
        }
        Ok(())
    })?;
    let values = volume.stored().reader(volume.frame())?.read(shown..shown + 1)?;
    let mut grey = vec![0.0; area];
    panel.each(plane, |at, from| grey[at] = values[from]);
    Shown { size: panel.size, scene: grey.repeat(3), truth, labels: found }.draw(&model.card.classes, path)
}

/// The first of the planes that have most labels but the first class, which is the background.
fn most_labelled(labels: &StoredLabels, depth: usize) -> Result<usize> {
    let (mut reader, mut best, mut most) = (labels.reader()?, 0, 0);
    for z in 0..depth {
        let count = reader.read(z)?.into_iter().filter(|class| ![0, Targets::IGNORE].contains(class)).count();
        if count > most {
            (best, most) = (z, count);
        }
    }
    Ok(best)
}

/// Which pixels of a window a panel shows: of each of its own the nearest.
struct Panel {
    window: Window,
    /// Width and height.
    size: [usize; 2],
}

impl Panel {
    fn new(window: Window) -> Self {
        Self { window, size: panel_size(window.width, window.height) }
    }

    /// Calls `show` for every pixel that lies in a part of the window, with its place in the panel and that in the part.
    fn each(&self, part: Window, mut show: impl FnMut(usize, usize)) {
        let [width, height] = self.size;
        let columns = |x: usize| (self.window.x + x * self.window.width / width).checked_sub(part.x).filter(|x| *x < part.width);
        for y in 0..height {
            let row = (self.window.y + y * self.window.height / height).checked_sub(part.y).filter(|y| *y < part.height);
            let Some(row) = row else { continue };
            for (x, column) in (0..width).filter_map(|x| Some((x, columns(x)?))) {
                show(y * width + x, row * part.width + column);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_of_a_panel_is_shown_once_whatever_the_parts() {
        let window = Window::plane(7, 30, 1000, 333);
        let panel = Panel::new(window);
        let mut shown = vec![0; panel.size[0] * panel.size[1]];
        for (x, width) in [(7, 400), (407, 600)] {
            for y in (30..363).step_by(100) {
                let part = Window::plane(x, y, width, 100.min(363 - y));
                panel.each(part, |at, from| {
                    assert!(from < part.area());
                    shown[at] += 1;
                });
            }
        }
        assert!(shown.iter().all(|times| *times == 1));
    }
}
