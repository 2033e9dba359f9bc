//! What the values of a raster mean.

use std::collections::BTreeMap;
use std::path::Path;

use swath_models::{Class, Colour};

use crate::source::Patch;
use crate::{Error, Result};

/// The class of a pixel that has none: it is ignored, or has no label.
pub(crate) const NONE: u16 = u16::MAX;

/// A value of a raster and the class that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueClass {
    /// The stored value.
    pub value: i64,
    /// The class's name.
    pub class: String,
}

/// Which colours stand for which classes, in a raster of three bands of 8 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Palette {
    /// The colours of the ISPRS benchmarks Potsdam and Vaihingen: `impervious` FFFFFF, `building` 0000FF, `low_vegetation`
    /// 00FFFF, `tree` 00FF00, `car` FFFF00, `clutter` FF0000; black, which are the boundaries of the eroded references, is
    /// ignored.
    Isprs,
    /// Each class's own colour.
    Classes,
    /// These.
    List(Vec<PaletteEntry>),
}

/// A colour and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaletteEntry {
    /// The class's name, or [`Palette::IGNORE`].
    pub name: String,
    /// The colour.
    pub colour: Colour,
}

const ISPRS: [(&str, [u8; 3]); 7] = [
    ("impervious", [255, 255, 255]),
    ("building", [0, 0, 255]),
    ("low_vegetation", [0, 255, 255]),
    ("tree", [0, 255, 0]),
    ("car", [255, 255, 0]),
    ("clutter", [255, 0, 0]),
    (Palette::IGNORE, [0, 0, 0]),
];

impl Palette {
    /// The name of colours that do not count.
    pub const IGNORE: &str = "ignore";

    fn entries(&self, classes: &[Class]) -> Vec<PaletteEntry> {
        match self {
            Self::Isprs => {
                let entry = |(name, [red, green, blue]): (&str, [u8; 3])| PaletteEntry {
                    name: name.into(),
                    colour: Colour { red, green, blue },
                };
                ISPRS.map(entry).to_vec()
            }
            Self::Classes => {
                let entry = |class: &Class| Some(PaletteEntry { name: class.name.clone(), colour: class.colour? });
                classes.iter().filter_map(entry).collect()
            }
            Self::List(entries) => entries.clone(),
        }
    }
}

/// What the values of a raster mean.
#[derive(Clone, Debug)]
pub(crate) struct Coding {
    kind: Kind,
    /// Value, or colour as 0xRRGGBB, to the class's place or [`NONE`].
    meanings: BTreeMap<i64, u16>,
    /// The place of the class that all other values have, if there is one.
    others: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Values,
    Colours,
}

impl Coding {
    /// Values of one band: those of `map`, or without one those of the classes; `ignored` ones have no class.
    pub(super) fn values(classes: &[Class], map: Option<&[ValueClass]>, ignored: &[i64]) -> Result<Self> {
        let mut meanings = match map {
            None => (0..).zip(classes).map(|(place, class)| (class.value.into(), place)).collect(),
            Some(map) => {
                unique(map.iter().map(|entry| Ok((entry.value, place(classes, &entry.class)?))), |value| value.to_string())?
            }
        };
        meanings.extend(ignored.iter().map(|value| (*value, NONE)));
        Ok(Self { kind: Kind::Values, meanings, others: None })
    }

    /// Colours of three bands.
    pub(super) fn colours(classes: &[Class], palette: &Palette) -> Result<Self> {
        let meaning = |PaletteEntry { name, colour }: PaletteEntry| {
            let class = if name == Palette::IGNORE { NONE } else { place(classes, &name)? };
            Ok((colour_key(colour), class))
        };
        let meanings = unique(palette.entries(classes).into_iter().map(meaning), |key| format!("{key:06X}"))?;
        Ok(Self { kind: Kind::Colours, meanings, others: None })
    }

