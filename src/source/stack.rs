//! Scenes whose bands lie in several rasters.

use std::path::{Path, PathBuf};

use swath_tiling::Window;

use super::resample::{Axis, Held, Plane, bilinear};
use super::{BandChoice, BandProfile, BandRequest, Patch, RasterProfile, RasterSource as _, Scene, SceneInput, WindowReader};
use crate::georeference::is_same_crs;
use crate::{Error, Georeference, Location, Result, Version};

/// How coarser bands become finer.
pub(super) const RESAMPLING: &str = "bilinear";

/// Part of a pixel that origins and edges may differ by and still be the same.
const TOLERANCE: f64 = 0.01;

/// Most windows that are announced at once.
const MOST_AHEAD: usize = 64;

/// A scene whose bands lie in several rasters, such as one for each band.
///
/// Its pixels are those of the finest band that is taken. The others are resampled: each value is the mean of the four pixels around its centre,
/// weighted by nearness, of which those without data have no weight; it has data if the pixel has in which its centre lies. All rasters have the same CRS and cover the same ground within half a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// What messages and products call it.
    pub name: String,
    /// Its bands, in order.
    pub bands: Vec<StackBand>,
}

/// A band of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackBand {
    /// What it is called.
    pub name: String,
    /// The raster that it is in.
    pub location: Location,
    /// Its place in there, from 1.
    pub band: usize,
}

impl Stack {
    /// The rasters, each once, in the order of the bands.
    #[must_use]
    pub fn locations(&self) -> Vec<&Location> {
        let mut locations: Vec<&Location> = Vec::new();
        for band in &self.bands {
            if !locations.contains(&&band.location) {
                locations.push(&band.location);
            }
        }
        locations
    }
}

/// A stack whose rasters were looked at.
#[derive(Debug)]
pub(super) struct OpenStack {
    profile: RasterProfile,
    choice: BandChoice,
    /// Those that are taken, in the order of the choice.
    bands: Vec<OpenBand>,
    /// The name of the band whose pixels the stack has.
    grid: String,
}

/// A band that was looked at, and how the stack's pixels lie on its own.
#[derive(Debug)]
struct OpenBand {
    scene: Scene,
    rows: Axis,
    columns: Axis,
}

impl OpenStack {
    /// Looks at the rasters and finds the bands asked for among the stack's.
    pub(super) fn open(stack: &Stack, requests: &[BandRequest]) -> Result<Self> {
        let open = |band: &StackBand| Scene::open(SceneInput::Listed(band.location.clone()), &[BandRequest::Number(band.band)]);
        let scenes = stack.bands.iter().map(open).collect::<Result<Vec<Scene>>>()?;
        let Some(first) = scenes.first() else { return Err(Error::NoBands { path: PathBuf::from(&stack.name) }) };
        let bands = stack.bands.iter().zip(&scenes).map(|(band, scene)| BandProfile {
            description: Some(band.name.clone()),
            colour: None,
            ..scene.profile().bands[band.band - 1].clone()
        });
        let profile = RasterProfile {
            path: PathBuf::from(&stack.name),
            bands: bands.collect(),
            block_bytes: scenes.iter().map(|scene| scene.profile().block_bytes).sum(),
            acquired: scenes.iter().find_map(|scene| scene.profile().acquired),
            ..first.profile().clone()
        };
        let choice = BandChoice::resolve(&profile, requests)?;
        let side = |number: usize| scenes[number - 1].profile().georeference.pixel_side().unwrap_or(f64::INFINITY);
        let numbers = choice.numbers().iter().copied();
        // The first of several: a stack has one grid, whatever the order of what is equally fine.
        let finest = numbers.reduce(|best, number| if side(number) < side(best) { number } else { best }).unwrap_or(1);
        let grid = scenes[finest - 1].profile().clone();
        let mut places: Vec<Option<Scene>> = scenes.into_iter().map(Some).collect();
        let mut open_bands = Vec::new();
        for number in choice.numbers() {
            // A band may be taken twice; its raster is opened again then.
            let scene = match places[number - 1].take() {
                Some(scene) => scene,
                None => open(&stack.bands[number - 1])?,
            };
            open_bands.push(OpenBand::new(scene, &grid)?);
        }
        let profile = RasterProfile { size: grid.size, georeference: grid.georeference.clone(), block: grid.block, ..profile };
        Ok(Self { profile, choice, bands: open_bands, grid: stack.bands[finest - 1].name.clone() })
    }

    /// What the stack is: its bands, on the pixels of the finest one that is taken.
    pub(super) fn profile(&self) -> &RasterProfile {
        &self.profile
    }

    /// The bands that are read.
    pub(super) fn bands(&self) -> &BandChoice {
        &self.choice
    }

    /// Which content its rasters have.
    pub(super) fn version(&self) -> Version {
        let versions: Vec<Version> = self.bands.iter().map(|band| band.scene.version().clone()).collect();
        Version::of_all(&versions)
    }

    /// The name of the band whose pixels the stack has.
    pub(super) fn grid(&self) -> &str {
        &self.grid
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<Box<dyn WindowReader + '_>> {
        let open = |band| Ok(BandReader { band, raster: RasterReader::open(&band.scene)? });
        Ok(Box::new(StackReader { bands: self.bands.iter().map(open).collect::<Result<_>>()? }))
    }
}

impl OpenBand {
    /// Lays a grid's pixels on those of a band.
    fn new(scene: Scene, grid: &RasterProfile) -> Result<Self> {
        let own = scene.profile();
        let axes =
            axes(own, grid).map_err(|reason| Error::Stacked { path: own.path.clone(), finest: grid.path.clone(), reason })?;
        let [rows, columns] = axes;
        Ok(Self { scene, rows, columns })
    }

