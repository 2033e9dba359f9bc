//! Scenes in any format that GDAL reads.

use std::path::Path;

use gdal::raster::{ColorInterpretation, GdalDataType, RasterBand};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};
use swath_models::PixelType;
use swath_tiling::{Size, Window};

use serde_json::{Map, Value, json};

use super::ahead::{Ahead, Stored};
use super::area::{Area, AreaFile, ReaderWithin};
use super::files::version;
use super::guard::Guard;
use super::stack::{OpenStack, RESAMPLING};
use super::{BandChoice, BandProfile, BandRequest, Patch, RasterProfile, RasterSource, SceneInput, WindowReader};
use crate::{Error, Georeference, Result, Version, remote};

/// A scene that GDAL reads, and the bands of it that a network takes.
///
/// A pixel is *valid* unless
/// - the raster's mask says otherwise: an alpha band of 0, or a mask band of 0 (internal or in a `.msk` file, of all bands or of a chosen one);
/// - or all chosen bands hold their nodata value (as `gdalwarp` and rasterio's `dataset_mask` have it: a dark pixel of a scene with nodata 0
///   may well be 0 in one band); integers of 64 bits are compared in double precision;
/// - or one chosen band holds NaN or infinity, which no network can take.
#[derive(Debug)]
pub struct Scene {
    input: SceneInput,
    profile: RasterProfile,
    bands: BandChoice,
    version: Version,
    content: Content,
    /// The part of it that is labelled, if not all of it is.
    area: Option<Box<Area>>,
}

/// What the pixels are in.
#[derive(Debug)]
enum Content {
    /// One raster, and what GDAL may open it with.
    Raster(Guard),
    /// A raster for each band.
    Stack(Box<OpenStack>),
}

impl Scene {
    /// Looks at a raster and finds the bands asked for.
    ///
    /// # Errors
    /// If the raster cannot be opened, has no bands, lacks one that is asked for, or that one holds complex numbers or, before GDAL 3.7, signed bytes.
    pub fn open(input: impl Into<SceneInput>, requests: &[BandRequest]) -> Result<Self> {
        let input = input.into();
        let path = &input.shown();
        if let SceneInput::Stack(stack) = &input {
            let stack = Box::new(OpenStack::open(stack, requests)?);
            let (profile, bands, version) = (stack.profile().clone(), stack.bands().clone(), stack.version());
            return Ok(Self { input, profile, bands, version, content: Content::Stack(stack), area: None });
        }
        input.forget();
        let guard = Guard::new(&input)?;
        let dataset = open(&input, &guard)?;
        let profile = profile(path, &dataset)?;
        let bands = BandChoice::resolve(&profile, requests)?;
        for number in bands.numbers() {
            let data_type = profile.bands[number - 1].data_type;
            // GDAL's complex types have no counterpart among the crate's. Before 3.7, GDAL reads signed bytes as if they had no sign.
            let got = match data_type {
                GdalDataType::Unknown => "complex ones",
                GdalDataType::UInt8 if is_signed_byte(&dataset, path, *number)? => "signed bytes, which this GDAL cannot read",
                _ => continue,
            };
            return Err(Error::BandType { path: path.into(), band: *number, got });
        }
        let version = version(&dataset);
        heed_stores(path)?;
        Ok(Self { input, profile, bands, version, content: Content::Raster(guard), area: None })
    }

    /// The scene with labels only within an area. The network sees all of it: labels within are those of the whole scene.
    ///
    /// # Errors
    /// If the area cannot be read, is not made of polygons, or does not touch the scene, or one of both does not say where it is.
    pub fn within(self, area: &AreaFile) -> Result<Self> {
        let area = Some(Box::new(Area::open(area, &self.profile)?));
        Ok(Self { area, ..self })
    }

    /// The scene with a time of acquisition, where others know it: a catalogue knows better than the files.
    #[must_use]
    pub fn acquired(mut self, time: Option<jiff::Timestamp>) -> Self {
        self.profile.acquired = time.or(self.profile.acquired);
        self
    }

    /// The part of it that is labelled: `None` for all of it.
    #[must_use]
    pub fn area(&self) -> Option<&Area> {
        self.area.as_deref()
    }

