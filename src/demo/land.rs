//! What lies where: the plan of the generated scene, before anything is drawn.

use std::ops::Range;

use super::cover::Cover;
use super::curve::{Curves, Near};
use super::noise::{Noise, Random, hash, mix, unit};
use super::parcel::{Parcel, Parcels};
use super::village::{BUILDING_REACH, Building, Plot, Settlement, Village};

/// Half the width of a main road and of a lane, in pixels.
const MAIN_ROAD: f64 = 4.6;
const LANE: f64 = 2.0;
/// Width of the meadow along a lake, and of that along a river, in pixels.
const SHORE: f64 = 7.0;
const BANK: f64 = 16.0;
/// Width of the lattice cells of which each has one settlement, and of those that may have a lake, in pixels.
const SETTLEMENTS: f64 = 512.0;
const LAKES: f64 = 420.0;

/// The plan of a scene.
#[derive(Debug)]
pub(super) struct Land {
    seed: u64,
    rivers: Curves,
    roads: [Curves; 2],
    parcels: Parcels,
    shore: Noise,
    clumps: Noise,
    villages: Vec<Village>,
    lakes: Vec<Lake>,
    /// All buildings, from north to south.
    buildings: Vec<Building>,
}

#[derive(Debug)]
struct Lake {
    centre: [f64; 2],
    radius: f64,
}

/// The part of a plan that can be seen in a range of rows.
#[derive(Debug)]
pub(super) struct Strip<'a> {
    land: &'a Land,
    villages: Vec<&'a Village>,
    lakes: Vec<&'a Lake>,
    /// Buildings of which a part, or the shadow, may lie in the rows, from north to south.
    pub(super) buildings: &'a [Building],
}

/// The surface at a point, with trees and buildings taken away.
#[derive(Clone, Copy, Debug)]
pub(super) enum Surface {
    /// Asphalt with markings, `across` pixels from its middle.
    MainRoad { across: f64, along: f64 },
    /// Asphalt without markings.
    Street { along: f64 },
    /// Gravel or old concrete.
    Lane { across: f64, id: u64 },
    /// Concrete.
    Yard,
    /// Water, `depth` pixels from its shore.
    Water { depth: f64, id: u64 },
    /// Grass beside water, `distance` pixels from it.
    Bank { distance: f64 },
    /// Grass beside a road.
    Verge,
    /// Grass under a hedge.
    Hedge,
    /// Lawn around houses.
    Garden,
    /// The ground of a wood.
    Wood,
    /// Grassland.
    Meadow { parcel: Parcel },
    /// Arable land.
    Crop { parcel: Parcel },
}

impl Surface {
    /// The class of the surface.
    pub(super) fn cover(&self) -> Cover {
        match self {
            Self::MainRoad { .. } | Self::Street { .. } | Self::Lane { .. } | Self::Yard => Cover::Road,
            Self::Water { .. } => Cover::Water,
            Self::Bank { .. } | Self::Verge | Self::Hedge | Self::Garden | Self::Meadow { .. } => Cover::Grass,
            Self::Wood => Cover::Tree,
            Self::Crop { .. } => Cover::Field,
        }
    }
}

