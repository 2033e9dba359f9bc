//! Of `swath evaluate`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use swath::evaluate::Palette;
use swath_models::Class;

use crate::cli::parse::{ValueMap, parse_class, parse_map, parse_palette};

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// Label raster; its pixels without data have no label and count as missed. Or a label volume: Dice, HD95 and surface Dice of each class
    pub(crate) prediction: PathBuf,
    /// Reference on the same grid: class values, or colours with `--palette`; its pixels without data do not count
    pub(crate) reference: PathBuf,
    /// Classes, in the order of their values from 0, as NAME or NAME=RRGGBB [default: those that the prediction says it has, else
    /// the reference]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_class)]
    pub(crate) classes: Option<Vec<Class>>,
    /// All values of one raster and the classes that they stand for, such as `reference:1=building,2=building,7=tree`; once for
    /// each raster
    #[arg(long, value_name = "RASTER:VALUE=CLASS,..", value_parser = parse_map)]
    pub(crate) map: Vec<ValueMap>,
    /// Values of the reference that do not count
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true, conflicts_with = "palette")]
    pub(crate) ignore: Vec<i64>,
    /// The colours of a reference with three bands: `isprs` (Potsdam and Vaihingen), `classes` (the classes' own), or
    /// NAME=RRGGBB,.. where pixels of the name `ignore` do not count
    #[arg(long, value_name = "PALETTE", value_parser = parse_palette)]
    pub(crate) palette: Option<Palette>,
    /// Also give the figures without pixels from which a disc of this radius in pixels reaches another class of the reference, or
    /// pixels that do not count (ISPRS: 3)
    #[arg(long, value_name = "RADIUS", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) erode: Option<u8>,
    /// Also give the figures without these classes: left out of the means only, and left out of the reference, where labels that
    /// name them stay wrong
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Probabilities of the classes, or of the labels (`--confidence` of `segment`), for the expected calibration error
    #[arg(long, value_name = "PATH")]
    pub(crate) probabilities: Option<PathBuf>,
    /// Also estimate each class's area with its 95 % confidence interval (Olofsson et al. 2014). The intervals only mean
    /// something if the reference is a random sample, stratified by the prediction's classes: neighbouring pixels, and thus
    /// references that cover everything, are none
    #[arg(long)]
    pub(crate) areas: bool,
    /// Of label volumes: how far surfaces may be apart for the surface Dice, in millimetres
    #[arg(long, value_name = "MM", default_value_t = 1.0)]
    pub(crate) surface_tolerance: f64,
    /// Write the result as JSON to a file, or to standard output instead of the tables
    #[arg(long, value_name = "PATH|-")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the confusion matrix
    #[arg(long, value_name = "PATH")]
    pub(crate) png: Option<PathBuf>,
    /// Replace these files where they are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}