    /// Whether each of the windows has pixels to label, as far as the area says.
    ///
    /// # Errors
    /// If the area cannot be read.
    pub fn touched(&self, windows: impl Iterator<Item = Window>) -> Result<Vec<bool>> {
        match &self.area {
            None => Ok(windows.map(|_| true).collect()),
            Some(area) => {
                let area = area.reader()?;
                windows.map(|window| Ok(area.read(window)?.is_some())).collect()
            }
        }
    }

    /// The type that holds all values of the bands that are read, as they are read.
    #[must_use]
    pub fn pixel_type(&self) -> PixelType {
        let Content::Raster(_) = self.content else {
            // Values between pixels.
            return PixelType::F32;
        };
        let all = |types: &[GdalDataType]| {
            self.bands.numbers().iter().all(|number| types.contains(&self.profile.bands[number - 1].data_type))
        };
        let types = [
            (PixelType::U8, [GdalDataType::UInt8].as_slice()),
            (PixelType::U16, &[GdalDataType::UInt8, GdalDataType::UInt16]),
            (PixelType::I16, &[GdalDataType::UInt8, GdalDataType::Int16]),
        ];
        types.into_iter().find(|(_, held)| all(held)).map_or(PixelType::F32, |(pixels, _)| pixels)
    }

    /// What a product says about how the scene was read: its area, and how the bands of a stack are brought onto one grid.
    #[must_use]
    pub fn parameters(&self) -> Map<String, Value> {
        let mut parameters = Map::new();
        if let Some(area) = &self.area {
            parameters.insert("aoi".into(), area.parameters());
        }
        if let Content::Stack(stack) = &self.content {
            parameters.insert("resampling".into(), json!({ "rule": RESAMPLING, "grid": stack.grid() }));
        }
        parameters
    }

    /// What it is read from.
    #[must_use]
    pub fn input(&self) -> &SceneInput {
        &self.input
    }

    /// Which content it has: that of its raster, of a mask beside it, and of the rasters that it is made of.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The bands that are read.
    #[must_use]
    pub fn bands(&self) -> &BandChoice {
        &self.bands
    }
}

impl RasterSource for Scene {
    fn profile(&self) -> &RasterProfile {
        &self.profile
    }

    fn reader(&self) -> Result<Box<dyn WindowReader + '_>> {
        let pixels: Box<dyn WindowReader + '_> = match &self.content {
            Content::Stack(stack) => stack.reader()?,
            Content::Raster(guard) => {
                let dataset = open(&self.input, guard)?;
                if version(&dataset) != self.version {
                    return Err(Error::SceneChanged { path: self.profile.path.clone() });
                }
                let masks = masks(&dataset, &self.profile, self.bands.numbers())?;
                heed_stores(&self.profile.path)?;
                let ahead = self.input.is_remote().then(|| Ahead::new(&dataset)).flatten();
                Box::new(SceneReader { scene: self, dataset, masks, ahead, scratch: Vec::new() })
            }
        };
        let Some(area) = &self.area else { return Ok(pixels) };
        Ok(Box::new(ReaderWithin { area: area.reader()?, pixels, bands: self.bands.numbers().len() }))
    }
}

/// What says which pixels are valid, beside nodata values: 0 is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mask {
    /// The alpha band with this number.
    Alpha(usize),
    /// The mask that belongs to the band with this number.
    Of(usize),
}

/// The masks of a raster that count for these bands.
fn masks(dataset: &Dataset, profile: &RasterProfile, numbers: &[usize]) -> Result<Vec<Mask>> {
    // GDAL's own choice would leave alpha out where there is a nodata value, and where the band asked is alpha itself.
    let alpha = (1..=profile.bands.len()).filter(|number| profile.bands[number - 1].is_alpha());
    let mut masks: Vec<Mask> = alpha.map(Mask::Alpha).collect();
    for number in numbers {
        let flags = band(dataset, &profile.path, *number)?.mask_flags();
        let flags = flags.map_err(|source| fail("read the mask of", &profile.path, source))?;
        // A mask that GDAL makes up of nodata values is not asked for: those are compared as the rule above says.
        if flags.is_all_valid() || flags.is_nodata() || flags.is_alpha() {
            continue;
        }
        masks.push(Mask::Of(*number));
        if flags.is_per_dataset() {
            break;
        }
    }
    Ok(masks)
}

