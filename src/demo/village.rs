//! Villages and farms: their streets, yards and buildings.

use super::noise::{Noise, Random};

/// Distance between the middles of a village's parallel streets: two rows of lots and a street.
const STREETS: f64 = 60.0;
/// Distance between a village's cross streets.
const CROSS_STREETS: f64 = 140.0;
/// Half the width of a street, in pixels.
const STREET: f64 = 2.8;
/// No building reaches further from its centre, in pixels.
pub(super) const BUILDING_REACH: f64 = 42.0;

/// A group of buildings with its streets or its yard.
#[derive(Debug)]
pub(super) struct Village {
    pub(super) kind: Settlement,
    pub(super) centre: [f64; 2],
    /// Unit vector along the streets.
    pub(super) axis: [f64; 2],
    /// In pixels.
    pub(super) radius: f64,
    id: u64,
    outline: Noise,
}

/// How large a settlement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    /// A grid of streets lined with houses.
    Village,
    /// A few large barns around a yard.
    Farm,
}

/// What a settlement puts at a point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plot {
    Street { along: f64 },
    Yard,
    Garden,
}

/// A rectangular building.
#[derive(Clone, Copy, Debug)]
pub(super) struct Building {
    pub(super) centre: [f64; 2],
    /// Unit vector along the ridge.
    pub(super) axis: [f64; 2],
    /// Half the length along the ridge, in pixels.
    pub(super) half_length: f64,
    /// Half the width across the ridge, in pixels.
    pub(super) half_width: f64,
    /// Height of the eaves, in pixels.
    pub(super) height: f64,
    pub(super) roof: Roof,
    pub(super) id: u64,
}

/// What a roof is covered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Roof {
    RedTile,
    BrownTile,
    Slate,
    BlueMetal,
    Bright,
}

impl Roof {
    /// Whether it has two slopes.
    pub(super) fn is_gabled(self) -> bool {
        self != Self::Bright
    }
}

impl Building {
    /// Position along and across the ridge, in pixels, if the point is under the roof widened by `margin`.
    pub(super) fn local(&self, x: f64, y: f64, margin: f64) -> Option<[f64; 2]> {
        let [u, v] = turn(self.axis, x - self.centre[0], y - self.centre[1]);
        (u.abs() <= self.half_length + margin && v.abs() <= self.half_width + margin).then_some([u, v])
    }

    /// The centre and the corners, two pixels outside the walls.
    fn outline(&self) -> [[f64; 2]; 5] {
        [[0.0, 0.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]].map(|[i, j]| {
            let [u, v] = rotate(self.axis, [i * (self.half_length + 2.0), j * (self.half_width + 2.0)]);
            [self.centre[0] + u, self.centre[1] + v]
        })
    }
}

/// A vector of the frame of an axis, in the scene's.
fn rotate([ax, ay]: [f64; 2], [u, v]: [f64; 2]) -> [f64; 2] {
    [u * ax - v * ay, u * ay + v * ax]
}

/// A vector in the frame of an axis.
fn turn([ax, ay]: [f64; 2], dx: f64, dy: f64) -> [f64; 2] {
    [dx * ax + dy * ay, dy * ax - dx * ay]
}

impl Village {
    pub(super) fn new(id: u64, kind: Settlement, centre: [f64; 2], axis: [f64; 2]) -> Self {
        let mut random = Random::new(id);
        let radius = match kind {
            Settlement::Village => random.between(140.0, 190.0),
            Settlement::Farm => random.between(50.0, 70.0),
        };
        Self { kind, centre, axis, radius, id, outline: Noise::new(id ^ 3, 60.0) }
    }

