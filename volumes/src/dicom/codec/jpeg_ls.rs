//! JPEG-LS.
//!
//! ITU-T T.87 (ISO/IEC 14495-1), lossless and near-lossless, one component of 2 to 16 bits: what a plane of a volume is. The names are the
//! standard's. Its only implementations that could be had otherwise need `CMake` and a C++ compiler, or come with a second DICOM library.

use super::Damage;
use super::bits::Bits;

/// What the headers say.
struct Frame {
    precision: u32,
    height: usize,
    width: usize,
    /// The largest difference to the original.
    near: i32,
    preset: Option<Preset>,
}

/// Coding parameters that a file may bring.
#[derive(Clone, Copy)]
struct Preset {
    max_value: i32,
    thresholds: [i32; 3],
    reset: i32,
}

/// A decoded image.
pub(super) struct Image {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<u16>,
}

/// Decodes an image of one component.
pub(super) fn decode(data: &[u8], most: usize) -> Result<Image, Damage> {
    let (frame, scan) = headers(data)?;
    if frame.width.saturating_mul(frame.height) > most {
        return Err(Damage::Count { what: "pixels", expected: most, got: frame.width.saturating_mul(frame.height) });
    }
    let samples = Scan::new(&frame, scan)?.decode(frame.width, frame.height)?;
    Ok(Image { width: frame.width, height: frame.height, samples })
}

const SHORT: Damage = Damage::Short { what: "the headers of JPEG-LS data" };

/// Reads the markers up to the first scan; what follows it.
fn headers(data: &[u8]) -> Result<(Frame, &[u8]), Damage> {
    let mut frame = None;
    let mut preset = None;
    let mut rest = data.strip_prefix(&[0xff, 0xd8]).ok_or(SHORT)?;
    loop {
        let [0xff, marker, after @ ..] = rest else { return Err(SHORT) };
        if *marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        let word = |bytes: &[u8], at: usize| bytes.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]])).ok_or(SHORT);
        let length = usize::from(word(after, 0)?);
        if length < 2 {
            // It counts itself.
            return Err(Damage::Wrong { what: "the length of a segment of JPEG-LS data" });
        }
        let (segment, next) = after.split_at_checked(length).ok_or(SHORT)?;
        let byte = |at: usize| segment.get(at).copied().ok_or(SHORT);
        match marker {
            // SOF55: precision, lines, samples, components.
            0xf7 => {
                if byte(7)? != 1 {
                    return Err(Damage::Count { what: "components", expected: 1, got: byte(7)?.into() });
                }
                frame = Some((u32::from(byte(2)?), usize::from(word(segment, 3)?), usize::from(word(segment, 5)?)));
            }
            // LSE: of its kinds the coding parameters; mapping tables and sizes beyond 65535 are for other pictures.
            0xf8 => {
                if byte(2)? != 1 {
                    return Err(Damage::Unsupported { what: "JPEG-LS mapping tables" });
                }
                let value = |at| word(segment, at).map(i32::from);
                preset = Some(Preset { max_value: value(3)?, thresholds: [value(5)?, value(7)?, value(9)?], reset: value(11)? });
            }
            // DRI.
            0xdd if segment[2..].iter().any(|byte| *byte != 0) => {
                return Err(Damage::Unsupported { what: "JPEG-LS restart intervals" });
            }
            // SOS: components, their tables, then NEAR.
            0xda => {
                let (precision, height, width) = frame.ok_or(SHORT)?;
                if byte(2)? != 1 {
                    return Err(Damage::Count { what: "components of a scan", expected: 1, got: byte(2)?.into() });
                }
                let near = byte(5)?.into();
                if !(2..=16).contains(&precision) || width == 0 || height == 0 {
                    return Err(Damage::Unsupported { what: "JPEG-LS data of this precision or size" });
                }
                return Ok((Frame { precision, height, width, near, preset }, next));
            }
            // APPn, COM and the like.
            _ => {}
        }
        rest = next;
    }
}

/// The order of the run-length code, by the run index.
const J: [u32; 32] = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const REGULAR: usize = 365;

/// What is learned about a context.
#[derive(Clone, Copy)]
struct Context {
    a: i32,
    b: i32,
    c: i32,
    n: i32,
}

struct Scan<'a> {
    bits: Bits<'a>,
    near: i32,
    max_value: i32,
    thresholds: [i32; 3],
    reset: i32,
    range: i32,
    qbpp: u32,
    limit: u32,
    /// The regular contexts, then those of run interruptions, whose `b` counts the negative errors.
    contexts: Vec<Context>,
    run_index: usize,
}

