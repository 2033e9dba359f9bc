//! What is made of a scene.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use swath_models::Class;
use swath_refine::LabelSteps;
use swath_tiling::{Size, Window};

use crate::digest::Digest;
use crate::labels::{Labeller, Labels};
use crate::pipeline::{LabelsWanted, Scores};
use crate::sink::{CompleteLabels, CompleteLayer, Start, Unpublished};
use crate::{
    Georeference, ItemDescription, LabelProduct, LabelSink, LabelSummary, LayerAsset, LayerEncoding, LayerProduct, LayerSink,
    ModelReference, Outputs, Result,
};
/// All that the rasters of a scene and their STAC item say, but for pixels and file names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Product {
    /// Columns of its rasters.
    pub(crate) width: usize,
    /// Their rows.
    pub(crate) height: usize,
    pub(crate) georeference: Georeference,
    pub(crate) classes: Vec<Class>,
    pub(crate) nodata: u8,
    /// What was labelled.
    pub(crate) sources: Vec<String>,
    /// The model's name.
    pub(crate) model: String,
    /// The model card.
    pub(crate) model_href: String,
    /// Everything that the labels depend on.
    pub(crate) parameters: Map<String, Value>,
    /// What is done with the labels before they are published.
    pub(crate) steps: LabelSteps,
    /// When the scene was acquired, if that is known.
    pub(crate) acquired: Option<String>,
}

/// The band of a confidence raster.
const CONFIDENCE: &str = "confidence";

impl Product {
    pub(crate) fn size(&self) -> Size {
        Size::plane(self.width, self.height)
    }

    fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }

    /// Writes the STAC item about rasters that are complete but have no names yet; nor has it. `shard` is what merging needs to know of a shard.
    pub(crate) fn describe(&self, outputs: &Outputs, summary: &LabelSummary, shard: Option<&Value>) -> Result<Unpublished> {
        let names = self.class_names();
        let confidence = [CONFIDENCE.to_owned()];
        let item = ItemDescription {
            labels: &outputs.labels,
            size: self.size(),
            georeference: &self.georeference,
            classes: &self.classes,
            nodata: self.nodata,
            summary,
            probabilities: outputs.probabilities.as_ref().map(|p| LayerAsset {
                path: &p.path,
                bands: &names,
                encoding: p.encoding,
            }),
            confidence: outputs.confidence.as_deref().map(|path| LayerAsset {
                path,
                bands: &confidence,
                encoding: LayerEncoding::U8,
            }),
            sources: &self.sources,
            model: ModelReference { name: &self.model, version: None, href: &self.model_href },
            parameters: self.parameters.clone(),
            acquired: self.acquired.as_ref().and_then(|time| time.parse().ok()),
            created: Timestamp::now(),
            existing: outputs.existing,
        };
        item.prepare(shard)
    }
}

/// The rasters of a run while they are written.
#[derive(Debug)]
pub(crate) struct Sinks {
    labels: LabelSink,
    layers: Vec<(Layer, LayerSink)>,
}

/// What a raster beside the labels has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Probabilities,
    Confidence,
}

/// Rasters that lack nothing but their names.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) labels: CompleteLabels,
    pub(crate) layers: Vec<CompleteLayer>,
}

impl Sinks {
    /// Prepares all rasters; `threads` compress them.
    pub(crate) fn start(product: &Product, outputs: &Outputs, threads: usize, start: Start) -> Result<Self> {
        let layer = |path: &Path, bands: Vec<String>, encoding: LayerEncoding| {
            let (size, georeference) = (product.size(), product.georeference.clone());
            LayerSink::start(
                LayerProduct { path: path.to_owned(), size, georeference, bands, encoding, existing: outputs.existing, threads },
                start,
            )
        };
        let labels = LabelSink::start(
            LabelProduct {
                path: outputs.labels.clone(),
                size: product.size(),
                georeference: product.georeference.clone(),
                classes: product.classes.clone(),
                nodata: product.nodata,
                existing: outputs.existing,
                threads,
            },
            start,
        )?;
        let mut layers = Vec::new();
        if let Some(probabilities) = &outputs.probabilities {
            layers.push((Layer::Probabilities, layer(&probabilities.path, product.class_names(), probabilities.encoding)?));
        }
        if let Some(path) = &outputs.confidence {
            layers.push((Layer::Confidence, layer(path, vec![CONFIDENCE.to_owned()], LayerEncoding::U8)?));
        }
        Ok(Self { labels, layers })
    }