/// Reads a scene through a dataset handle of its own.
struct SceneReader<'s> {
    scene: &'s Scene,
    dataset: Dataset,
    masks: Vec<Mask>,
    /// What was asked for of the windows that come next; none where that is a matter of the system.
    ahead: Option<Ahead>,
    /// Values of one band in double precision, where single precision could not tell them from nodata.
    scratch: Vec<f64>,
}

impl WindowReader for SceneReader<'_> {
    #[expect(clippy::float_cmp, reason = "nodata is one stored value, not a measurement near it")]
    fn read(&mut self, window: Window) -> Result<Patch> {
        drop(remote::take_failure());
        let profile = &self.scene.profile;
        let area = window.area();
        let numbers = self.scene.bands.numbers();
        let mut patch = Patch { window, pixels: vec![0.0; numbers.len() * area], valid: vec![true; area], wanted: None };
        // A pixel has data when one band differs from its nodata value; a band without one always does.
        let mut has_data = vec![false; area];
        for (number, pixels) in numbers.iter().zip(patch.pixels.chunks_exact_mut(area)) {
            let band = band(&self.dataset, &profile.path, *number)?;
            let nodata = profile.bands[number - 1].nodata;
            if fits_single(profile.bands[number - 1].data_type) {
                read_window(&band, window, pixels, &profile.path)?;
                let nodata = nodata.map(|value| value as f32);
                mark(&mut has_data, pixels.iter().map(|x| nodata.is_none_or(|nodata| *x != nodata)));
            } else {
                self.scratch.resize(area, 0.0);
                read_window(&band, window, &mut self.scratch, &profile.path)?;
                pixels.iter_mut().zip(&self.scratch).for_each(|(x, value)| *x = *value as f32);
                mark(&mut has_data, self.scratch.iter().map(|x| nodata.is_none_or(|nodata| *x != nodata)));
            }
            patch.valid.iter_mut().zip(pixels.iter()).for_each(|(valid, x)| *valid &= x.is_finite());
        }
        patch.valid.iter_mut().zip(&has_data).for_each(|(valid, has_data)| *valid &= has_data);
        for mask in &self.masks {
            let mut values = vec![0f32; area];
            match mask {
                Mask::Alpha(number) => {
                    read_window(&band(&self.dataset, &profile.path, *number)?, window, &mut values, &profile.path)?;
                }
                Mask::Of(number) => {
                    let owner = band(&self.dataset, &profile.path, *number)?;
                    let mask = owner.open_mask_band().map_err(|source| fail("open the mask of", &profile.path, source))?;
                    read_window(&mask, window, &mut values, &profile.path)?;
                }
            }
            patch.valid.iter_mut().zip(&values).for_each(|(valid, value)| *valid &= *value != 0.0);
        }
        Ok(patch)
    }

    fn prefetch(&mut self, coming: &mut dyn Iterator<Item = Window>, bytes: usize) {
        let Self { scene, dataset, masks, ahead, .. } = self;
        let Some(ahead) = ahead else { return };
        let masks = masks.iter().map(|mask| match mask {
            Mask::Alpha(number) => Stored::Band(*number),
            Mask::Of(number) => Stored::MaskOf(*number),
        });
        let stored: Vec<_> = scene.bands.numbers().iter().map(|number| Stored::Band(*number)).chain(masks).collect();
        ahead.announce(dataset, &stored, coming, bytes as u64);
    }
}

fn mark(flags: &mut [bool], values: impl Iterator<Item = bool>) {
    flags.iter_mut().zip(values).for_each(|(flag, value)| *flag |= value);
}

/// What GDAL could not do; where a store is to blame, its failure is the cause.
fn fail(action: impl Into<String>, path: &Path, source: gdal::errors::GdalError) -> Error {
    match remote::take_failure() {
        Some(source) => Error::Remote { action: action.into(), location: path.into(), source },
        None => Error::Gdal { action: action.into(), path: path.into(), source },
    }
}

/// An error if a store failed while the raster was opened: GDAL does without a mask that it cannot read.
fn heed_stores(path: &Path) -> Result<()> {
    remote::take_failure()
        .map_or(Ok(()), |source| Err(Error::Remote { action: "open".to_owned(), location: path.into(), source }))
}