impl<'a> Scan<'a> {
    fn new(frame: &Frame, data: &'a [u8]) -> Result<Self, Damage> {
        let near = frame.near;
        let largest = (1_i32 << frame.precision) - 1;
        let max_value = frame.preset.map(|preset| preset.max_value).filter(|max| *max != 0).unwrap_or(largest);
        if max_value > largest || near > max_value.min(511) / 2 {
            return Err(Damage::Unsupported { what: "JPEG-LS parameters beyond the precision" });
        }
        let range = (max_value + 2 * near) / (2 * near + 1) + 1;
        let bits_for = |values: i32| (values - 1).max(0).checked_ilog2().map_or(0, |log| log + 1);
        let bpp = bits_for(max_value + 1).max(2);
        let mut thresholds = default_thresholds(max_value, near);
        if let Some(preset) = frame.preset {
            for (threshold, given) in thresholds.iter_mut().zip(preset.thresholds) {
                if given != 0 {
                    *threshold = given;
                }
            }
        }
        let first = Context { a: ((range + 32) / 64).max(2), b: 0, c: 0, n: 1 };
        Ok(Self {
            bits: Bits::new(data),
            near,
            max_value,
            thresholds,
            reset: frame.preset.map(|preset| preset.reset).filter(|reset| *reset != 0).unwrap_or(64),
            range,
            qbpp: bits_for(range),
            limit: 2 * (bpp + bpp.max(8)),
            contexts: vec![first; REGULAR + 2],
            run_index: 0,
        })
    }

    fn decode(mut self, width: usize, height: usize) -> Result<Vec<u16>, Damage> {
        let mut samples = Vec::with_capacity(width * height);
        // With one sample more at either end, the neighbours beyond the edges.
        let mut above = vec![0_i32; width + 2];
        let mut line = vec![0_i32; width + 2];
        for _ in 0..height {
            above[width + 1] = above[width];
            line[0] = above[1];
            self.line(&above, &mut line)?;
            samples.extend(line[1..=width].iter().map(|&value| value as u16));
            std::mem::swap(&mut above, &mut line);
        }
        Ok(samples)
    }

    fn line(&mut self, above: &[i32], line: &mut [i32]) -> Result<(), Damage> {
        let width = line.len() - 2;
        let mut at = 1;
        while at <= width {
            let (ra, rb, rc, rd) = (line[at - 1], above[at], above[at - 1], above[at + 1]);
            let [q1, q2, q3] = [rd - rb, rb - rc, rc - ra].map(|difference| self.quantised(difference));
            let context = 81 * q1 + 9 * q2 + q3;
            if context == 0 {
                at = self.run(above, line, at)?;
            } else {
                let sign = context.signum();
                line[at] = self.regular(context.unsigned_abs() as usize, sign, [ra, rb, rc])?;
                at += 1;
            }
        }
        Ok(())
    }

    /// The class of a gradient, -4 to 4 (A.3.3).
    fn quantised(&self, difference: i32) -> i32 {
        let [t1, t2, t3] = self.thresholds;
        let size = difference.abs();
        let class = if size <= self.near {
            0
        } else if size < t1 {
            1
        } else if size < t2 {
            2
        } else if size < t3 {
            3
        } else {
            4
        };
        class * difference.signum()
    }

    /// A sample in a textured place (A.4 to A.6).
    fn regular(&mut self, index: usize, sign: i32, [ra, rb, rc]: [i32; 3]) -> Result<i32, Damage> {
        let context = self.contexts[index];
        let (low, high) = (ra.min(rb), ra.max(rb));
        let median = if rc >= high {
            low
        } else if rc <= low {
            high
        } else {
            ra + rb - rc
        };
        let predicted = (median + sign * context.c).clamp(0, self.max_value);
        let k = order(context.n, context.a)?;
        let mapped = self.golomb(k, self.limit)?;
        let (half, odd) = (mapped >> 1, mapped & 1 == 1);
        let swapped = self.near == 0 && k == 0 && 2 * context.b <= -context.n;
        let error = match (odd, swapped) {
            (false, false) | (true, true) => half,
            (true, false) | (false, true) => -half - 1,
        };
        self.contexts[index] = self.learned(context, error);
        Ok(self.reconstructed(predicted, sign * error))
    }

    fn learned(&self, mut context: Context, error: i32) -> Context {
        context.b += error * (2 * self.near + 1);
        context.a += error.abs();
        if context.n == self.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        if context.b <= -context.n {
            context.b = (context.b + context.n).max(1 - context.n);
            context.c = (context.c - 1).max(-128);
        } else if context.b > 0 {
            context.b = (context.b - context.n).min(0);
            context.c = (context.c + 1).min(127);
        }
        context
    }

    fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut value = predicted + error * step;
        if value < -self.near {
            value += self.range * step;
        } else if value > self.max_value + self.near {
            value -= self.range * step;
        }
        value.clamp(0, self.max_value)
    }

    /// A run of equal samples and what ends it (A.7); the place after it.
    fn run(&mut self, above: &[i32], line: &mut [i32], start: usize) -> Result<usize, Damage> {
        let width = line.len() - 2;
        let value = line[start - 1];
        let mut at = start;
        while self.bits.bit()? {
            let length = 1 << J[self.run_index];
            let count = length.min(width + 1 - at);
            line[at..at + count].fill(value);
            at += count;
            if count == length && self.run_index < 31 {
                self.run_index += 1;
            }
            if at > width {
                return Ok(at);
            }
        }
        let order = J[self.run_index];
        let count = self.bits.number(order)? as usize;
        if at + count > width {
            return Err(Damage::Wrong { what: "a run beyond the end of its line in JPEG-LS data" });
        }
        line[at..at + count].fill(value);
        at += count;
        line[at] = self.interruption(value, above[at])?;
        self.run_index = self.run_index.saturating_sub(1);
        Ok(at + 1)
    }

    /// The sample that ends a run (A.7.2).
    fn interruption(&mut self, ra: i32, rb: i32) -> Result<i32, Damage> {
        let alike = (ra - rb).abs() <= self.near;
        let kind = i32::from(alike);
        let index = REGULAR + usize::from(alike);
        let mut context = self.contexts[index];
        let k = order(context.n, if alike { context.a + (context.n >> 1) } else { context.a })?;
        let mapped = self.golomb(k, self.limit - J[self.run_index] - 1)?;
        let sum = mapped + kind;
        let map = sum & 1 == 1;
        let size = (sum + 1) / 2;
        let negative = (k != 0 || 2 * context.b >= context.n) == map;
        let error = if negative { -size } else { size };
        context.b += i32::from(error < 0);
        context.a += (mapped + 1 - kind) >> 1;
        if context.n == self.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        self.contexts[index] = context;
        let sign = if !alike && ra > rb { -1 } else { 1 };
        Ok(self.reconstructed(if alike { ra } else { rb }, sign * error))
    }

    /// A number in the Golomb code of limited length (A.5.3).
    fn golomb(&mut self, k: u32, limit: u32) -> Result<i32, Damage> {
        let longest = limit - self.qbpp - 1;
        let zeros = self.bits.zeros(longest)?;
        let value = if zeros < longest { zeros << k | self.bits.number(k)? } else { self.bits.number(self.qbpp)? + 1 };
        // No error is larger; damage must not add up.
        if value > 2 * self.range as u32 {
            return Err(Damage::Wrong { what: "JPEG-LS data" });
        }
        Ok(value as i32)
    }
}

/// The order of the Golomb code: the first `k` with `n x 2^k >= a`.
fn order(n: i32, a: i32) -> Result<u32, Damage> {
    (0..24).find(|k| n << k >= a).ok_or(Damage::Wrong { what: "JPEG-LS data" })
}

/// The thresholds for a largest value (C.2.4.1.1.1).
fn default_thresholds(max_value: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, least: i32| if value > max_value || value < least { least } else { value };
    if max_value >= 128 {
        let factor = (max_value.min(4095) + 128) / 256;
        let t1 = clamp(factor + 2 + 3 * near, near + 1);
        let t2 = clamp(4 * factor + 3 + 5 * near, t1);
        [t1, t2, clamp(17 * factor + 4 + 7 * near, t2)]
    } else {
        let factor = 256 / (max_value + 1);
        let t1 = clamp((3 / factor + 3 * near).max(2), near + 1);
        let t2 = clamp((7 / factor + 5 * near).max(3), t1);
        [t1, t2, clamp((21 / factor + 7 * near).max(4), t2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_shorter_than_its_length_is_damage() {
        for length in [0, 1] {
            for marker in [0xdd, 0xe0, 0xf7, 0xf8, 0xda] {
                let error = decode(&[0xff, 0xd8, 0xff, marker, 0, length, 0, 0], 1).map(|_| ()).unwrap_err();
                assert_eq!(error.to_string(), "the length of a segment of JPEG-LS data is damaged");
            }
        }
        let error = decode(&[0xff, 0xd8, 0xff, 0xdd, 0, 0], 1).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the length of a segment of JPEG-LS data is damaged");
        let error = decode(&[0xff, 0xd8, 0xff, 0xdd, 0, 2], 1).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the headers of JPEG-LS data ends early");
    }
}
