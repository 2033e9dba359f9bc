//! Colours as DICOM has them.

/// sRGB to XYZ under D50, the white of ICC profiles (Bradford-adapted from IEC 61966-2-1).
const TO_XYZ: [[f64; 3]; 3] =
    [[0.436_074_7, 0.385_064_9, 0.143_080_4], [0.222_504_5, 0.716_878_6, 0.060_616_9], [0.013_932_2, 0.097_104_5, 0.714_173_3]];
const WHITE: [f64; 3] = [0.964_22, 1.0, 0.825_21];

/// A colour as `RecommendedDisplayCIELabValue`: L from 0 to 100 and a, b from -128 to 127, each over 0 to 65535 (PS3.3, C.10.7.1.1).
pub(super) fn cielab(colour: [u8; 3]) -> [u16; 3] {
    let linear = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    let f = |row: usize| {
        let value: f64 = (0..3).map(|part| TO_XYZ[row][part] * linear[part]).sum::<f64>() / WHITE[row];
        if value > 216.0 / 24389.0 { value.cbrt() } else { (24389.0 / 27.0 * value + 16.0) / 116.0 }
    };
    let [x, y, z] = [f(0), f(1), f(2)];
    let share = |value: f64| (value * 65535.0).round().clamp(0.0, 65535.0) as u16;
    [share((116.0 * y - 16.0) / 100.0), share((500.0 * (x - y) + 128.0) / 255.0), share((200.0 * (y - z) + 128.0) / 255.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_black_and_grey_have_no_hue() {
        let neutral = (128.0_f64 / 255.0 * 65535.0).round() as u16;
        for (grey, lightness) in [(0, 0), (255, 65535), (119, 32720)] {
            let [l, a, b] = cielab([grey; 3]);
            assert!(l.abs_diff(lightness) < 120, "{l}");
            assert!(a.abs_diff(neutral) < 8 && b.abs_diff(neutral) < 8, "{a} {b}");
        }
    }

    #[test]
    fn the_primaries_are_where_lindbloom_has_them() {
        // L, a and b of the sRGB primaries under D50, http://www.brucelindbloom.com (calculator).
        for (colour, lab) in
            [([255, 0, 0], [54.29, 80.81, 69.89]), ([0, 255, 0], [87.82, -79.29, 80.99]), ([0, 0, 255], [29.57, 68.30, -112.03])]
        {
            let [l, a, b] = cielab(colour).map(f64::from);
            let got = [l / 655.35, a / 257.0 - 128.0, b / 257.0 - 128.0];
            assert!(got.iter().zip(lab).all(|(got, wanted): (&f64, f64)| (got - wanted).abs() < 0.05), "{got:?}");
        }
    }
}