    /// The band's own pixels that a window of the stack is made of.
    fn needed(&self, window: Window) -> Window {
        if self.rows.is_same() && self.columns.is_same() {
            return window;
        }
        let (y, x) = (self.rows.needed(window.y, window.height), self.columns.needed(window.x, window.width));
        Window::plane(x.start, y.start, x.len, y.len)
    }
}

/// How the pixels of `grid` lie on those of `own`: rows and columns; or why they do not.
fn axes(own: &RasterProfile, grid: &RasterProfile) -> Result<[Axis; 2], String> {
    let (Georeference { transform: a, crs_wkt: crs, .. }, Georeference { transform: b, crs_wkt: wanted, .. }) =
        (&own.georeference, &grid.georeference);
    let same_crs = match (crs, wanted) {
        (Some(crs), Some(wanted)) => is_same_crs(crs, wanted),
        (crs, wanted) => crs == wanted,
    };
    if !same_crs {
        let name = |georeference: &Georeference| georeference.crs_code().unwrap_or_else(|| "another one".into());
        return Err(format!("expected the CRS {}, got {}", name(&grid.georeference), name(&own.georeference)));
    }
    if a == b && own.size == grid.size {
        return Ok([Axis::same(own.size.height), Axis::same(own.size.width)]);
    }
    let (Some(a), Some(b)) = (a, b) else { return Err("it has no transform".into()) };
    if [a, b].iter().any(|t| t[2] != 0.0 || t[4] != 0.0) {
        return Err("rotated rasters cannot be resampled".into());
    }
    let axis = |what: &str, [start, step]: [f64; 2], length: usize, [grid_start, grid_step]: [f64; 2], grid_length: usize| {
        // In pixels of the grid.
        let before = (start - grid_start) / grid_step;
        let after = before + length as f64 * step / grid_step - grid_length as f64;
        if !(before.abs() <= 0.5 + TOLERANCE && after.abs() <= 0.5 + TOLERANCE) {
            return Err(format!(
                "its {what} start {before:.2} pixels after those of the finest raster, and end {after:.2} after"
            ));
        }
        Ok(Axis::new(grid_step / step, (grid_start - start) / step, length))
    };
    Ok([
        axis("rows", [a[3], a[5]], own.size.height, [b[3], b[5]], grid.size.height)?,
        axis("columns", [a[0], a[1]], own.size.width, [b[0], b[1]], grid.size.width)?,
    ])
}

/// Reads a band's raster.
struct RasterReader<'s> {
    reader: Box<dyn WindowReader + 's>,
    nodata: Option<f32>,
    path: &'s Path,
}

impl<'s> RasterReader<'s> {
    fn open(scene: &'s Scene) -> Result<Self> {
        let profile = scene.profile();
        let nodata = scene.bands().numbers().first().and_then(|number| profile.bands[number - 1].nodata);
        Ok(Self { reader: scene.reader()?, nodata: nodata.map(|nodata| nodata as f32), path: &profile.path })
    }

    /// The band's own pixels of a window, and what each holds.
    #[expect(clippy::float_cmp, reason = "nodata is one stored value, not a measurement near it")]
    fn read(&mut self, window: Window) -> Result<Plane> {
        tracing::trace!(path = %self.path.display(), %window, "read a band");
        let Patch { pixels, valid, .. } = self.reader.read(window)?;
        let held = |(value, valid): (&f32, bool)| match valid {
            true => Held::Data,
            false if self.nodata.is_some_and(|nodata| *value == nodata) => Held::Nodata,
            false => Held::Void,
        };
        let held = pixels.iter().zip(valid).map(held).collect();
        Ok(Plane { window, pixels, held, nodata: self.nodata.unwrap_or(0.0) })
    }
}

/// Reads windows of a band on the stack's pixels.
struct BandReader<'s> {
    band: &'s OpenBand,
    raster: RasterReader<'s>,
}

impl BandReader<'_> {
    fn read(&mut self, window: Window) -> Result<Plane> {
        let OpenBand { rows, columns, .. } = self.band;
        let stored = self.raster.read(self.band.needed(window))?;
        Ok(if rows.is_same() && columns.is_same() { stored } else { bilinear(&stored, window, *rows, *columns) })
    }
}

/// Reads the bands of a stack, each through a handle of its own.
struct StackReader<'s> {
    bands: Vec<BandReader<'s>>,
}

impl WindowReader for StackReader<'_> {
    /// As for one raster, a pixel is valid unless all bands hold nodata, or one of them is masked, NaN or infinite.
    fn read(&mut self, window: Window) -> Result<Patch> {
        let area = window.area();
        let mut pixels = Vec::with_capacity(self.bands.len() * area);
        let (mut has_data, mut is_void) = (vec![false; area], vec![false; area]);
        for band in &mut self.bands {
            let plane = band.read(window)?;
            has_data.iter_mut().zip(&plane.held).for_each(|(flag, held)| *flag |= *held == Held::Data);
            is_void.iter_mut().zip(&plane.held).for_each(|(flag, held)| *flag |= *held == Held::Void);
            pixels.extend(plane.pixels);
        }
        let valid = has_data.into_iter().zip(is_void).map(|(has_data, is_void)| has_data && !is_void).collect();
        Ok(Patch { window, pixels, valid, wanted: None })
    }

    fn prefetch(&mut self, coming: &mut dyn Iterator<Item = Window>, bytes: usize) {
        // Bands of other resolutions have other windows; more than these are not asked for at once.
        let coming: Vec<Window> = coming.take(MOST_AHEAD).collect();
        let each = bytes / self.bands.len().max(1);
        for BandReader { band, raster } in &mut self.bands {
            raster.reader.prefetch(&mut coming.iter().map(|window| band.needed(*window)), each);
        }
    }
}
