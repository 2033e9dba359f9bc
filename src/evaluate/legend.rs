//! Which classes a label raster says that it has.

use std::ffi::{CStr, c_char};
use std::path::Path;

use gdal::Dataset;
use gdal::raster::RasterBand;
use gdal_sys::{GDALRATFieldUsage, GDALRasterAttributeTableH};
use serde_json::Value;
use swath_models::{Class, Colour};

use crate::{Error, Result, stac};

/// The classes that a label raster says it has, with their values, names and colours: those of the STAC item beside it, else its
/// category names and colour table, else its attribute table. `None` if it says nothing. Values above 255 are left out.
///
/// # Errors
/// If the raster cannot be opened.
pub fn legend(path: &Path) -> Result<Option<Vec<Class>>> {
    let fail = |source| Error::Gdal { action: "open".into(), path: path.into(), source };
    let dataset = Dataset::open(path).map_err(fail)?;
    let band = dataset.rasterband(1).map_err(fail)?;
    let classes = item_classes(path).or_else(|| named_classes(&band)).or_else(|| table_classes(&band));
    Ok(classes.filter(|classes| !classes.is_empty()))
}

/// The classes of the item that `swath segment` writes beside labels, if it is there and about this file.
fn item_classes(path: &Path) -> Option<Vec<Class>> {
    let item: Value = serde_json::from_slice(&std::fs::read(stac::item_path(path)).ok()?).ok()?;
    let asset = &item["assets"]["labels"];
    if Path::new(asset["href"].as_str()?).file_name() != path.file_name() {
        return None;
    }
    let classes = asset["classification:classes"].as_array()?.iter().filter(|class| class["nodata"] != true);
    classes.map(|class| serde_json::from_value(class.clone()).ok()).collect()
}

/// The category names that are not empty, in the colours of the colour table.
fn named_classes(band: &RasterBand<'_>) -> Option<Vec<Class>> {
    let colours = band.color_table();
    let class = |(value, name): (u8, String)| {
        let entry = colours.as_ref().and_then(|table| table.entry_as_rgb(value.into()));
        let channel = |value: i16| u8::try_from(value).ok();
        let colour =
            entry.and_then(|entry| Some(Colour { red: channel(entry.r)?, green: channel(entry.g)?, blue: channel(entry.b)? }));
        Class { value, name, title: None, description: None, colour }
    };
    let names = category_names(band)?;
    Some((0..=u8::MAX).zip(names).filter(|(_, name)| !name.is_empty()).map(class).collect())
}

fn category_names(band: &RasterBand<'_>) -> Option<Vec<String>> {
    // SAFETY: the band is valid. The list belongs to it, is not changed meanwhile, and ends with a null pointer.
    let list = unsafe { gdal_sys::GDALGetRasterCategoryNames(band.c_rasterband()) };
    if list.is_null() {
        return None;
    }
    let mut names = Vec::new();
    loop {
        // SAFETY: entries up to the null pointer are there, and the loop ends with it.
        let name = unsafe { *list.add(names.len()) };
        if name.is_null() {
            return Some(names);
        }
        names.push(text(name));
    }
}

/// The rows of the attribute table that have a single value and a name.
fn table_classes(band: &RasterBand<'_>) -> Option<Vec<Class>> {
    // SAFETY: the band is valid, and the table belongs to it.
    let table = unsafe { gdal_sys::GDALGetDefaultRAT(band.c_rasterband()) };
    if table.is_null() {
        return None;
    }
    let column = |usage| {
        // SAFETY: the table is valid as long as the band is.
        let column = unsafe { gdal_sys::GDALRATGetColOfUsage(table, usage) };
        (column >= 0).then_some(column)
    };
    let value = column(GDALRATFieldUsage::GFU_MinMax)?;
    let name = column(GDALRATFieldUsage::GFU_Name)?;
    let colour = [GDALRATFieldUsage::GFU_Red, GDALRATFieldUsage::GFU_Green, GDALRATFieldUsage::GFU_Blue].map(column);
    // SAFETY: as above.
    let rows = unsafe { gdal_sys::GDALRATGetRowCount(table) };
    let class = |row| {
        let colour = match colour {
            [Some(red), Some(green), Some(blue)] => {
                Some(Colour { red: byte(table, row, red)?, green: byte(table, row, green)?, blue: byte(table, row, blue)? })
            }
            _ => None,
        };
        // SAFETY: as above; GDAL gives an empty text for what is not there.
        let name = text(unsafe { gdal_sys::GDALRATGetValueAsString(table, row, name) });
        let class = Class { value: byte(table, row, value)?, name, title: None, description: None, colour };
        Some(class).filter(|class| !class.name.is_empty())
    };
    Some((0..rows).filter_map(class).collect())
}

fn byte(table: GDALRasterAttributeTableH, row: i32, column: i32) -> Option<u8> {
    // SAFETY: the caller's table is valid; GDAL gives 0 for what is not there.
    u8::try_from(unsafe { gdal_sys::GDALRATGetValueAsInt(table, row, column) }).ok()
}

/// A copy of a text of GDAL's.
fn text(pointer: *const c_char) -> String {
    // SAFETY: every caller has a C string that GDAL keeps at least until its next call.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Existing, Georeference, LabelProduct, LabelSink};

    #[test]
    fn a_finished_label_raster_tells_its_classes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.tif");
        let class = |value, name: &str, colour: &str| Class {
            value,
            name: name.into(),
            title: None,
            description: None,
            colour: colour.parse().ok(),
        };
        let classes = vec![class(2, "land", "102030"), class(5, "water", "0000FF")];
        let size = swath_tiling::Size::plane(8, 8);
        let product = LabelProduct {
            path: path.clone(),
            size,
            georeference: Georeference::default(),
            classes: classes.clone(),
            nodata: 255,
            existing: Existing::Refuse,
            threads: 1,
        };
        let mut sink = LabelSink::create(product).unwrap();
        sink.write(swath_tiling::Window::all(size), &[2; 64]).unwrap();
        sink.finish().unwrap();
        assert_eq!(legend(&path).unwrap().unwrap(), classes);
        // The attribute table alone says the same.
        let aux = folder.path().join("labels.tif.aux.xml");
        let text = std::fs::read_to_string(&aux).unwrap();
        let (before, rest) = text.split_once("<CategoryNames>").unwrap();
        let (_, after) = rest.split_once("</CategoryNames>").unwrap();
        std::fs::write(&aux, format!("{before}{after}")).unwrap();
        assert_eq!(legend(&path).unwrap().unwrap(), classes);
        std::fs::remove_file(&aux).unwrap();
        assert_eq!(legend(&path).unwrap(), None);
    }
}
