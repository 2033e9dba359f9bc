//! Pictures that are drawn.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use swath_models::Colour;
use swath_tiling::Window;

use crate::sink::Unpublished;
use crate::{Error, Existing, Result, font};

pub(crate) const BLACK: Colour = Colour { red: 0, green: 0, blue: 0 };
pub(crate) const WHITE: Colour = Colour { red: 255, green: 255, blue: 255 };

/// A white picture to draw on.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![WHITE; width * height] }
    }

    /// Puts a panel of the given width at the top.
    pub(crate) fn paste(&mut self, left: usize, width: usize, panel: &[Colour]) {
        for (line, row) in self.pixels.chunks_exact_mut(self.width).zip(panel.chunks_exact(width)) {
            line[left..left + width].copy_from_slice(row);
        }
    }

    /// Fills what of the area lies on the canvas.
    pub(crate) fn fill(&mut self, area: Window, colour: Colour) {
        let area = area.intersection(Window::plane(0, 0, self.width, self.height));
        for y in area.y..area.y + area.height {
            self.pixels[y * self.width + area.x..][..area.width].fill(colour);
        }
    }

    /// Writes a text from left to right; a pixel of its letters is a square of side `letter`.
    pub(crate) fn text(&mut self, text: &str, left: usize, top: usize, letter: usize, colour: Colour) {
        for (place, character) in text.chars().enumerate() {
            let left = left + text_width(place, letter);
            for (column, bits) in font::glyph(character).into_iter().enumerate() {
                for row in (0..font::HEIGHT).filter(|row| bits >> row & 1 == 1) {
                    self.fill(Window::plane(left + letter * column, top + letter * row, letter, letter), colour);
                }
            }
        }
    }

    /// Draws a line of two pixels' width.
    pub(crate) fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: Colour) {
        let steps = (to[0] - from[0]).abs().max((to[1] - from[1]).abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let part = step as f64 / steps;
            let [x, y] = [0, 1].map(|axis| (from[axis] + (to[axis] - from[axis]) * part).round().max(0.0) as usize);
            self.fill(Window::plane(x, y, 2, 2), colour);
        }
    }

    /// Writes the picture as a PNG; it appears whole or not at all.
    pub(crate) fn write(&self, path: &Path, existing: Existing) -> Result<()> {
        let output = Unpublished::create(path, existing)?;
        let part = output.part();
        let fail = |action| move |source| Error::File { action, path: part.into(), source };
        let mut file = BufWriter::new(File::create(part).map_err(fail("create"))?);
        self.encode(&mut file).map_err(|source| Error::Png { path: part.into(), source })?;
        // Dropped, it would keep to itself that the disk is full.
        file.flush().map_err(fail("write"))?;
        output.publish()
    }

    fn encode(&self, file: &mut BufWriter<File>) -> std::result::Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|c| [c.red, c.green, c.blue]).collect();
        writer.write_image_data(&bytes)?;
        writer.finish()
    }
}

/// Width of a text of so many characters, with the space after it.
pub(crate) fn text_width(characters: usize, letter: usize) -> usize {
    letter * (font::WIDTH + 1) * characters
}
