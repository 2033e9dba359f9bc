//! Of `swath demo`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::options::ProgressStyle;

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Folder for the scene, its truth, the label map and the preview
    #[arg(short, long, value_name = "DIR", default_value = "swath-demo")]
    pub(crate) output: PathBuf,
    /// Replace these files where they are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Seed of the scene: the same seed gives the same scene
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Side of the scene in pixels
    #[arg(long, value_name = "PX", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(64..=100_000))]
    pub(crate) size: u32,
    /// Only write the scene and its truth, such as for training
    #[arg(long)]
    pub(crate) only_scene: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    pub(crate) progress: ProgressStyle,
}
