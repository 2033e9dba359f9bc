//! What products say of how they were made, and what their bytes depend on.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use swath_tiling::Window;

use super::{Origin, Segmenter};
use crate::plan::{Layout, Plan};
use crate::product::Product;
use crate::source::{RasterSource as _, Scene};
use crate::{LayerEncoding, Location};

impl Segmenter {
    /// What rasters and item of a plan say.
    pub(super) fn product(&self, scene: &Scene, plan: &Plan) -> Product {
        let profile = scene.profile();
        let Window { width, height, .. } = plan.layout.window;
        let sources = scene.input().locations().into_iter().map(Location::shown);
        let absolute = |path: PathBuf| fs::canonicalize(&path).unwrap_or(path).display().to_string();
        Product {
            width,
            height,
            georeference: profile.georeference.window(plan.layout.window),
            classes: self.card.classes.clone(),
            nodata: self.card.nodata,
            sources: sources.map(absolute).collect(),
            model: self.card.name.clone(),
            model_href: self.origins.first().map(|origin| origin.href.clone()).unwrap_or_default(),
            parameters: self.parameters(scene, plan),
            steps: plan.refine.steps,
            acquired: profile.acquired.map(|time| time.to_string()),
        }
    }

    /// What the bytes of the rasters depend on, in groups that [`difference`] names.
    pub(super) fn identity(&self, scene: &Scene, plan: &Plan) -> Value {
        let Layout { window, input, overlap, .. } = &plan.layout;
        let path = &scene.profile().path;
        let mut identity = json!({
            "version of swath": env!("CARGO_PKG_VERSION"),
            "model": { "name": self.card.name, "sha256": self.digest(), "card": self.card.classes, "nodata": self.card.nodata },
            "scene": { "path": fs::canonicalize(path).unwrap_or_else(|_| path.clone()), "version": scene.version() },
            "options": {
                "bands": scene.bands().numbers(),
                "tile": if input.x == input.y { input.x.to_string() } else { format!("{} x {}", input.x, input.y) },
                "overlap": format!("{} x {}", overlap.width, overlap.height),
                "blend": plan.blend.name(),
                "window": format!("{},{},{},{}", window.x, window.y, window.width, window.height),
                "device": self.executor.device().map(|device| device.name),
                "precision": plan.arithmetic.precision.name(),
                "convolutions": plan.arithmetic.convolutions.name(),
                "probabilities": plan.layers.probabilities.map(LayerEncoding::name),
                "confidence": plan.layers.confidence.map(LayerEncoding::name),
                "scene": scene.parameters(),
            },
        });
        for (name, value) in self.looks().into_iter().chain(self.refinement.parameters()) {
            identity["options"][name] = value;
        }
        identity
    }

    /// What a product says of how the network looks at tiles, if that is not plain.
    fn looks(&self) -> Map<String, Value> {
        let mut looks = Map::new();
        if !self.augmentation.is_none() {
            looks.insert("tta".into(), self.augmentation.to_string().into());
        }
        looks
    }

    /// Everything that the labels depend on.
    fn parameters(&self, scene: &Scene, plan: &Plan) -> Map<String, Value> {
        let layout = &plan.layout;
        let Window { x, y, width, height, .. } = layout.window;
        let parameters = json!({
            "model_sha256": self.digest(),
            "bands": scene.bands().numbers(),
            "tile": [layout.input.y, layout.input.x],
            "overlap": [layout.overlap.height, layout.overlap.width],
            "blend": plan.blend.name(),
            "window": { "x": x, "y": y, "width": width, "height": height },
            "device": self.executor.device().map_or_else(|| "cpu".to_owned(), |device| device.name),
            "precision": plan.arithmetic.precision.name(),
            "convolutions": plan.arithmetic.convolutions.name(),
            "equals_whole": plan.equals_whole(),
        });
        let mut parameters = parameters.as_object().cloned().unwrap_or_default();
        parameters.extend(scene.parameters());
        parameters.extend(self.looks());
        parameters.extend(plan.refine.parameters.clone());
        if self.origins.len() > 1 {
            let model = |Origin { href, digest, name, weight }: &Origin| json!({ "name": name, "href": href, "sha256": digest, "weight": weight });
            parameters.insert("models".into(), self.origins.iter().map(model).collect());
        }
        parameters
    }
}
