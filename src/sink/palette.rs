//! Colours of classes that have none.

use swath_models::{Class, Colour};

/// Twenty colours that people tell apart, also most of those who are colour-blind, from the most useful to the least: S. Trubetskoy,
/// "List of 20 simple, distinct colors", 2017.
const DISTINCT: [u32; 20] = [
    0xE6_19_4B, 0x3C_B4_4B, 0xFF_E1_19, 0x43_63_D8, 0xF5_82_31, 0x91_1E_B4, 0x42_D4_F4, 0xF0_32_E6, 0xBF_EF_45, 0xFA_BE_D4,
    0x46_99_90, 0xDC_BE_FF, 0x9A_63_24, 0xFF_FA_C8, 0x80_00_00, 0xAA_FF_C3, 0x80_80_00, 0xFF_D8_B1, 0x00_00_75, 0xA9_A9_A9,
];

/// How each class is drawn, in the order of `classes`: in its own colour, else in the first of the default palette that is unlike
/// those of all classes.
/// After the twenty distinct colours the palette has the same ones in ever darker shades.
pub(crate) fn colours(classes: &[Class]) -> Vec<Colour> {
    let own: Vec<Colour> = classes.iter().filter_map(|class| class.colour).collect();
    let mut spare = (0..).map(shade).filter(|colour| !own.iter().any(|own| is_like(*own, *colour)));
    let mut next = || spare.next().unwrap_or(Colour { red: 0, green: 0, blue: 0 });
    classes.iter().map(|class| class.colour.unwrap_or_else(&mut next)).collect()
}

/// Whether two colours are easily taken for each other: close in the sum of the differences of their channels.
fn is_like(a: Colour, b: Colour) -> bool {
    let [red, green, blue] = [a.red.abs_diff(b.red), a.green.abs_diff(b.green), a.blue.abs_diff(b.blue)].map(u16::from);
    red + green + blue < 150
}

/// The default colour number `index`.
fn shade(index: usize) -> Colour {
    let round = index / DISTINCT.len();
    let [_, red, green, blue] = DISTINCT[index % DISTINCT.len()].to_be_bytes().map(|channel| {
        // 255 classes need 13 rounds; the darkest still has two fifths of its light.
        let light = 20 - round.min(12);
        (usize::from(channel) * light / 20) as u8
    });
    Colour { red, green, blue }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(value: u8, colour: Option<&str>) -> Class {
        let colour = colour.map(|text| text.parse().unwrap());
        Class { value, name: format!("c{value}"), title: None, description: None, colour }
    }

    #[test]
    fn own_colours_stay_and_nothing_like_them_is_given() {
        let classes = [class(0, None), class(1, Some("FF0000")), class(7, None)];
        let texts: Vec<String> = colours(&classes).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["3CB44B", "FF0000", "FFE119"]);
    }

    #[test]
    fn all_255_default_colours_differ() {
        let classes: Vec<Class> = (0..255).map(|value| class(value, None)).collect();
        let distinct: std::collections::HashSet<Colour> = colours(&classes).into_iter().collect();
        assert_eq!(distinct.len(), 255);
    }
}