    /// Values of one band with their classes' places, [`NONE`] for those that are ignored.
    pub(crate) fn of_values(meanings: impl IntoIterator<Item = (i64, u16)>) -> Self {
        Self { kind: Kind::Values, meanings: meanings.into_iter().collect(), others: None }
    }

    /// The same where all other whole numbers stand for a class, if one is given.
    pub(crate) fn with_others(self, others: Option<u16>) -> Self {
        Self { others, ..self }
    }

    /// Colours of three bands of 8 bits with their classes' places, [`NONE`] for those that are ignored.
    pub(crate) fn of_colours(meanings: impl IntoIterator<Item = (Colour, u16)>) -> Self {
        let meanings = meanings.into_iter().map(|(colour, class)| (colour_key(colour), class));
        Self { kind: Kind::Colours, meanings: meanings.collect(), others: None }
    }

    /// All values or colours that mean something, as a list.
    pub(crate) fn known(&self) -> String {
        let show = |key: &i64| match self.kind {
            Kind::Values => key.to_string(),
            Kind::Colours => format!("{key:06X}"),
        };
        self.meanings.keys().map(show).collect::<Vec<_>>().join(", ")
    }

    /// The classes' places for a patch of the raster `path`, as [`Coding::places`].
    pub(super) fn decode(&self, patch: &Patch, path: &Path) -> Result<Vec<u16>> {
        self.places(patch).map_err(|UnknownPixel { what, x, y }| Error::UnknownValue { path: path.into(), what, x, y })
    }

    /// The classes' places for a patch, `(height, width)`; [`NONE`] for pixels that are ignored or not valid.
    #[expect(clippy::float_cmp, reason = "stored values are the same or not, they are no measurements")]
    pub(crate) fn places(&self, patch: &Patch) -> Result<Vec<u16>, UnknownPixel> {
        let area = patch.window.area();
        let pixel = |at: usize| match self.kind {
            Kind::Values => [0.0, 0.0, patch.pixels[at]],
            Kind::Colours => [0, 1, 2].map(|band| patch.pixels[band * area + at]),
        };
        // Neighbours are mostly alike.
        let mut last = ([f32::NAN; 3], NONE);
        let class = |at: usize| {
            let value = pixel(at);
            if !patch.valid[at] {
                return Ok(NONE);
            }
            if value != last.0 {
                last = (value, self.meaning(value).ok_or_else(|| self.unknown(value, patch, at))?);
            }
            Ok(last.1)
        };
        (0..area).map(class).collect()
    }

    fn meaning(&self, value: [f32; 3]) -> Option<u16> {
        match self.kind {
            Kind::Values if value[2].fract() != 0.0 => None,
            Kind::Values => self.meanings.get(&(value[2] as i64)).copied().or(self.others),
            Kind::Colours => self.meanings.get(&key(value)).copied(),
        }
    }

    fn unknown(&self, value: [f32; 3], patch: &Patch, at: usize) -> UnknownPixel {
        let what = match self.kind {
            Kind::Values => format!("value {}", value[2]),
            Kind::Colours => format!("colour {:06X}", key(value)),
        };
        let window = patch.window;
        UnknownPixel { what, x: window.x + at % window.width, y: window.y + at / window.width }
    }
}

/// A pixel whose value or colour means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownPixel {
    /// What it holds: "value 7", "colour 0000FF".
    pub(crate) what: String,
    /// The pixel's column.
    pub(crate) x: usize,
    /// The pixel's row.
    pub(crate) y: usize,
}

/// Meanings of values, each of which has only one; `show` writes a value.
fn unique(meanings: impl Iterator<Item = Result<(i64, u16)>>, show: impl Fn(i64) -> String) -> Result<BTreeMap<i64, u16>> {
    let mut unique = BTreeMap::new();
    for meaning in meanings {
        let (value, class) = meaning?;
        if unique.insert(value, class).is_some_and(|earlier| earlier != class) {
            return Err(Error::MeaningTwice { value: show(value) });
        }
    }
    Ok(unique)
}