    /// Writes what a part of the scene became; `window` is its place in the rasters.
    pub(crate) fn write(&mut self, window: Window, labeller: &Labeller, scores: &Scores) -> Result<()> {
        let Labels { values, confidence } = labeller.label(scores);
        for (layer, sink) in &mut self.layers {
            match layer {
                Layer::Probabilities => sink.write(window, &labeller.probabilities(scores))?,
                Layer::Confidence => sink.write(window, &confidence)?,
            }
        }
        self.labels.write(window, &values)
    }

    /// Writes labels that were made elsewhere, and how sure they are; there are no probabilities.
    pub(crate) fn write_labels(&mut self, window: Window, labels: &[u8], confidence: &[u8]) -> Result<()> {
        for (_, sink) in &mut self.layers {
            sink.write_steps(window, confidence)?;
        }
        self.labels.write(window, labels)
    }

    /// What labels are made of elsewhere; `None` if probabilities are written, which have to come back.
    pub(crate) fn labels_wanted(&self, labeller: &Labeller) -> Option<LabelsWanted> {
        let has = |layer: Layer| self.layers.iter().any(|(own, _)| *own == layer);
        let confidence = has(Layer::Confidence);
        (!has(Layer::Probabilities)).then(|| LabelsWanted { table: labeller.table(), confidence })
    }

    /// Writes labels, and the scores of all layers in the order probabilities, confidence.
    pub(crate) fn copy(&mut self, window: Window, labels: &[u8], scores: &[Vec<f32>]) -> Result<()> {
        for ((_, sink), scores) in self.layers.iter_mut().zip(scores) {
            sink.write(window, scores)?;
        }
        self.labels.write(window, labels)
    }

    /// Counts a window that an earlier run wrote as written.
    pub(crate) fn recover(&mut self, window: Window) -> Result<()> {
        self.layers.iter_mut().try_for_each(|(_, sink)| sink.recover(window))?;
        self.labels.recover(window)
    }

    /// SHA-256 of the bytes of a window in all rasters.
    pub(crate) fn digest(&mut self, window: Window) -> Result<String> {
        let mut digest = Digest::default();
        self.labels.scratch().digest(window, &mut digest)?;
        for (_, sink) in &mut self.layers {
            sink.scratch().digest(window, &mut digest)?;
        }
        Ok(digest.hex())
    }

    /// Waits until everything that was written is on the disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.layers.iter_mut().try_for_each(|(_, sink)| sink.scratch().sync())?;
        self.labels.scratch().sync()
    }

    /// From now on, what was written outlives this process.
    pub(crate) fn keep(&mut self) {
        self.layers.iter_mut().for_each(|(_, sink)| sink.scratch().keep());
        self.labels.scratch().keep();
    }

    /// Makes the rasters, the labels once `steps` are done; `go_on` is asked before each.
    pub(crate) fn complete(self, steps: &LabelSteps, go_on: impl Fn() -> Result<()>) -> Result<Complete> {
        let mut layers = Vec::new();
        for (_, sink) in self.layers {
            go_on()?;
            layers.push(sink.complete()?);
        }
        go_on()?;
        let labels = if steps.is_none() { self.labels } else { self.labels.changed(steps, &go_on)? };
        go_on()?;
        let labels = labels.complete()?;
        go_on()?;
        Ok(Complete { labels, layers })
    }
}
