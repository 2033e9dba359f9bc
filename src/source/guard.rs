//! What GDAL may open a raster with.

use std::ffi::CString;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Once;

use gdal::config::{get_config_option, set_config_option};
use gdal::{Dataset, DriverManager, Metadata as _};
use gdal_sys::{VSIFCloseL, VSIFOpenL, VSIFReadL};

use super::{SceneInput, vrt};
use crate::{Error, Location, Result, remote};

/// Drivers whose files say which other files or servers to read.
const FOLLOWERS: [&str; 34] = [
    "MEM",
    "VRT",
    "DERIVED",
    "GTI",
    "GDALG",
    "WMS",
    "WMTS",
    "WCS",
    "OGCAPI",
    "HTTP",
    "STACIT",
    "STACTA",
    "PLMOSAIC",
    "PLSCENES",
    "EEDA",
    "EEDAI",
    "DAAS",
    "NGW",
    "MRF",
    "KMLSUPEROVERLAY",
    "TIL",
    "RPFTOC",
    "ECRGTOC",
    "PDS4",
    "ISIS3",
    "VICAR",
    "PCIDSK",
    "ILWIS",
    "SENTINEL2",
    "SAFE",
    "DIMAP",
    "POSTGISRASTER",
    "GEORASTER",
    "DODS",
];

/// Virtual file systems that may be named by others: archives, of which only the entry that is named is read, and nothing is unpacked.
const ARCHIVES: [&str; 2] = ["/vsizip/", "/vsitar/"];

/// How much of a file's beginning tells what it is.
const HEAD: usize = 1024;

/// Open files of all VRTs together, unless the user says otherwise.
const POOL: &str = "100";

/// What GDAL may open a raster with.
///
/// A raster that the user names is the user's own: GDAL opens it with any driver, and a VRT may name what it likes. One that somebody else named, in
/// a manifest or because it is remote, may not lead anywhere else: drivers that follow references are not tried, whatever the file is called, but
/// for a VRT whose sources are plain rasters in its own folder (see [`vrt::check`]). Neither may its sidecars, `.msk` and `.ovr`, be anything but
/// TIFFs, nor its metadata name a file of overviews elsewhere. In all of them, GDAL runs no Python (`GDAL_VRT_ENABLE_PYTHON=NO`).
///
/// Not covered: HDF5 and netCDF files may say that their values are in other local files, which libhdf5 then reads as numbers.
#[derive(Clone, Debug)]
pub(super) enum Guard {
    /// The user's own.
    Open,
    /// Somebody else's: with these drivers only.
    Closed(Vec<String>),
}

impl Guard {
    /// Looks at what a raster is before GDAL does.
    ///
    /// # Errors
    /// If it leads to what the user did not name.
    pub(super) fn new(input: &SceneInput) -> Result<Self> {
        set_up();
        let is_own = matches!(input, SceneInput::Raster(Location::Local(_)));
        if is_own {
            return Ok(Self::Open);
        }
        remote::install();
        let (name, shown) = (input.dataset_name()?, input.shown());
        let refuse = |reason: &str| Error::Refused { path: shown.clone(), reason: reason.into() };
        if let SceneInput::Listed(Location::Local(path)) = input
            && !is_plain_name(path)
        {
            return Err(refuse("of GDAL's virtual file systems, only /vsizip/ and /vsitar/ may be named here"));
        }
        drop(remote::take_failure());
        let sidecars = check_sidecars(&name);
        let head = head(&name);
        let vrt = if vrt::is_vrt(&head) { Some(vrt::check(&name)) } else { None };
        // What could not be read was not looked at.
        if let Some(source) = remote::take_failure() {
            return Err(Error::Remote { action: "open".into(), location: shown, source });
        }
        sidecars.map_err(refuse)?;
        let mut drivers: Vec<String> = DriverManager::all().map(|driver| driver.short_name()).collect();
        drivers.retain(|driver| !FOLLOWERS.iter().any(|follower| follower.eq_ignore_ascii_case(driver)));
        if let Some(checked) = vrt {
            checked.map_err(|reason| refuse(&reason))?;
            drivers.push("VRT".into());
        }
        Ok(Self::Closed(drivers))
    }

