//! The bundled model.

use std::path::Path;

use swath_models::{Model, ModelBytes};

/// The bundled model: `fcn_small`, learned by `swath train` from generated scenes of other seeds than the demo's (`make bundled-model`). It takes red,
/// green, blue and near infrared of a [`DemoScene`](super::DemoScene) and gives logits of [`classes`](super::classes).
///
/// # Errors
/// If card, graph and weights do not fit each other.
pub fn model() -> swath_models::Result<Model> {
    let files = ModelBytes {
        card: include_bytes!("bundled/model.json"),
        graph: include_bytes!("bundled/graph.json"),
        weights: include_bytes!("bundled/weights.safetensors"),
    };
    Model::from_bytes(Path::new("the bundled model"), &files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_tells_the_classes_of_the_scene_apart() {
        let Model { card, graph, .. } = model().unwrap();
        assert_eq!(card.classes, super::super::classes());
        assert_eq!(card.bands, ["red", "green", "blue", "nir"]);
        assert_eq!(graph.output_channels(), card.classes.len());
    }

    #[test]
    fn the_model_is_small() {
        let bytes = include_bytes!("bundled/weights.safetensors").len() + include_bytes!("bundled/graph.json").len();
        assert!(bytes <= 2 << 20, "{bytes} bytes");
    }
}
