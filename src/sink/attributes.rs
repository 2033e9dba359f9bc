//! What QGIS and ArcGIS show beside a label raster: the names of its classes and a table of them.

use std::ffi::{CStr, CString, NulError, c_int};
use std::path::Path;

use gdal::cpl::CslStringList;
use gdal::raster::RasterBand;
use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use gdal_sys::{CPLErr, GDALRATFieldType, GDALRATFieldUsage, GDALRATTableType, GDALRasterAttributeTableH};
use swath_models::{Class, Colour};

use super::temporary::suffixed;
use super::watch::{Heed, watch};
use crate::{Error, Result};

/// One class of a finished label raster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a> {
    pub(super) class: &'a Class,
    pub(super) colour: Colour,
    /// Number of pixels.
    pub(super) count: u64,
}

/// Writes `PATH.aux.xml` for the label raster `path`, which itself is not touched.
///
/// The category names have the label value as their index, empty where a value is no class; the table has one row per class.
pub(super) fn write(path: &Path, classes: &[Attributes<'_>]) -> Result<()> {
    let gdal = |source| Error::Gdal { action: "write class names of".into(), path: path.to_owned(), source };
    // Opened for reading, GDAL writes beside the file what it could also write into it.
    watch(Heed::Warnings, || {
        let dataset = open(path)?;
        set_names(&dataset.rasterband(1)?, classes)?;
        set_table(&dataset.rasterband(1)?, classes)?;
        dataset.close()
    })
    .map_err(gdal)?;
    // GDAL may have been told to write no such file, or to write it elsewhere.
    let aux = suffixed(path, ".aux.xml");
    std::fs::File::open(&aux).and_then(|file| file.sync_all()).map_err(|source| Error::File {
        action: "write",
        path: aux,
        source,
    })
}

fn open(path: &Path) -> gdal::errors::Result<Dataset> {
    let open_flags = GdalOpenFlags::GDAL_OF_READONLY | GdalOpenFlags::GDAL_OF_RASTER;
    Dataset::open_ex(path, DatasetOptions { open_flags, ..DatasetOptions::default() })
}

fn set_names(band: &RasterBand<'_>, classes: &[Attributes<'_>]) -> gdal::errors::Result<()> {
    let last = classes.iter().map(|row| row.class.value).max();
    let mut names = CslStringList::new();
    for value in 0..=last.unwrap_or(0) {
        let class = classes.iter().find(|row| row.class.value == value);
        names.add_string(class.map_or("", |row| row.class.label()))?;
    }
    // SAFETY: both pointers are valid during the call, and GDAL copies the names.
    check(unsafe { gdal_sys::GDALSetRasterCategoryNames(band.c_rasterband(), names.as_ptr()) }, "GDALSetRasterCategoryNames")
}

fn set_table(band: &RasterBand<'_>, classes: &[Attributes<'_>]) -> gdal::errors::Result<()> {
    let mut table = Table::new();
    table.column(c"Value", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_MinMax)?;
    table.column(c"Class", GDALRATFieldType::GFT_String, GDALRATFieldUsage::GFU_Name)?;
    // Integers have 32 bits here, which a large raster's background exceeds.
    table.column(c"Count", GDALRATFieldType::GFT_Real, GDALRATFieldUsage::GFU_PixelCount)?;
    table.column(c"Red", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_Red)?;
    table.column(c"Green", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_Green)?;
    table.column(c"Blue", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_Blue)?;
    for (row, Attributes { class, colour, count }) in (0..).zip(classes) {
        table.integer(row, 0, class.value);
        table.text(row, 1, class.label())?;
        table.real(row, 2, *count as f64);
        table.integer(row, 3, colour.red);
        table.integer(row, 4, colour.green);
        table.integer(row, 5, colour.blue);
    }
    // SAFETY: both handles are valid during the call, and GDAL copies the table.
    check(unsafe { gdal_sys::GDALSetDefaultRAT(band.c_rasterband(), table.0) }, "GDALSetDefaultRAT")
}

/// A raster attribute table of GDAL's.
#[derive(Debug)]
struct Table(GDALRasterAttributeTableH);

impl Table {
    fn new() -> Self {
        // SAFETY: the handle is valid until `drop` destroys it.
        let table = Self(unsafe { gdal_sys::GDALCreateRasterAttributeTable() });
        // SAFETY: the handle is valid. A table in memory cannot fail here.
        unsafe { gdal_sys::GDALRATSetTableType(table.0, GDALRATTableType::GRTT_THEMATIC) };
        table
    }

    fn column(&mut self, name: &CStr, kind: GDALRATFieldType::Type, usage: GDALRATFieldUsage::Type) -> gdal::errors::Result<()> {
        // SAFETY: the handle and the name are valid during the call, and GDAL copies the name.
        check(unsafe { gdal_sys::GDALRATCreateColumn(self.0, name.as_ptr(), kind, usage) }, "GDALRATCreateColumn")
    }

    fn integer(&mut self, row: c_int, column: c_int, value: u8) {
        // SAFETY: the handle is valid; GDAL adds a row that is missing and reports a column that is.
        unsafe { gdal_sys::GDALRATSetValueAsInt(self.0, row, column, value.into()) };
    }

    fn real(&mut self, row: c_int, column: c_int, value: f64) {
        // SAFETY: as for integers.
        unsafe { gdal_sys::GDALRATSetValueAsDouble(self.0, row, column, value) };
    }

    fn text(&mut self, row: c_int, column: c_int, value: &str) -> Result<(), NulError> {
        let value = CString::new(value)?;
        // SAFETY: as for integers; GDAL copies the text.
        unsafe { gdal_sys::GDALRATSetValueAsString(self.0, row, column, value.as_ptr()) };
        Ok(())
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed here only.
        unsafe { gdal_sys::GDALDestroyRasterAttributeTable(self.0) };
    }
}

/// An error for a result that is not success. `watch` has the message.
fn check(result: CPLErr::Type, function: &'static str) -> gdal::errors::Result<()> {
    if result == CPLErr::CE_None {
        return Ok(());
    }
    Err(gdal::errors::GdalError::CplError { class: result, number: 0, msg: format!("{function} failed") })
}
