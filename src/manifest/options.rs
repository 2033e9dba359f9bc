//! What of a manifest is taken.

/// What of a manifest is taken.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ManifestOptions {
    /// Which assets of items are looked at.
    pub assets: AssetChoice,
    /// Of folders and prefixes, the files whose name fits (`*.tif`), or whose path in there does if the pattern has a `/` (`2024/**/*_B04.tif`). The
    /// case of letters does not matter. `None` is all `.tif`, `.tiff`, `.jp2` and `.vrt`.
    pub pattern: Option<String>,
}

/// Which assets of an item are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum AssetChoice {
    /// All that may be rasters of the scene: no metadata, thumbnails or overviews.
    #[default]
    All,
    /// Those with these keys.
    Keys(Vec<String>),
    /// Those that have this role.
    Role(String),
}
