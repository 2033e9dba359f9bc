//! What can go wrong between a scene and its label map.

use std::path::PathBuf;

use swath_tiling::{Size, Window};

use crate::remote::RemoteError;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a scene and its label map. Each variant names the raster, file, band or window.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// GDAL could not do something with a raster.
    #[error("cannot {action} {}", path.display())]
    Gdal {
        /// What was tried: a verb, perhaps with its object ("open", "read window x 0 y 0 of 512 x 512 of").
        action: String,
        /// The raster.
        path: PathBuf,
        /// What GDAL said.
        source: gdal::errors::GdalError,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried: "create", "rename", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A store did not do what it was asked to.
    #[error("cannot {action} {}", location.display())]
    Remote {
        /// What was tried: a verb, perhaps with its object ("open", "read window x 0 y 0 of 512 x 512 of").
        action: String,
        /// The object, or the raster that is made of it, without secrets.
        location: PathBuf,
        /// Why.
        source: RemoteError,
    },
    /// Neither a path nor a URI of a store.
    #[error(
        "expected a path or a URI such as s3://bucket/key, gs://, az://, abfs://, https:// or file://, got one of `{scheme}://`"
    )]
    Location {
        /// What it begins with. The rest may be a secret.
        scheme: String,
    },
    /// A name that leads out of its folder, or is none for a file.
    #[error("expected a name below {}, without `..`, empty parts or control characters, got {name:?}", folder.display())]
    Name {
        /// The name.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A file or object that is too large for its purpose.
    #[error("expected at most {most} bytes in {}", path.display())]
    TooLarge {
        /// The file or object.
        path: PathBuf,
        /// The most that it may have.
        most: u64,
    },
    /// An output where nothing can be written.
    #[error("expected a folder or a bucket for outputs, got {}: a plain web server takes none", path.display())]
    ReadOnly {
        /// The output's folder.
        path: PathBuf,
    },
    /// A layer that goes elsewhere than the labels, which the item beside them could not name.
    #[error("expected {} in the folder of {}: one in a store goes beside its labels", layer.display(), labels.display())]
    Apart {
        /// The labels.
        labels: PathBuf,
        /// The layer.
        layer: PathBuf,
    },
    /// A receipt that cannot be understood.
    #[error("{} is no receipt", path.display())]
    Receipt {
        /// The receipt.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Something is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes the same outputs.
    #[error("another process is writing {}", path.display())]
    Busy {
        /// The label raster.
        path: PathBuf,
    },
    /// What is unfinished is not what is asked for.
    #[error("there is an unfinished run for {} that differs in {difference}", path.display())]
    OtherRun {
        /// The label raster.
        path: PathBuf,
        /// What differs: "model", "options: tile 512 -> 1024".
        difference: String,
    },
    /// The disk is too full.
    #[error("expected {} MiB of free disk space in {}, got {} MiB", needed.div_ceil(1 << 20), path.display(), free >> 20)]
    DiskSpace {
        /// The folder.
        path: PathBuf,
        /// Bytes that scratch and finished files take.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The outputs are not those of the plan.
    #[error("expected {expected} as planned, got another choice of outputs for {}", path.display())]
    Layers {
        /// The label raster.
        path: PathBuf,
        /// What the plan has.
        expected: String,
    },
    /// There is nothing to merge.
    #[error("there are no shards of {}", path.display())]
    NoShards {
        /// The label raster.
        path: PathBuf,
    },
    /// A shard is not there.
    #[error("shard {index} of {count} of {} is missing", path.display())]
    ShardMissing {
        /// The label raster.
        path: PathBuf,
        /// The shard, from 1.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A shard does not fit the others.
    #[error("{} and {} differ in {difference}", first.display(), path.display())]
    ShardDiffers {
        /// The shard.
        path: PathBuf,
        /// What differs: "model", "number of shards".
        difference: String,
        /// The shard that it was compared with.
        first: PathBuf,
    },
    /// A shard's item cannot be understood.
    #[error("{} is not the item of a shard", path.display())]
    ShardItem {
        /// The item.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A raster that the product cannot have.
    #[error("expected a raster one slice deep and 1 to {} pixels wide and high, got {size} for {}", i32::MAX, path.display())]
    RasterSize {
        /// The output.
        path: PathBuf,
        /// What was asked for.
        size: Size,
    },
    /// A class has the value that says "no data".
    #[error("class `{name}` has the value {nodata}, which is no data in {}", path.display())]
    ClassIsNodata {
        /// The output.
        path: PathBuf,
        /// The class.
        name: String,
        /// The value of pixels without a label.
        nodata: u8,
    },
    /// Two classes have the same value.
    #[error("classes `{first}` and `{second}` both have the value {value} in {}", path.display())]
    ClassTwice {
        /// The output.
        path: PathBuf,
        /// The value.
        value: u8,
        /// The class that has it first.
        first: String,
        /// The class that has it again.
        second: String,
    },
    /// A window reaches out of the raster.
    #[error("{window} is not within the {size} pixels of {}", path.display())]
    Outside {
        /// The output.
        path: PathBuf,
        /// What was to be written.
        window: Window,
        /// Its size.
        size: Size,
    },
    /// The values do not fill the window.
    #[error("expected {expected} values for {window} of {}, got {got}", path.display())]
    ValueCount {
        /// The output.
        path: PathBuf,
        /// What was to be written.
        window: Window,
        /// Bands times pixels.
        expected: usize,
        /// How many there were.
        got: usize,
    },
    /// Some pixel was written before.
    #[error("{window} of {} overlaps {earlier}, which was written before", path.display())]
    WrittenTwice {
        /// The output.
        path: PathBuf,
        /// What was to be written.
        window: Window,
        /// What was written; windows that lie above each other are one.
        earlier: Window,
    },
    /// Some pixels were never written.
    #[error("expected all {expected} pixels of {} to be written, got {got}", path.display())]
    Unwritten {
        /// The output.
        path: PathBuf,
        /// Its pixels.
        expected: usize,
        /// How many were written.
        got: usize,
    },
    /// A label is no class.
    #[error("label {label} in {window} of {} is neither a class nor no data", path.display())]
    UnknownLabel {
        /// The output.
        path: PathBuf,
        /// Where.
        window: Window,
        /// The label.
        label: u8,
    },
    /// A score cannot be stored.
    #[error("expected {expected}, got {value} for band `{band}` in {window} of {}", path.display())]
    Score {
        /// The output.
        path: PathBuf,
        /// Where.
        window: Window,
        /// The description of the band.
        band: String,
        /// What is stored there.
        expected: &'static str,
        /// The score.
        value: f32,
    },
    /// A written file does not hold what was written.
    #[error("expected {what} {expected}, got {got}, in the written {}", path.display())]
    Unfaithful {
        /// The output.
        path: PathBuf,
        /// What differs: "bands", "pixels".
        what: &'static str,
        /// What was written.
        expected: String,
        /// What is in the file.
        got: String,
    },
    /// Labels and truth are not of the same length.
    #[error("expected {expected} labels, one per true one, got {got}")]
    LabelCount {
        /// Number of true labels.
        expected: usize,
        /// Number of labels.
        got: usize,
    },
    /// A label is no class.
    #[error("expected labels below {classes}, got {got}")]
    LabelValue {
        /// Number of classes.
        classes: usize,
        /// The label.
        got: u8,
    },
    /// Counts do not fill a confusion matrix.
    #[error("expected {expected} counts, classes times (classes + 1), got {got}")]
    CountCount {
        /// Classes times (classes + 1).
        expected: usize,
        /// How many there were.
        got: usize,
    },
    /// A raster does not say which classes its labels are.
    #[error("{} does not say which classes its labels are", path.display())]
    NoClasses {
        /// The raster.
        path: PathBuf,
    },
    /// A class that does not exist.
    #[error("no class is called `{class}`: there are {classes}")]
    ClassMissing {
        /// What was asked for.
        class: String,
        /// The names of all classes, as a list.
        classes: String,
    },
    /// A value that stands for several classes.
    #[error("expected one meaning for each value, got several for {value}")]
    MeaningTwice {
        /// The value or colour.
        value: String,
    },
    /// A pixel that stands for no class.
    #[error("{what} at column {x}, row {y} of {} is neither a class nor ignored", path.display())]
    UnknownValue {
        /// The raster.
        path: PathBuf,
        /// What it holds: "value 7", "colour 0000FF".
        what: String,
        /// The pixel's column.
        x: usize,
        /// The pixel's row.
        y: usize,
    },
    /// Two rasters do not cover the same pixels.
    #[error("expected the same {what}, got {first_value} for {} and {second_value} for {}", first.display(), second.display())]
    Grids {
        /// What differs: "size", "transform", "CRS".
        what: &'static str,
        /// A raster.
        first: PathBuf,
        /// What it has.
        first_value: String,
        /// Another raster.
        second: PathBuf,
        /// What that one has.
        second_value: String,
    },
    /// A raster does not have the bands that it needs for its purpose.
    #[error("expected {expected} in {}, got {got}", path.display())]
    Bands {
        /// The raster.
        path: PathBuf,
        /// What it should have.
        expected: &'static str,
        /// What it has: "4 bands".
        got: String,
    },
    /// A labelled pixel without a probability.
    #[error("expected a probability at column {x}, row {y} of {}, got {got}", path.display())]
    NoProbability {
        /// The raster.
        path: PathBuf,
        /// What is there.
        got: f64,
        /// The pixel's column.
        x: usize,
        /// The pixel's row.
        y: usize,
    },
    /// Areas are asked for with another number of classes.
    #[error("expected the mapped pixels of {expected} classes, got {got}")]
    MappedCount {
        /// Number of classes.
        expected: usize,
        /// How many numbers there were.
        got: usize,
    },
    /// A class of the map that the reference hardly covers.
    #[error("expected at least 2 counted pixels where the map has class `{class}`, got {got}")]
    Stratum {
        /// The class.
        class: String,
        /// How many there were.
        got: u64,
    },
    /// A raster does not cover the same pixels as the scene.
    #[error("expected {expected_width} x {expected_height} pixels in {}, got {width} x {height}", path.display())]
    PictureSize {
        /// The raster.
        path: PathBuf,
        /// The scene's width.
        expected_width: usize,
        /// The scene's height.
        expected_height: usize,
        /// The raster's width.
        width: usize,
        /// The raster's height.
        height: usize,
    },
    /// A picture could not be written.
    #[error("cannot write the picture {}", path.display())]
    Png {
        /// The picture.
        path: PathBuf,
        /// Why.
        source: png::EncodingError,
    },
    /// A dataset without anything to label.
    #[error("{} has no raster bands", path.display())]
    NoBands {
        /// The dataset.
        path: PathBuf,
    },
    /// A scene that is not the one that was opened.
    #[error("{} was changed or replaced after it was opened", path.display())]
    SceneChanged {
        /// The scene.
        path: PathBuf,
    },
    /// A scene that is smaller than what becomes one pixel of it.
    #[error("expected at least the {factor} x {factor} pixels that become one, got {size} for {}", path.display())]
    TooSmall {
        /// The scene.
        path: PathBuf,
        /// Its size.
        size: Size,
        /// Pixels a side that become one.
        factor: usize,
    },
    /// A band that is asked for is not there.
    #[error("no band `{band}` in {}, which has {bands}", path.display())]
    BandMissing {
        /// The raster.
        path: PathBuf,
        /// What was asked for.
        band: String,
        /// The raster's bands, as a list.
        bands: String,
    },
    /// A band name that fits several bands.
    #[error("band `{band}` of {} is ambiguous: both band {first} and band {second} are called so", path.display())]
    BandAmbiguous {
        /// The raster.
        path: PathBuf,
        /// The name.
        band: String,
        /// The first band of this name, from 1.
        first: usize,
        /// The second one.
        second: usize,
    },
    /// Another number of bands than the model takes.
    #[error("expected {expected} bands for model `{model}` ({names}), got {got}")]
    BandCount {
        /// The model.
        model: String,
        /// How many it takes.
        expected: usize,
        /// Their names.
        names: String,
        /// How many were given.
        got: usize,
    },
    /// A band whose values cannot be read as real numbers.
    #[error("band {band} of {}: expected real numbers, got {got}", path.display())]
    BandType {
        /// The raster.
        path: PathBuf,
        /// The band, from 1.
        band: usize,
        /// What it holds.
        got: &'static str,
    },
    /// A window that is not part of the scene.
    #[error("expected a window within the {size} pixels of {}, got {window}", path.display())]
    WindowOutside {
        /// The scene.
        path: PathBuf,
        /// What was asked for.
        window: Window,
        /// The scene's size.
        size: Size,
    },
    /// A tile that would meet the network's layers in another phase than the whole scene does.
    #[error(
        "expected a tile that is a multiple of the network's stride of {stride}, got {tile}; the next one that works is {nearest}"
    )]
    TileStride {
        /// The tile's side asked for.
        tile: usize,
        /// The network's stride.
        stride: usize,
        /// The next side that works.
        nearest: usize,
    },
    /// A tile that is all overlap.
    #[error("a tile of {tile} is too small for an overlap of {overlap}; the smallest one that works is {smallest}")]
    TileTooSmall {
        /// The tile's side asked for.
        tile: usize,
        /// The overlap that is needed or asked for.
        overlap: usize,
        /// The smallest side that works.
        smallest: usize,
    },
    /// A tile for a network that takes tiles of one size only.
    #[error("expected tiles of {width} x {height}, the only ones that the network takes, got {tile}")]
    TileFixed {
        /// The tile's side asked for.
        tile: usize,
        /// The only width.
        width: usize,
        /// The only height.
        height: usize,
    },
    /// An overlap that tiles of no raster could have.
    #[error("expected an overlap of at most {most} pixels, got {overlap}")]
    Overlap {
        /// The overlap asked for.
        overlap: usize,
        /// The largest one.
        most: usize,
    },
    /// More workers than threads.
    #[error("expected 1 to {threads} workers, as many as there are threads, got {workers}")]
    Workers {
        /// The workers asked for.
        workers: usize,
        /// The threads that they would share.
        threads: usize,
    },
    /// Crop for a network that has no halo.
    #[error("cropping cannot equal the whole scene: node `{node}` of the network sees the whole tile")]
    CropWholeTile {
        /// The node.
        node: String,
    },
    /// Crop with convolutions whose values depend on where tiles are cut.
    #[error("cropping cannot equal the whole scene with Winograd's convolutions: open the model with `Convolutions::Direct`")]
    CropWinograd,
    /// An area on the ground, for a scene that does not say how large its pixels are.
    #[error("expected {} to have a projected CRS, so that {option} can be an area", path.display())]
    AreaUnknown {
        /// The scene.
        path: PathBuf,
        /// The flag.
        option: &'static str,
    },
    /// Labels could not be changed.
    #[error("cannot change the labels of {window}")]
    Steps {
        /// Which.
        window: Window,
        /// Why.
        source: swath_refine::Error,
    },
    /// A CRF that cannot be computed.
    #[error("wrong CRF for model `{model}`")]
    Crf {
        /// The model.
        model: String,
        /// What is wrong.
        source: swath_refine::Error,
    },
    /// A colour of a CRF that is no band of the model.
    #[error("expected bands of model `{model}` ({bands}) for its CRF, got `{got}`")]
    CrfBand {
        /// The model.
        model: String,
        /// Its bands.
        bands: String,
        /// The one that is none.
        got: String,
    },
    /// More colours than a CRF takes.
    #[error("expected at most {most} bands for the CRF of model `{model}`, got {got}")]
    CrfBands {
        /// The model.
        model: String,
        /// The most.
        most: usize,
        /// How many there are.
        got: usize,
    },
    /// A threshold for what is no class.
    #[error("expected a class of model `{model}` ({classes}), got `{got}`")]
    ThresholdClass {
        /// The model.
        model: String,
        /// Its classes.
        classes: String,
        /// The one that is none.
        got: String,
    },
    /// Models whose labels do not mean the same.
    #[error("model `{second}`: expected the {what} of model `{first}`, {expected}, got {got}")]
    ModelsDiffer {
        /// The first model.
        first: String,
        /// The one that differs.
        second: String,
        /// In what.
        what: &'static str,
        /// What the first one has.
        expected: String,
        /// What the other one has.
        got: String,
    },
    /// Shares of models that are no shares.
    #[error("expected a weight above 0 for each of {models} models, got {got}")]
    ModelWeights {
        /// How many models there are.
        models: usize,
        /// What was given.
        got: String,
    },
    /// No tiling fits in memory.
    #[error("labelling {} needs at least {} MiB of memory, the limit is {} MiB", path.display(), needed.div_ceil(1 << 20), limit >> 20)]
    Memory {
        /// The scene.
        path: PathBuf,
        /// Bytes that would do.
        needed: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No tiling fits on the graphics processors.
    #[error("labelling {} needs {} MiB on each card, of which {} MiB are free: give a smaller --tile or another --device",
        path.display(), needed.div_ceil(1 << 20), free >> 20)]
    CardMemory {
        /// The scene.
        path: PathBuf,
        /// Bytes of one tile at a time.
        needed: usize,
        /// Bytes that are free on the card with the least of them.
        free: usize,
    },
    /// The network could not be run on a tile.
    #[error("cannot run the network on {window} of {}", path.display())]
    Network {
        /// The scene.
        path: PathBuf,
        /// The tile.
        window: Window,
        /// Why.
        source: swath_models::Error,
    },
    /// The probabilities of a tile could not be refined by its colours.
    #[error("cannot refine {window} of {} by band `{band}`", path.display())]
    CrfColours {
        /// The scene.
        path: PathBuf,
        /// The tile.
        window: Window,
        /// The band whose values are no colours.
        band: String,
        /// Why.
        source: swath_refine::Error,
    },
    /// The probabilities of a tile could not be refined.
    #[error("cannot refine {window} of {} by the CRF", path.display())]
    CrfTile {
        /// The scene.
        path: PathBuf,
        /// The tile.
        window: Window,
        /// Why.
        source: swath_refine::Error,
    },
    /// A valid pixel without a finite score.
    #[error(
        "expected a probability at column {x}, row {y}{} of {}, got {score} for class {class}",
        if *z == 0 { String::new() } else { format!(", slice {z}") },
        path.display()
    )]
    NotFinite {
        /// The scene.
        path: PathBuf,
        /// The class's place among the network's outputs.
        class: usize,
        /// The score.
        score: f32,
        /// The pixel's column.
        x: usize,
        /// The pixel's row.
        y: usize,
        /// The voxel's slice; 0 in a scene.
        z: usize,
    },
    /// Two scenes would have the same output.
    #[error("{} and {} would both be labelled as {}", first.display(), second.display(), output.display())]
    SameOutput {
        /// One scene.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
        /// The output of both.
        output: PathBuf,
    },
    /// One file would be written twice.
    #[error("expected a file of its own for each output of {}, got {} twice", scene.display(), output.display())]
    OutputTwice {
        /// The scene.
        scene: PathBuf,
        /// The output.
        output: PathBuf,
    },
    /// An output would replace a scene.
    #[error("expected an output beside the scenes, got {}, which is the scene {}", output.display(), scene.display())]
    OutputIsScene {
        /// The output.
        output: PathBuf,
        /// The scene.
        scene: PathBuf,
    },
    /// The system gives no more threads.
    #[error("cannot start the threads that compute")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The user stopped the run.
    #[error("labelling {} was interrupted", path.display())]
    Cancelled {
        /// The scene.
        path: PathBuf,
    },
    /// A vector layer that does not exist, or is not named although there are several.
    #[error("expected one of the layers {layers} of {}, got {got}", path.display())]
    Layer {
        /// The file.
        path: PathBuf,
        /// The layers, as a list.
        layers: String,
        /// What is asked for.
        got: String,
    },
    /// A vector layer without features.
    #[error("layer `{layer}` of {} has no features", path.display())]
    LayerEmpty {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: String,
    },
    /// A layer that cannot be brought onto a scene.
    #[error("layer `{layer}` of {} cannot be laid on {}: {reason}", path.display(), scene.display())]
    LayerUnplaced {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// The scene.
        scene: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// A raster that cannot be brought onto the pixels of another one of its stack.
    #[error("cannot bring {} onto the pixels of {}: {reason}", path.display(), finest.display())]
    Stacked {
        /// The raster.
        path: PathBuf,
        /// The one with the smallest pixels.
        finest: PathBuf,
        /// What is wrong, and how much.
        reason: String,
    },
    /// A raster that leads to files which the user did not name.
    #[error("{} is refused: {reason}", path.display())]
    Refused {
        /// The raster.
        path: PathBuf,
        /// Where it leads.
        reason: String,
    },
    /// An area of interest that is not made of polygons.
    #[error("expected polygons in layer `{layer}` of {}, got a {got}", path.display())]
    NotPolygons {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// What else there is: "POINT".
        got: String,
    },
    /// An area of interest that does not touch the scene.
    #[error("layer `{layer}` of {} does not touch {}", path.display(), scene.display())]
    AreaElsewhere {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// The scene.
        scene: PathBuf,
    },
    /// A manifest, or one of its scenes, is not what it should be.
    #[error(transparent)]
    Manifest(Box<crate::manifest::ManifestError>),
    /// A training cannot be what its recipe says.
    #[error(transparent)]
    Train(Box<crate::train::TrainError>),
    /// A volume cannot be read or written.
    #[error(transparent)]
    Volume(Box<swath_volumes::Error>),
    /// A volume cannot be read or written; it was copied from a store.
    #[error("{}: {source}", location.display())]
    Copied {
        /// The volume in its store.
        location: PathBuf,
        /// What is wrong with its copy.
        source: Box<swath_volumes::Error>,
    },
    /// A volume that is not there.
    #[error("expected a NIfTI object, or a prefix of DICOM objects, at {}, got neither", path.display())]
    NoVolume {
        /// The volume in its store.
        path: PathBuf,
    },
    /// A volume without a value that its statistics could be of.
    #[error("expected values to measure in {}, got none that count", path.display())]
    NoValues {
        /// The volume.
        path: PathBuf,
    },
    /// A model that does not say what it needs of volumes.
    #[error("expected `swath:volume` in the card of model `{model}`, which says how volumes are prepared for it, got none")]
    NoVolumes {
        /// The model's name.
        model: String,
    },
    /// Something that scenes have and volumes have not.
    #[error("expected volumes without {what}, got it for {}", path.display())]
    NotForVolumes {
        /// The option.
        what: &'static str,
        /// The volume.
        path: PathBuf,
    },
    /// A name that does not say how labels of a volume are written.
    #[error("expected an output that ends in {expected} for the volume {}, got {}", volume.display(), path.display())]
    VolumeOutput {
        /// The volume.
        volume: PathBuf,
        /// What names may end in.
        expected: &'static str,
        /// The output.
        path: PathBuf,
    },
    /// Finished scores that are not of the slices whose turn it is.
    #[error("expected a block of slices {first} to {last} or the next ones, got {window}")]
    Slices {
        /// The block.
        window: Window,
        /// First slice of the layer.
        first: usize,
        /// One past its last slice.
        last: usize,
    },
    /// A voxel of a label volume that holds no label.
    #[error("expected whole numbers from 0 to 65535 as labels in {}, got {got} in plane {plane}", path.display())]
    NotLabel {
        /// The volume.
        path: PathBuf,
        /// Its value.
        got: f32,
        /// The plane that it is in.
        plane: usize,
    },
    /// A pattern for names that is none.
    #[error("expected a pattern such as *_ct.nii.gz, got `{pattern}`")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        source: glob::PatternError,
    },
    /// Two volumes that do not have the same voxels.
    #[error("expected {} to have the voxels of {}, got {what}", prediction.display(), reference.display())]
    Voxels {
        /// One volume.
        prediction: PathBuf,
        /// The other one.
        reference: PathBuf,
        /// What differs.
        what: String,
    },
    /// Planes of a volume that no tile labelled.
    #[error("expected every plane of {} to be labelled, got fewer", path.display())]
    Incomplete {
        /// The volume.
        path: PathBuf,
    },
    /// Labels could not be changed.
    #[error(transparent)]
    Refine(#[from] swath_refine::Error),
    /// A model is not what it should be.
    #[error(transparent)]
    Model(#[from] swath_models::Error),
    /// Tiles do not fit together.
    #[error(transparent)]
    Tiling(#[from] swath_tiling::Error),
}

impl Error {
    /// The error with all its causes, in one line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        with_causes(self)
    }

    /// Whether the same run would fail in the same way once more.
    pub(crate) fn would_recur(&self) -> bool {
        match self {
            Self::NotFinite { .. }
            | Self::Score { .. }
            | Self::UnknownLabel { .. }
            | Self::CrfColours { .. }
            | Self::CrfTile { .. } => true,
            // A card that is lost or busy may be there again.
            Self::Network { source, .. } => !matches!(source, swath_models::Error::Cuda { .. }),
            _ => false,
        }
    }
}

/// An error with all its causes, in one line.
#[must_use]
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error and its causes, the outermost first.
pub(crate) fn causes<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

impl From<crate::manifest::ManifestError> for Error {
    fn from(error: crate::manifest::ManifestError) -> Self {
        Self::Manifest(Box::new(error))
    }
}
