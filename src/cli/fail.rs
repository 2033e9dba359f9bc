//! How the program ends when something went wrong.

use std::error::Error as StdError;
use std::process::ExitCode;

use swath::manifest::ManifestError;
use swath::train::TrainError;
use swath::{Error, with_causes};

/// Any error that ends the program.
pub(super) type AnyError = Box<dyn StdError>;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is done.
    Done,
    /// Some rasters failed; the others are finished.
    SomeFailed,
    /// Nothing was started.
    NotStarted,
    /// The user stopped it.
    Interrupted,
}

impl Exit {
    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::NotStarted => 2,
            Self::Interrupted => 130,
        })
    }

    /// How the program ends with an error that no raster is to blame for.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Self {
        match error.downcast_ref::<Error>() {
            Some(Error::Cancelled { .. }) => Self::Interrupted,
            Some(Error::Train(error)) if matches!(**error, TrainError::Interrupted { .. }) => Self::Interrupted,
            _ => Self::NotStarted,
        }
    }
}

/// Logs an error with all its causes, and what may help.
pub(super) fn report(error: &(dyn StdError + 'static)) {
    tracing::error!("{}", with_causes(error));
    if let Some(error) = error.downcast_ref() {
        show_hint(error);
    }
    if let Some(hint) = error.downcast_ref().and_then(model_hint) {
        tracing::error!("hint: {hint}");
    }
}

/// Logs what may help with an error, if anything does.
pub(super) fn show_hint(error: &Error) {
    if let Some(hint) = hint(error) {
        tracing::error!("hint: {hint}");
    }
}

/// What the user may do about an error of a model.
fn model_hint(error: &swath_models::Error) -> Option<&'static str> {
    use swath_models::Error;
    Some(match error {
        Error::Weights { source, .. } => return model_hint(source),
        Error::Bands { .. } => "--adapt-bands repeat, mean or zero makes weights for other bands of them; zero only for more",
        Error::Global { .. } => "save nothing but the state_dict: torch.save(model.state_dict(), FILE), or as safetensors",
        _ => return None,
    })
}

/// What the user may do about an error.
fn hint(error: &Error) -> Option<String> {
    Some(match error {
        Error::Exists { .. } => "--overwrite replaces it".into(),
        Error::OtherRun { .. } => "--overwrite starts anew".into(),
        Error::ShardMissing { index, count, .. } => format!("swath segment with --shard {index}/{count} labels it"),
        Error::NoShards { .. } => "swath segment with --shard 1/N to N/N makes them".into(),
        Error::BandMissing { .. } | Error::BandAmbiguous { .. } => {
            "--bands names the scene's bands in the order of the model's, such as --bands 3,2,1".into()
        }
        Error::NoClasses { .. } => "--classes names them in the order of their values, such as --classes land,water".into(),
        Error::UnknownValue { .. } => {
            "--map says what a raster's values stand for, --ignore which of the reference do not count, --palette what its colours are".into()
        }
        Error::Grids { .. } => "gdalwarp with -t_srs, -te, -ts and -r near brings one onto the pixels of the other".into(),
        Error::ClassMissing { .. } => "--classes sets the names, --palette and --map what they stand for".into(),
        Error::TileTooSmall { smallest, .. } => format!("--tile {smallest} works; --blend hann needs no halo"),
        Error::TileStride { nearest, .. } => format!("--tile {nearest} works"),
        Error::AreaUnknown { .. } => "a number without `m2` is one of pixels".into(),
        Error::CrfBand { .. } => "bands=A+B+.. of --crf names the model's bands that are its colours".into(),
        Error::CrfColours { .. } => {
            "a nodata value in the raster takes pixels out that have no colour; else colour-width of --crf wants to be larger".into()
        }
        Error::CropWholeTile { .. } => "--blend hann, gaussian or flat work".into(),
        Error::Memory { needed, .. } => {
            format!("--max-memory {}MiB would do; a smaller --tile, --sieve or --fill-holes, no --crf and no --probabilities need less", needed.div_ceil(1 << 20))
        }
        Error::Model(swath_models::Error::NoCuda { .. }) => "--device cpu computes without".into(),
        Error::Model(swath_models::Error::Precision { .. }) => "--device cuda has the others".into(),
        Error::Network { source: swath_models::Error::Cuda { .. }, .. } => {
            "the same command goes on where this one ended; --device cpu computes without the card".into()
        }
        Error::LayerEmpty { .. } => "one layer for several scenes need not have features on each, but it must have some".into(),
        Error::AreaElsewhere { .. } => "does the layer have the CRS that its coordinates are in?".into(),
        Error::Layer { .. } => "--aoi-layer names the layer of --aoi, `layer` that of a recipe's labels".into(),
        Error::Manifest(error) => match **error {
            ManifestError::NameTwice { .. } | ManifestError::Name { .. } => {
                "in a list, a scene's name may follow its path, after a TAB".into()
            }
            ManifestError::BandMissing { .. } | ManifestError::BandAmbiguous { .. } | ManifestError::AssetMissing { .. } => {
                "--asset and --asset-role choose assets by key or role, --bands names the bands".into()
            }
            _ => return None,
        },
        Error::Model(error) => return model_hint(error).map(Into::into),
        Error::Volume(error) | Error::Copied { source: error, .. } => match **error {
            swath_volumes::Error::Gap { .. } => "--gaps fill makes up what is missing, --gaps resample all slices at equal distances".into(),
            swath_volumes::Error::Several { ref series, .. } if series.windows(2).all(|pair| pair[0] == pair[1]) => {
                "they are of one series, which --series does not take apart: each needs a folder of its own".into()
            }
            swath_volumes::Error::Several { .. } => "--series chooses one".into(),
            swath_volumes::Error::NoUnit { .. } => "--assume-hounsfield takes what is stored for Hounsfield units".into(),
            swath_volumes::Error::NoPlace { .. } => "--assume-place takes them for a stack in the order of their numbers".into(),
            swath_volumes::Error::Frame { .. } => "--frame chooses one".into(),
            _ => return None,
        },
        Error::Train(error) => match **error {
            TrainError::Interrupted { .. } => "--resume goes on".into(),
            TrainError::OtherRecipe { .. } => "--resume needs the recipe as it was; --overwrite starts anew".into(),
            TrainError::UnknownLabel { .. } => {
                "`values` or `rgb` of a class say which labels it has, and those of `[ignore]` which do not count".into()
            }
            TrainError::UnknownVoxelLabel { .. } => {
                "`values` of a class say which labels it has, `others = true` that it has all others, and those of `[ignore]` which do not count".into()
            }
            TrainError::VolumeAmongScenes { .. } => {
                "`[volume]` says what the network needs of volumes, such as `axes = \"SPL\"`".into()
            }
            TrainError::LayerElsewhere { .. } => "does the layer have the CRS that its coordinates are in?".into(),
            TrainError::OtherData { .. } => "--resume needs the data as they were; --overwrite starts anew".into(),
            TrainError::NoCheckpoint { .. } => "--overwrite replaces what an earlier training left there".into(),
            TrainError::InputNotFinite { .. } => "the scene's pixels, or the recipe's `scaling`, are out of range".into(),
            TrainError::NotFinite { .. } => "a lower `schedule.rate`, or a longer `schedule.warm_up`, may help".into(),
            _ => return None,
        },
        _ => return None,
    })
}