impl Land {
    /// The plan of the scene that is `size` pixels wide and high.
    pub(super) fn new(seed: u64, size: usize) -> Self {
        let part = |what: u64| mix(seed ^ mix(what));
        let mut random = Random::new(part(1));
        let middle = size as f64 / 2.0;
        // The first river and the first road of either direction cross the middle of the scene, whatever its size.
        let reach = size.min(1600) as f64 * 0.12;
        let mut origin = || [0, 1].map(|_| middle + random.between(-reach, reach));
        let [river, east, north] = [origin(), origin(), origin()];
        let [dx, dy] = random.direction(0.12);
        let slant = random.direction(0.6);
        let noise = |what: u64, coarse: f64, fine: f64| [Noise::new(part(what), coarse), Noise::new(part(what + 1), fine)];
        let curves = |origin, axis, spacing, swing, noise| Curves { origin, axis, spacing, swing, noise };
        let mut land = Self {
            seed: part(20),
            rivers: curves(river, slant, 1700.0, 230.0, noise(10, 330.0, 140.0)),
            roads: [
                curves(east, [dx, dy], 940.0, 90.0, noise(12, 480.0, 210.0)),
                curves(north, [-dy, dx], 1270.0, 90.0, noise(14, 480.0, 210.0)),
            ],
            parcels: Parcels::new(part(16), size),
            shore: Noise::new(part(17), 45.0),
            clumps: Noise::new(part(18), 35.0),
            villages: Vec::new(),
            lakes: Vec::new(),
            buildings: Vec::new(),
        };
        land.settle(size);
        land
    }

    /// Lays out lakes, settlements and buildings.
    fn settle(&mut self, size: usize) {
        let cells = |spacing: f64| {
            let end = (size as f64 / spacing).ceil() as i64;
            (-1..=end).flat_map(move |row| (-1..=end).map(move |column| (column, row)))
        };
        for (column, row) in cells(LAKES) {
            let mut random = Random::new(hash(self.seed ^ 1, column, row));
            let mut place = |cell: i64| (cell as f64 + random.between(0.25, 0.75)) * LAKES;
            let centre = [place(column), place(row)];
            if random.chance(0.22) {
                self.lakes.push(Lake { centre, radius: random.between(25.0, 70.0) });
            }
        }
        for (column, row) in cells(SETTLEMENTS) {
            let id = hash(self.seed ^ 2, column, row);
            let mut random = Random::new(id);
            let mut place = |cell: i64| (cell as f64 + random.between(0.35, 0.65)) * SETTLEMENTS;
            let mut centre = [place(column), place(row)];
            // Every second cell, as on a chessboard, so that villages are nowhere rare.
            let kind = if (column + row) % 2 == 0 { Settlement::Village } else { Settlement::Farm };
            let mut axis = random.direction(1.0);
            let road = self
                .roads
                .iter()
                .filter_map(|r| r.near(centre[0], centre[1], 220.0))
                .min_by(|a, b| a.across.abs().total_cmp(&b.across.abs()));
            if let Some(Near { across, tangent: [tx, ty], .. }) = road
                && across.abs() < 220.0
            {
                // A village grows along the main road; a farm stands beside it.
                let moved = if kind == Settlement::Village { across } else { across - 55.0 };
                centre = [centre[0] + ty * moved, centre[1] - tx * moved];
                axis = [tx, ty];
            }
            self.villages.push(Village::new(id, kind, centre, axis));
        }
        let strip =
            Strip { land: self, villages: self.villages.iter().collect(), lakes: self.lakes.iter().collect(), buildings: &[] };
        let mut buildings: Vec<Building> = Vec::new();
        for village in &self.villages {
            let free =
                |x: f64, y: f64| matches!(strip.surface(x, y), Surface::Garden | Surface::Meadow { .. } | Surface::Crop { .. });
            buildings.extend(village.buildings(free));
        }
        buildings.sort_by(|a, b| a.centre[1].total_cmp(&b.centre[1]).then(a.centre[0].total_cmp(&b.centre[0])));
        self.buildings = buildings;
    }

    /// The part of the plan that can be seen in some rows.
    pub(super) fn strip(&self, rows: Range<f64>) -> Strip<'_> {
        let near = |y: f64, reach: f64| y + reach > rows.start && y - reach < rows.end;
        let first = self.buildings.partition_point(|b| b.centre[1] < rows.start - BUILDING_REACH);
        let last = self.buildings.partition_point(|b| b.centre[1] <= rows.end + BUILDING_REACH);
        Strip {
            land: self,
            villages: self.villages.iter().filter(|v| near(v.centre[1], 1.2 * v.radius)).collect(),
            lakes: self.lakes.iter().filter(|l| near(l.centre[1], 1.5 * l.radius + SHORE)).collect(),
            buildings: &self.buildings[first..last],
        }
    }
}

