//! A picture of how a training goes.

use std::path::Path;

use swath_models::Colour;
use swath_tiling::Window;

use super::Metrics;
use crate::canvas::{BLACK, Canvas, text_width};
use crate::{Existing, Result};

const WIDTH: usize = 960;
/// Height of one of the two charts.
const HEIGHT: usize = 300;
/// Space left of a chart, for the figures of its axis, and around it.
const LEFT: usize = 90;
const GAP: usize = 40;
/// Size of a pixel of letters, in pixels.
const LETTER: usize = 2;

const LOSS: Colour = Colour { red: 31, green: 119, blue: 180 };
const MEAN_IOU: Colour = Colour { red: 214, green: 39, blue: 40 };
const MEAN_F1: Colour = Colour { red: 44, green: 160, blue: 44 };
const MEAN_DICE: Colour = Colour { red: 148, green: 103, blue: 189 };
const GRID: Colour = Colour { red: 225, green: 225, blue: 225 };

/// Points of a chart: steps across, a figure upwards.
struct Curve {
    name: &'static str,
    colour: Colour,
    points: Vec<[f64; 2]>,
}

/// Writes a PNG with the loss above, and mean `IoU` and F1 of the validation below, of volumes mean Dice, too.
pub(super) fn draw(metrics: &[Metrics], steps: u64, path: &Path) -> Result<()> {
    let mut canvas = Canvas::new(WIDTH, 2 * HEIGHT);
    let points = |figure: &dyn Fn(&Metrics) -> Option<f64>| {
        metrics.iter().filter_map(|row| Some([row.step as f64, figure(row)?])).collect::<Vec<_>>()
    };
    let loss = Curve { name: "loss", colour: LOSS, points: points(&|row| Some(row.loss)) };
    let top = loss.points.iter().map(|[_, y]| *y).fold(f64::MIN_POSITIVE, f64::max);
    chart(&mut canvas, 0, &[loss], steps, top);
    let iou = points(&|row| row.validation.as_ref()?.mean_iou);
    let f1 = points(&|row| row.validation.as_ref()?.mean_f1);
    let dice = points(&|row| row.validation.as_ref()?.mean_dice);
    let mut scores =
        vec![Curve { name: "mean iou", colour: MEAN_IOU, points: iou }, Curve { name: "mean f1", colour: MEAN_F1, points: f1 }];
    if !dice.is_empty() {
        scores.push(Curve { name: "mean dice", colour: MEAN_DICE, points: dice });
    }
    chart(&mut canvas, HEIGHT, &scores, steps, 1.0);
    canvas.write(path, Existing::Overwrite)
}

/// Draws a chart from 0 to `top` and over all steps, its upper edge at `y`.
fn chart(canvas: &mut Canvas, y: usize, curves: &[Curve], steps: u64, top: f64) {
    let [width, height] = [WIDTH - LEFT - GAP, HEIGHT - 2 * GAP];
    let [left, bottom] = [LEFT, y + HEIGHT - GAP];
    for quarter in 0..=4 {
        let level = bottom - quarter * height / 4;
        canvas.fill(Window::plane(left, level, width, 1), if quarter == 0 { BLACK } else { GRID });
        let value = top * quarter as f64 / 4.0;
        let text = if top < 1000.0 { format!("{value:.3}") } else { format!("{value:.3e}") };
        canvas.text(&text, left.saturating_sub(text_width(text.len(), LETTER) + 6), level - 7, LETTER, BLACK);
        let at = left + quarter * width / 4;
        canvas.fill(Window::plane(at, bottom - height, 1, height), if quarter == 0 { BLACK } else { GRID });
        let text = (steps * quarter as u64 / 4).to_string();
        canvas.text(&text, at - text_width(text.len(), LETTER) / 2, bottom + 8, LETTER, BLACK);
    }
    let mut x = left;
    for curve in curves {
        canvas.fill(Window::plane(x, y + 12, 6 * LETTER, 7 * LETTER), curve.colour);
        canvas.text(curve.name, x + 8 * LETTER, y + 12, LETTER, BLACK);
        x += 8 * LETTER + text_width(curve.name.len(), LETTER) + GAP;
        let place = |[step, value]: [f64; 2]| {
            let across = step / steps.max(1) as f64 * width as f64;
            [left as f64 + across, bottom as f64 - (value / top).clamp(0.0, 1.0) * height as f64]
        };
        for pair in curve.points.windows(2) {
            canvas.line(place(pair[0]), place(pair[1]), curve.colour);
        }
        if let [only] = curve.points[..] {
            let [x, y] = place(only).map(|at| at as usize);
            canvas.fill(Window::plane(x - 2, y - 2, 5, 5), curve.colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_any_size_are_drawn() {
        let folder = tempfile::TempDir::new().unwrap();
        for loss in [0.0, 1e-30, 999.999, 1000.0, 1e12, 1e300] {
            let row = Metrics { step: 1, epoch: 1.0, rate: 1.0, loss, seconds: 1.0, validation: None };
            let path = folder.path().join("curves.png");
            draw(&[row.clone(), Metrics { step: 2, ..row }], 2, &path).unwrap();
            assert!(path.exists());
        }
    }
}