    /// What the settlement puts at a point; `None` outside.
    pub(super) fn plot(&self, x: f64, y: f64) -> Option<Plot> {
        let [dx, dy] = [x - self.centre[0], y - self.centre[1]];
        let square = dx * dx + dy * dy;
        let widest = self.radius * 1.2;
        if square > widest * widest {
            return None;
        }
        let [u, v] = turn(self.axis, dx, dy);
        if self.kind == Settlement::Farm && u.abs() < 27.0 && v.abs() < 15.0 {
            return Some(Plot::Yard);
        }
        let edge = self.radius * (1.0 + 0.2 * self.outline.at(x, y));
        if square > edge * edge {
            return None;
        }
        if self.kind == Settlement::Village {
            let across = |v: f64, spacing: f64| v - (v / spacing).round() * spacing;
            let [row, column] = [across(v, STREETS), across(u, CROSS_STREETS)];
            if row.abs() < STREET {
                return Some(Plot::Street { along: u });
            }
            if column.abs() < STREET {
                return Some(Plot::Street { along: v });
            }
        }
        Some(Plot::Garden)
    }

    /// The buildings, as far as `free` allows at their centre and around their corners.
    pub(super) fn buildings(&self, free: impl Fn(f64, f64) -> bool) -> Vec<Building> {
        let mut random = Random::new(self.id ^ 5);
        let mut buildings = match self.kind {
            Settlement::Farm => self.barns(&mut random),
            Settlement::Village => self.houses(&mut random),
        };
        buildings.retain(|building| building.outline().iter().all(|&[x, y]| free(x, y)));
        buildings
    }

    /// A barn on every side of the yard.
    fn barns(&self, random: &mut Random) -> Vec<Building> {
        let sides = [[0.0, -27.0], [0.0, 27.0], [-42.0, 0.0], [42.0, 0.0]];
        let barn = |at: [f64; 2]| {
            let half = [random.between(14.0, 24.0), random.between(7.0, 10.5)];
            let along = if at[0] == 0.0 { [1.0, 0.0] } else { [0.0, 1.0] };
            let roof = [Roof::Bright, Roof::BlueMetal, Roof::RedTile, Roof::Slate][(random.bits() % 4) as usize];
            self.building(at, along, half, random.between(5.0, 8.0), roof, random.bits())
        };
        sides.into_iter().map(barn).collect()
    }

    /// Houses on both sides of every street.
    fn houses(&self, random: &mut Random) -> Vec<Building> {
        // One kind of tile dominates a village.
        let tile = if random.chance(0.7) { Roof::RedTile } else { Roof::BrownTile };
        let rows = (self.radius / STREETS).ceil() as i64;
        let mut houses = Vec::new();
        for (row, side) in (-rows..=rows).flat_map(|row| [(row, -1.0), (row, 1.0)]) {
            let mut u = -self.radius;
            while u < self.radius {
                let large = random.chance(0.1);
                let [shortest, longest] = if large { [11.0, 17.0] } else { [6.0, 9.0] };
                let width = if large { 7.5 } else { random.between(4.8, 6.4) };
                let half = [random.between(shortest, longest), width];
                let lot = half[0] + random.between(2.0, 5.0);
                u += lot;
                let v = row as f64 * STREETS + side * (STREET + half[1] + random.between(4.0, 9.0));
                let roof = match random.bits() % 20 {
                    0..11 => tile,
                    11..15 => Roof::Slate,
                    15..17 => Roof::BlueMetal,
                    _ => Roof::Bright,
                };
                let height = if large { 7.0 } else { random.between(4.5, 6.5) };
                let house = self.building([u, v], random.direction(0.06), half, height, roof, random.bits());
                let cross = u - (u / CROSS_STREETS).round() * CROSS_STREETS;
                let in_the_way = cross.abs() < half[0] + STREET + 2.0;
                if !in_the_way && !random.chance(0.06) && u * u + v * v < 0.94 * self.radius * self.radius {
                    houses.push(house);
                }
                u += lot;
            }
        }
        houses
    }

    /// A building at a place, and with a ridge, in the frame of the streets.
    fn building(&self, at: [f64; 2], ridge: [f64; 2], half: [f64; 2], height: f64, roof: Roof, id: u64) -> Building {
        let [u, v] = rotate(self.axis, at);
        Building {
            centre: [self.centre[0] + u, self.centre[1] + v],
            axis: rotate(self.axis, ridge),
            half_length: half[0],
            half_width: half[1],
            height,
            roof,
            id,
        }
    }
}