impl Strip<'_> {
    /// The surface at a point.
    pub(super) fn surface(&self, x: f64, y: f64) -> Surface {
        let land = self.land;
        let mut beside_road = false;
        for roads in &land.roads {
            if let Some(Near { across, along, .. }) = roads.near(x, y, 10.0) {
                if across.abs() < MAIN_ROAD {
                    return Surface::MainRoad { across, along };
                }
                beside_road |= across.abs() < MAIN_ROAD + 3.0;
            }
        }
        let shore = self.shore(x, y);
        if let Some(Shore { distance, id, .. }) = shore
            && distance < 0.0
        {
            return Surface::Water { depth: -distance, id };
        }
        let mut garden = false;
        for plot in self.villages.iter().filter_map(|v| v.plot(x, y)) {
            match plot {
                Plot::Street { along } => return Surface::Street { along },
                Plot::Yard => return Surface::Yard,
                Plot::Garden => garden = true,
            }
        }
        if garden {
            return Surface::Garden;
        }
        let parcel = land.parcels.at(x, y);
        if parcel.lane < LANE {
            return Surface::Lane { across: parcel.lane, id: parcel.block };
        }
        if beside_road || parcel.lane < LANE + 1.8 {
            return Surface::Verge;
        }
        if let Some(Shore { distance, bank, .. }) = shore
            && distance < bank
        {
            return Surface::Bank { distance };
        }
        if parcel.hedge < 3.0 {
            return Surface::Hedge;
        }
        let block = unit(mix(parcel.block ^ 1));
        let own = unit(mix(parcel.id));
        if block < 0.18 || own < 0.06 {
            Surface::Wood
        } else if own < 0.28 {
            Surface::Meadow { parcel }
        } else {
            Surface::Crop { parcel }
        }
    }

    /// The nearest water, if there is any near.
    fn shore(&self, x: f64, y: f64) -> Option<Shore> {
        let land = self.land;
        let river = land.rivers.near(x, y, 45.0).map(|near| {
            let half = 14.0 + 4.0 * land.shore.along(near.along, near.line);
            Shore { distance: near.across.abs() - half, id: hash(land.seed, near.line, 3), bank: BANK }
        });
        let lakes = self.lakes.iter().filter_map(|lake| {
            let [dx, dy] = [x - lake.centre[0], y - lake.centre[1]];
            let square = dx * dx + dy * dy;
            let widest = 1.3 * lake.radius + SHORE;
            (square < widest * widest).then(|| {
                let edge = lake.radius * (1.0 + 0.3 * land.shore.at(x, y));
                Shore { distance: square.sqrt() - edge, id: lake.radius.to_bits(), bank: SHORE }
            })
        });
        river.into_iter().chain(lakes).min_by(|a, b| a.distance.total_cmp(&b.distance))
    }

    /// How likely a tree stands at a point, 0 to 1.
    pub(super) fn tree_density(&self, x: f64, y: f64) -> f64 {
        let clumped = |share: f64| if self.land.clumps.at(x, y) > 0.15 { share } else { 0.0 };
        match self.surface(x, y) {
            Surface::Wood => 1.0,
            Surface::Hedge => 0.75,
            Surface::Bank { distance } if distance > 2.0 => clumped(0.6),
            Surface::Garden => 0.07,
            Surface::Meadow { .. } => 0.004 + clumped(0.012),
            Surface::Verge => clumped(0.12),
            Surface::Crop { .. } => 0.0004,
            _ => 0.0,
        }
    }
}

/// Where the nearest water ends.
struct Shore {
    /// Distance from the water's edge, negative on the water.
    distance: f64,
    id: u64,
    /// Width of the meadow along it.
    bank: f64,
}