/// A colour of three bytes as 0xRRGGBB.
fn key([red, green, blue]: [f32; 3]) -> i64 {
    (red as i64) << 16 | (green as i64) << 8 | blue as i64
}

/// A colour as 0xRRGGBB.
fn colour_key(Colour { red, green, blue }: Colour) -> i64 {
    key([red, green, blue].map(f32::from))
}

/// The place of the class of this name.
pub(super) fn place(classes: &[Class], name: &str) -> Result<u16> {
    let called = |class: &Class| class.name == name || class.title.as_deref() == Some(name);
    let names = || classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>().join(", ");
    let place = classes.iter().position(called).ok_or_else(|| Error::ClassMissing { class: name.into(), classes: names() })?;
    Ok(place as u16)
}

#[cfg(test)]
mod tests {
    use swath_tiling::Window;

    use super::*;

    fn classes() -> Vec<Class> {
        let class = |value, name: &str, colour: &str| Class {
            value,
            name: name.into(),
            title: None,
            description: None,
            colour: colour.parse().ok(),
        };
        vec![class(3, "land", "102030"), class(7, "water", "0000FF")]
    }

    fn patch(bands: &[[f32; 4]]) -> Patch {
        Patch { window: Window::plane(10, 20, 2, 2), pixels: bands.concat(), valid: vec![true, true, true, false], wanted: None }
    }

    #[test]
    fn values_are_those_of_the_classes_unless_mapped() {
        let decode = |coding: &Coding, values| coding.decode(&patch(&[values]), Path::new("a.tif"));
        let own = Coding::values(&classes(), None, &[0]).unwrap();
        assert_eq!(decode(&own, [3.0, 7.0, 0.0, 99.0]).unwrap(), [0, 1, NONE, NONE]);
        let map = [(-1, "water"), (1, "land"), (2, "land")].map(|(value, class)| ValueClass { value, class: class.into() });
        let mapped = Coding::values(&classes(), Some(&map), &[]).unwrap();
        assert_eq!(decode(&mapped, [1.0, -1.0, 2.0, 99.0]).unwrap(), [0, 1, 0, NONE]);
        let error = decode(&mapped, [1.0, -1.0, 3.0, 99.0]).unwrap_err();
        assert_eq!(error.to_string(), "value 3 at column 10, row 21 of a.tif is neither a class nor ignored");
        assert!(decode(&mapped, [1.0, 1.5, 2.0, 99.0]).unwrap_err().to_string().contains("value 1.5"));
        let map = [ValueClass { value: 1, class: "sea".into() }];
        let error = Coding::values(&classes(), Some(&map), &[]).unwrap_err();
        assert_eq!(error.to_string(), "no class is called `sea`: there are land, water");
    }

    #[test]
    fn colours_are_those_of_the_palette() {
        let decode = |coding: &Coding, bands: [[f32; 4]; 3]| coding.decode(&patch(&bands), Path::new("a.tif"));
        let own = Coding::colours(&classes(), &Palette::Classes).unwrap();
        let bands = [[16.0, 0.0, 16.0, 9.0], [32.0, 0.0, 32.0, 9.0], [48.0, 255.0, 48.0, 9.0]];
        assert_eq!(decode(&own, bands).unwrap(), [0, 1, 0, NONE]);
        let error = decode(&own, [[16.0, 0.0, 16.0, 9.0], [32.0, 1.0, 32.0, 9.0], [48.0, 255.0, 48.0, 9.0]]).unwrap_err();
        assert_eq!(error.to_string(), "colour 0001FF at column 11, row 20 of a.tif is neither a class nor ignored");
        assert!(Coding::colours(&classes(), &Palette::Isprs).unwrap_err().to_string().contains("`impervious`"));
        let twice = [("land", "000000"), ("water", "000000")]
            .map(|(name, colour)| PaletteEntry { name: name.into(), colour: colour.parse().unwrap() });
        let error = Coding::colours(&classes(), &Palette::List(twice.to_vec())).unwrap_err();
        assert_eq!(error.to_string(), "expected one meaning for each value, got several for 000000");
    }
}