fn open(input: &SceneInput, guard: &Guard) -> Result<Dataset> {
    remote::install();
    drop(remote::take_failure());
    // Without the flag, GDAL keeps to itself why it cannot.
    let open_flags = GdalOpenFlags::GDAL_OF_READONLY | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
    let drivers = guard.drivers();
    let options = DatasetOptions { open_flags, allowed_drivers: drivers.as_deref(), ..DatasetOptions::default() };
    let dataset = Dataset::open_ex(input.dataset_name()?, options).map_err(|source| fail("open", &input.shown(), source))?;
    guard.check(&dataset, &input.shown())?;
    Ok(dataset)
}

fn band<'d>(dataset: &'d Dataset, path: &Path, number: usize) -> Result<RasterBand<'d>> {
    dataset.rasterband(number).map_err(|source| fail(format!("open band {number} of"), path, source))
}

fn read_window<T: Copy + gdal::raster::GdalType>(
    band: &RasterBand<'_>,
    window: Window,
    into: &mut [T],
    path: &Path,
) -> Result<()> {
    let size = (window.width, window.height);
    band.read_into_slice((window.x as isize, window.y as isize), size, size, into, None)
        .map_err(|source| fail(format!("read {window} of"), path, source))
}

/// Whether every value of the type is one in single precision, too.
fn fits_single(data_type: GdalDataType) -> bool {
    data_type.bits() <= 16 || data_type == GdalDataType::Float32
}

fn is_signed_byte(dataset: &Dataset, path: &Path, number: usize) -> Result<bool> {
    let sign = band(dataset, path, number)?.metadata_item("PIXELTYPE", "IMAGE_STRUCTURE");
    Ok(sign.is_some_and(|sign| sign == "SIGNEDBYTE"))
}

fn profile(path: &Path, dataset: &Dataset) -> Result<RasterProfile> {
    let (width, height) = dataset.raster_size();
    if dataset.raster_count() == 0 || width == 0 || height == 0 {
        return Err(Error::NoBands { path: path.into() });
    }
    let bands = (1..=dataset.raster_count()).map(|number| {
        let band = band(dataset, path, number)?;
        let colour = band.color_interpretation();
        let plain =
            matches!(colour, ColorInterpretation::Undefined | ColorInterpretation::GrayIndex | ColorInterpretation::PaletteIndex);
        let description = band.description().map_err(|source| fail(format!("describe band {number} of"), path, source))?;
        warn_of_scale(path, number, &band);
        Ok(BandProfile {
            description: (!description.is_empty()).then_some(description),
            colour: (!plain).then(|| colour.name().to_lowercase()),
            data_type: band.band_type(),
            nodata: band.no_data_value(),
            bytes: usize::from(band.band_type().bytes()),
        })
    });
    Ok(RasterProfile {
        path: path.into(),
        size: Size::plane(width, height),
        bands: bands.collect::<Result<_>>()?,
        block: block_size(path, dataset)?,
        block_bytes: block_bytes(path, dataset)?,
        georeference: Georeference::read(dataset)?,
        acquired: crate::acquired(dataset),
    })
}

/// The blocks in which the first band is stored.
fn block_size(path: &Path, dataset: &Dataset) -> Result<Size> {
    let (width, height) = band(dataset, path, 1)?.block_size();
    Ok(Size::plane(width, height))
}

/// Bytes of the largest block: of one band, or of all bands where they are stored pixel by pixel.
fn block_bytes(path: &Path, dataset: &Dataset) -> Result<usize> {
    let bytes = (1..=dataset.raster_count()).map(|number| {
        let band = band(dataset, path, number)?;
        let (width, height) = band.block_size();
        Ok(width * height * usize::from(band.band_type().bytes()))
    });
    let bytes: Vec<usize> = bytes.collect::<Result<_>>()?;
    let together = dataset.metadata_item("INTERLEAVE", "IMAGE_STRUCTURE").is_some_and(|kind| kind == "PIXEL");
    Ok(if together { bytes.iter().sum() } else { bytes.into_iter().max().unwrap_or(0) })
}

/// Stored values go to the network as they are; whoever trained it on scaled ones should hear of it.
fn warn_of_scale(path: &Path, number: usize, band: &RasterBand<'_>) {
    let (scale, offset) = (band.scale().unwrap_or(1.0), band.offset().unwrap_or(0.0));
    if (scale - 1.0).abs() > f64::EPSILON || offset.abs() > f64::EPSILON {
        tracing::debug!(path = %path.display(), number, scale, offset, "band's scale and offset are not applied: the network gets stored values");
    }
}
