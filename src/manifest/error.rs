//! What can be wrong with a manifest.

use std::path::PathBuf;

/// What can be wrong with a manifest, or with one of its scenes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is no text.
    #[error("expected a list of paths or URIs, or JSON, in UTF-8: {}", path.display())]
    NoText {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        source: std::string::FromUtf8Error,
    },
    /// It is not the JSON that it should be.
    #[error("expected a STAC item or item collection in {}", path.display())]
    Json {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is another kind of JSON.
    #[error("expected a STAC item (`Feature`) or item collection (`FeatureCollection`), got `{kind}` in {}", path.display())]
    Kind {
        /// The manifest.
        path: PathBuf,
        /// Its `type`.
        kind: String,
    },
    /// It has no scenes.
    #[error("no scenes in {}", path.display())]
    Empty {
        /// The manifest.
        path: PathBuf,
    },
    /// The pattern for names is none.
    #[error("`{pattern}` is no pattern")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong.
        source: glob::PatternError,
    },
    /// A scene cannot be found.
    #[error("{entry} of {}: {reason}", path.display())]
    Entry {
        /// The manifest.
        path: PathBuf,
        /// Which scene: "line 3", "item `S2A_33UUP`".
        entry: String,
        /// What is wrong.
        reason: String,
    },
    /// A name that cannot be that of a product.
    #[error("{} cannot be called `{name}`: {reason}", scene.display())]
    Name {
        /// The scene.
        scene: PathBuf,
        /// Its name, without what cannot be shown.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Two scenes have one name.
    #[error("{} and {} would both be called `{name}`", first.display(), second.display())]
    NameTwice {
        /// The name.
        name: String,
        /// A scene.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// A band is in no asset.
    #[error("no asset of item `{item}` has the band `{band}`: there are {assets}")]
    BandMissing {
        /// The item.
        item: String,
        /// The band's name.
        band: String,
        /// The assets looked at, with their bands.
        assets: String,
    },
    /// A band is in several assets.
    #[error("band `{band}` of item `{item}` may be in {candidates}")]
    BandAmbiguous {
        /// The item.
        item: String,
        /// The band's name.
        band: String,
        /// Where it may be.
        candidates: String,
    },
    /// An asset that is asked for is not there.
    #[error("item `{item}` has no asset {wanted}: there are {assets}")]
    AssetMissing {
        /// The item.
        item: String,
        /// Which: "`B04`", "with the role `data`".
        wanted: String,
        /// Those that it has.
        assets: String,
    },
}
