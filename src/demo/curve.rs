//! Rivers and main roads: families of winding lines across the whole plane.

use super::noise::Noise;

/// Winding lines that run side by side along one direction.
#[derive(Debug)]
pub(super) struct Curves {
    /// A point about which the first line winds.
    pub(super) origin: [f64; 2],
    /// Unit vector along the lines.
    pub(super) axis: [f64; 2],
    /// Distance between lines, in pixels.
    pub(super) spacing: f64,
    /// How far a line swings to either side, in pixels; less than half the spacing.
    pub(super) swing: f64,
    /// The swings, coarse and fine.
    pub(super) noise: [Noise; 2],
}

/// Where a point lies with respect to the nearest line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    /// Signed distance from the line, in pixels.
    pub(super) across: f64,
    /// Position along the family's direction, in pixels.
    pub(super) along: f64,
    /// Which line.
    pub(super) line: i64,
    /// Unit vector along the line here.
    pub(super) tangent: [f64; 2],
}

impl Curves {
    /// The nearest line, unless it is certainly further than `reach` pixels away.
    pub(super) fn near(&self, x: f64, y: f64, reach: f64) -> Option<Near> {
        let [dx, dy] = [x - self.origin[0], y - self.origin[1]];
        let [ax, ay] = self.axis;
        let along = dx * ax + dy * ay;
        let side = dy * ax - dx * ay;
        let line = (side / self.spacing).round();
        let side = side - line * self.spacing;
        let line = line as i64;
        if side.abs() > self.swing + reach {
            return None;
        }
        let offset = |at: f64| self.swing * (0.65 * self.noise[0].along(at, line) + 0.35 * self.noise[1].along(at, line));
        let slope = (offset(along + 1.0) - offset(along - 1.0)) / 2.0;
        let length = (1.0 + slope * slope).sqrt();
        Some(Near {
            across: (side - offset(along)) / length,
            along,
            line,
            tangent: [(ax - slope * ay) / length, (ay + slope * ax) / length],
        })
    }
}