    /// The drivers that GDAL may try: `None` for all.
    pub(super) fn drivers(&self) -> Option<Vec<&str>> {
        match self {
            Self::Open => None,
            Self::Closed(drivers) => Some(drivers.iter().map(String::as_str).collect()),
        }
    }

    /// An error if an open raster's metadata lead elsewhere: GDAL would follow them where it looks for masks.
    pub(super) fn check(&self, dataset: &Dataset, shown: &Path) -> Result<()> {
        let overviews = match self {
            Self::Open => None,
            Self::Closed(_) => dataset.metadata_item("OVERVIEW_FILE", "OVERVIEWS"),
        };
        let is_beside = |file: &String| file.strip_prefix(":::BASE:::").is_some_and(|file| !file.contains(['/', '\\', ':']));
        match overviews.filter(|file| !is_beside(file)) {
            Some(file) => Err(Error::Refused { path: shown.into(), reason: format!("its metadata name overviews in `{file}`") }),
            None => Ok(()),
        }
    }
}

/// What holds for all rasters of the process.
fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let pool = "GDAL_MAX_DATASET_POOL_SIZE";
        let is_unset = get_config_option(pool, "").is_ok_and(|value| value.is_empty());
        let python = set_config_option("GDAL_VRT_ENABLE_PYTHON", "NO");
        let bounded = if is_unset { set_config_option(pool, POOL) } else { Ok(()) };
        if let Err(error) = python.and(bounded) {
            tracing::warn!("GDAL's options cannot be set: {error}");
        }
    });
}

/// Whether a local name is one of a file, perhaps in an archive, and no way into another file system.
fn is_plain_name(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let inner = ARCHIVES.iter().find_map(|archive| name.strip_prefix(archive)).unwrap_or(&name);
    !inner.to_ascii_lowercase().contains("/vsi") && !inner.starts_with("vsi")
}

/// An error if what GDAL takes for a raster's mask or overviews is no TIFF, and so may be anything.
pub(super) fn check_sidecars(name: &Path) -> Result<(), &'static str> {
    // Web servers list nothing: there, GDAL finds only what the mount asks for, and each question is a request.
    let endings: &[&str] = if name.starts_with("/vsiswath/http") || name.starts_with("/vsiswath/https") {
        &[".msk", ".ovr"]
    } else {
        &[".msk", ".ovr", ".MSK", ".OVR"]
    };
    for ending in endings {
        let mut sidecar = name.as_os_str().to_owned();
        sidecar.push(ending);
        let head = head(Path::new(&sidecar));
        if !head.is_empty() && !is_tiff(&head) {
            return Err("its .msk or .ovr is no TIFF");
        }
    }
    Ok(())
}

/// Whether a file begins as TIFFs do.
pub(super) fn is_tiff(head: &[u8]) -> bool {
    [b"II*\0", b"II+\0", b"MM\0*", b"MM\0+"].iter().any(|magic| head.starts_with(*magic))
}

/// The beginning of a file, as GDAL sees it: empty if there is none.
pub(super) fn head(name: &Path) -> Vec<u8> {
    read(name, HEAD)
}

/// At most so many bytes of a file, as GDAL sees it: empty if there is none.
pub(crate) fn read(name: &Path, most: usize) -> Vec<u8> {
    let Ok(name) = CString::new(name.as_os_str().as_encoded_bytes()) else { return Vec::new() };
    // SAFETY: both texts end in a zero, and are not kept.
    let Some(file) = NonNull::new(unsafe { VSIFOpenL(name.as_ptr(), c"rb".as_ptr()) }) else { return Vec::new() };
    let mut bytes = vec![0u8; most];
    // SAFETY: there is room for so many bytes.
    let count = unsafe { VSIFReadL(bytes.as_mut_ptr().cast(), 1, most, file.as_ptr()) };
    // SAFETY: it was opened above, and is not used any more.
    unsafe { VSIFCloseL(file.as_ptr()) };
    bytes.truncate(count);
    bytes
}
