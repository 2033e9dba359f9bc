//! VRTs that others wrote.

use std::collections::BTreeSet;
use std::path::Path;

use super::guard::{check_sidecars, head, is_tiff, read};
use super::xml::{Kind, Node};

/// Largest VRT that is looked at, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// Most files that a VRT may be made of: the beginning of each is read before it is opened.
const MOST_SOURCES: usize = 1000;

/// Elements that a VRT of plain sources has. Others, such as those of warped or derived ones, may name files and functions in ways of their own.
const ELEMENTS: [&str; 58] = [
    "VRTDataset",
    "VRTRasterBand",
    "SRS",
    "GeoTransform",
    "GCPList",
    "GCP",
    "Metadata",
    "MDI",
    "MaskBand",
    "BlockXSize",
    "BlockYSize",
    "OverviewList",
    "Description",
    "NoDataValue",
    "NodataValue",
    "HideNoDataValue",
    "UnitType",
    "Offset",
    "Scale",
    "CategoryNames",
    "Category",
    "ColorInterp",
    "ColorTable",
    "Entry",
    "Histograms",
    "HistItem",
    "HistMin",
    "HistMax",
    "BucketCount",
    "IncludeOutOfRange",
    "Approximate",
    "HistCounts",
    "GDALRasterAttributeTable",
    "FieldDefn",
    "Name",
    "Type",
    "Usage",
    "Row",
    "F",
    "SimpleSource",
    "ComplexSource",
    "SourceFilename",
    "SourceBand",
    "SourceProperties",
    "SrcRect",
    "DstRect",
    "NODATA",
    "NoData",
    "UseMaskBand",
    "ScaleOffset",
    "ScaleRatio",
    "LUT",
    "ColorTableComponent",
    "Exponent",
    "SrcMin",
    "SrcMax",
    "DstMin",
    "DstMax",
];

/// What the files of a VRT begin with: formats that lead nowhere else, and whose beginnings are no text.
const JPEG_2000: [&[u8]; 2] = [b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51\0"];
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0";

/// Whether GDAL would take a file for a VRT.
pub(super) fn is_vrt(head: &[u8]) -> bool {
    head.windows(b"<VRTDataset".len()).any(|part| part.eq_ignore_ascii_case(b"<VRTDataset"))
}

/// Whether a VRT is made of nothing but plain rasters in its own folder or below; or why not.
pub(super) fn check(name: &Path) -> Result<(), String> {
    let bytes = read(name, MOST_BYTES + 1);
    if bytes.len() > MOST_BYTES {
        return Err(format!("expected a VRT of at most {MOST_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|error| format!("expected a VRT in UTF-8: {}", error.utf8_error()))?;
    let nodes = Node::parse(&text).ok_or("its XML is broken or nested too deeply")?;
    let mut sources = BTreeSet::new();
    for node in &nodes {
        visit(node, &mut sources)?;
    }
    if sources.len() > MOST_SOURCES {
        return Err(format!("expected at most {MOST_SOURCES} sources in a VRT, got {}", sources.len()));
    }
    let folder = name.parent().unwrap_or(Path::new(""));
    for source in sources {
        let path = folder.join(source);
        let head = head(&path);
        // A file that is not there is an error of its own once it is read.
        let is_plain = head.is_empty() || is_tiff(&head) || JPEG_2000.iter().chain([&PNG]).any(|magic| head.starts_with(magic));
        if !is_plain {
            return Err(format!("its source `{source}` is neither TIFF, JPEG 2000 nor PNG"));
        }
        check_sidecars(&path).map_err(|reason| format!("its source `{source}`: {reason}"))?;
    }
    Ok(())
}

/// Looks at an element and all within it.
fn visit<'n>(node: &'n Node, sources: &mut BTreeSet<&'n str>) -> Result<(), String> {
    // What GDAL puts before the first element.
    if node.kind != Kind::Element || node.value.starts_with('?') {
        return Ok(());
    }
    let name = node.value.as_str();
    if !ELEMENTS.contains(&name) {
        return Err(format!("expected a VRT of plain sources, got one with `{name}`"));
    }
    if let Some(kind) =
        node.children.iter().find(|child| child.kind == Kind::Attribute && child.value.eq_ignore_ascii_case("subClass"))
    {
        return Err(format!("expected a VRT of plain sources, got a `{}`", kind.text()));
    }
    if name == "SourceFilename" {
        let source = node.text();
        if node.attribute("relativeToVRT") != Some("1") || !is_below(source) {
            return Err(format!("expected sources relative to the VRT and within its folder, got `{source}`"));
        }
        sources.insert(source);
    }
    // What metadata say is text, XML or not, that GDAL shows and does not follow.
    if name == "Metadata" {
        return if is_overview(node) { Err("its metadata name overviews elsewhere".into()) } else { Ok(()) };
    }
    node.children.iter().try_for_each(|child| visit(child, sources))
}

/// Whether metadata name a file of overviews.
fn is_overview(metadata: &Node) -> bool {
    metadata.attribute("domain").is_some_and(|domain| domain.eq_ignore_ascii_case("OVERVIEWS"))
}

/// Whether a name is a plain one of a file in this folder or below.
fn is_below(name: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.contains([':', '\\', '<', '{', '?']) && !name.contains(char::is_control) && name.split('/').all(is_plain)
}
