//! Pictures for people.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use swath_models::Colour;
use swath_tiling::Window;

use crate::sink::Unpublished;
use crate::{Error, Existing, Result, font};

pub(crate) const BLACK: Colour = Colour { red: 0, green: 0, blue: 0 };
pub(crate) const GREY: Colour = Colour { red: 128, green: 128, blue: 128 };
pub(crate) const WHITE: Colour = Colour { red: 255, green: 255, blue: 255 };

/// Size of a pixel of letters, in pixels.
pub(crate) const LETTER: usize = 2;

/// A white picture to draw on; what lies beyond its edges is not drawn.
pub(crate) struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Picture {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![WHITE; width * height] }
    }

    /// Puts a panel of the given width at the top.
    pub(crate) fn paste(&mut self, left: usize, width: usize, panel: &[Colour]) {
        for (line, row) in self.pixels.chunks_exact_mut(self.width).zip(panel.chunks_exact(width)) {
            line[left..left + width].copy_from_slice(row);
        }
    }

    /// Fills an area.
    pub(crate) fn fill(&mut self, area: Window, colour: Colour) {
        let area = area.intersection(Window::plane(0, 0, self.width, self.height));
        for y in area.y..area.y + area.height {
            self.pixels[y * self.width + area.x..][..area.width].fill(colour);
        }
    }

    /// Writes a text from left to right, [`text_width`] pixels wide.
    pub(crate) fn text(&mut self, [x, y]: [usize; 2], text: &str, colour: Colour) {
        for (place, character) in text.chars().enumerate() {
            let left = x + text_width(place);
            for (column, bits) in font::glyph(character).into_iter().enumerate() {
                for row in (0..font::HEIGHT).filter(|row| bits >> row & 1 == 1) {
                    self.fill(Window::plane(left + LETTER * column, y + LETTER * row, LETTER, LETTER), colour);
                }
            }
        }
    }

    /// Draws a line of two pixels' width.
    pub(crate) fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: Colour) {
        let steps = (to[0] - from[0]).abs().max((to[1] - from[1]).abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let part = step as f64 / steps;
            let at = [0, 1].map(|axis| (from[axis] + (to[axis] - from[axis]) * part).round().max(0.0) as usize);
            self.fill(Window::plane(at[0], at[1], 2, 2), colour);
        }
    }

    /// Writes a PNG, which appears whole or not at all.
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

/// Pixels across that a text of so many characters takes, with the space after it.
pub(crate) fn text_width(characters: usize) -> usize {
    LETTER * (font::WIDTH + 1) * characters
}
