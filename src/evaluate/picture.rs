//! A confusion matrix as a picture.

use std::path::Path;

use swath_models::Colour;
use swath_tiling::Window;

use super::ConfusionMatrix;
use crate::canvas::{BLACK, Canvas, WHITE, text_width};
use crate::{Existing, Result, font};

/// Size of a pixel of the letters, in pixels.
const LETTER: usize = 2;
/// Space around things, in pixels.
const GAP: usize = 8;
/// Side of a cell in pixels: with its share written in it, and without, where there are many classes.
const SIDES: [usize; 2] = [60, 12];
/// The most columns of cells with their shares written in them.
const MOST_WRITTEN: usize = 40;
/// The colour of a whole row in one cell.
const FULL: Colour = Colour { red: 8, green: 48, blue: 107 };
const GREY: Colour = Colour { red: 225, green: 225, blue: 225 };
const HEIGHT: usize = LETTER * font::HEIGHT;

/// Writes a PNG of a confusion matrix: a row for each class of the reference, a column for each class of the prediction and one,
/// `-`, for pixels without a label if there are any, in each cell the share of the row in per cent. Classes have their number,
/// from 1, and rows also their name. The row of a class that is not in the reference is grey.
///
/// # Errors
/// If the picture exists and must stay, or cannot be written.
pub fn picture(matrix: &ConfusionMatrix, path: &Path, existing: Existing) -> Result<()> {
    let classes = matrix.classes();
    let columns = classes + usize::from((0..classes).any(|class| matrix.unlabelled(class) > 0));
    let side = SIDES[usize::from(columns > MOST_WRITTEN)];
    let names: Vec<String> = (1..).zip(matrix.names()).map(|(number, name)| format!("{number} {name}")).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let title = "rows reference  columns prediction  % of row";
    let (left, top) = (GAP + text_width(longest, LETTER) + GAP, 2 * (GAP + HEIGHT) + GAP);
    let width = (left + columns * side).max(GAP + text_width(title.len(), LETTER)) + GAP;
    let mut canvas = Canvas::new(width, top + classes * side + GAP);
    canvas.text(title, GAP, GAP, LETTER, BLACK);
    for column in 0..columns {
        let number = if column == classes { "-".into() } else { (column + 1).to_string() };
        if text_width(number.len(), LETTER) <= side {
            centred(&mut canvas, &number, Window::plane(left + column * side, top - GAP - HEIGHT, side, HEIGHT), BLACK);
        }
    }
    for (row, name) in names.iter().enumerate() {
        let y = top + row * side;
        if side > HEIGHT {
            canvas.text(name, GAP, y + (side - HEIGHT) / 2, LETTER, BLACK);
        }
        for column in 0..columns {
            let cell = Window::plane(left + column * side, y, side - 1, side - 1);
            draw_cell(&mut canvas, matrix, [row, column], cell);
        }
    }
    canvas.write(path, existing)
}

fn draw_cell(canvas: &mut Canvas, matrix: &ConfusionMatrix, [row, column]: [usize; 2], cell: Window) {
    let pixels = matrix.reference_pixels(row);
    let count = if column == matrix.classes() { matrix.unlabelled(row) } else { matrix.count(row, column) };
    if pixels == 0 {
        return canvas.fill(cell, GREY);
    }
    let share = count as f64 / pixels as f64;
    let mix = |white: u8, full: u8| (f64::from(white) + share * (f64::from(full) - f64::from(white))).round() as u8;
    let [red, green, blue] = [(WHITE.red, FULL.red), (WHITE.green, FULL.green), (WHITE.blue, FULL.blue)].map(|(w, f)| mix(w, f));
    canvas.fill(cell, Colour { red, green, blue });
    // Four characters at most: 100.0 would be the fifth.
    let text = if share > 0.9995 { "100".into() } else { format!("{:.1}", 100.0 * share) };
    if count > 0 && text_width(text.len(), LETTER) <= cell.width {
        centred(canvas, &text, cell, if share > 0.5 { WHITE } else { BLACK });
    }
}

/// Writes a text in the middle of an area.
fn centred(canvas: &mut Canvas, text: &str, area: Window, colour: Colour) {
    let left = area.x + area.width.saturating_sub(text_width(text.len(), LETTER) - LETTER) / 2;
    canvas.text(text, left, area.y + area.height.saturating_sub(HEIGHT) / 2, LETTER, colour);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;

    use super::*;

    #[test]
    fn cells_are_as_dark_as_their_share() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("matrix.png");
        let matrix = ConfusionMatrix::from_counts(["a", "b", "c"], vec![3, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]).unwrap();
        picture(&matrix, &path, Existing::Refuse).unwrap();
        let mut reader = png::Decoder::new(BufReader::new(File::open(&path).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let width = reader.next_frame(&mut pixels).unwrap().width as usize;
        let (left, top) = (2 * GAP + text_width(3, LETTER), 3 * GAP + 2 * HEIGHT);
        // A corner of each cell, where nothing is written.
        let cell = |row: usize, column: usize| {
            let at = (top + row * SIDES[0]) * width + left + column * SIDES[0];
            [pixels[3 * at], pixels[3 * at + 1], pixels[3 * at + 2]]
        };
        assert_eq!(cell(0, 0), [70, 100, 144]);
        assert_eq!([cell(0, 1), cell(0, 2)], [[193, 203, 218], [255; 3]]);
        assert_eq!(cell(1, 1), [8, 48, 107]);
        assert_eq!(cell(2, 0), [225; 3]);
        assert!(picture(&matrix, &path, Existing::Refuse).is_err());
    }
}
