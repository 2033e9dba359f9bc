//! Names of tensors in other libraries.

use std::collections::{BTreeMap, BTreeSet};

use super::Change;
use crate::{Error, Result, Weights};

/// What programs put in front of all names: `DataParallel` (`module.`), `torch.compile` (`_orig_mod.`), Lightning and torchgeo (`model.`), and what is
/// often written by hand.
const WRAPPERS: [&str; 6] = ["module.", "_orig_mod.", "model.", "net.", "network.", "segmentor."];
/// How many of them may stand before a name.
const MAX_WRAPPERS: usize = 4;

/// Where libraries keep the same part: torchvision's segmentation networks and `MMSegmentation` have `backbone.`, `segmentation_models_pytorch` has
/// `encoder.`, and classifiers of torchvision, timm and torchgeo have nothing.
const PLACES: [&str; 3] = ["", "backbone.", "encoder."];

/// Parts of residual networks that `fcn_resnet18` and its like call otherwise than torchvision, timm, torchgeo and `MMSegmentation`.
const PARTS: [Part; 3] = [
    Part { from: "conv1.", to: "stem.0.", is_first: true },
    Part { from: "bn1.", to: "stem.1.", is_first: true },
    Part { from: ".downsample.", to: ".skip.", is_first: false },
];

/// Torchvision's auxiliary head.
pub(crate) const AUX_CLASSIFIER: &str = "aux_classifier.";

/// Parts that only training needs: torchvision's and `MMSegmentation`'s auxiliary heads, averaged copies of the weights, losses, metrics.
const TRAINING: [&str; 11] = [
    AUX_CLASSIFIER,
    "auxiliary_head.",
    "aux_head.",
    "model_ema.",
    "ema_model.",
    "criterion.",
    "loss.",
    "loss_fn.",
    "train_metrics.",
    "val_metrics.",
    "test_metrics.",
];

/// A part of a name that another library calls otherwise.
struct Part {
    from: &'static str,
    to: &'static str,
    /// Whether it is only meant at the start.
    is_first: bool,
}

impl Part {
    fn apply(&self, name: &str) -> Option<String> {
        if self.is_first {
            return name.strip_prefix(self.from).map(|rest| format!("{}{rest}", self.to));
        }
        name.contains(self.from).then(|| name.replace(self.from, self.to))
    }
}

/// A name in the network, and what was done to find it.
struct Found {
    name: String,
    from: String,
    to: String,
}

/// Gives tensors the names that are wanted, and leaves out what only training needs.
pub(super) fn rename(weights: &mut Weights, wanted: &BTreeSet<String>) -> Result<Vec<Change>> {
    let names: Vec<String> = weights.specs().map(|spec| spec.name).collect();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut renamed: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut dropped: BTreeMap<&str, usize> = BTreeMap::new();
    let mut moves = Vec::new();
    for name in names {
        let found = if wanted.contains(&name) {
            Found { name: name.clone(), from: String::new(), to: String::new() }
        } else if let Some(found) = find(&name, wanted) {
            *renamed.entry((found.from.clone(), found.to.clone())).or_default() += 1;
            moves.push((name.clone(), found.name.clone()));
            found
        } else {
            if let Some(part) = training(&name) {
                *dropped.entry(part).or_default() += 1;
                weights.remove(&name);
            }
            continue;
        };
        if let Some(first) = taken.insert(found.name.clone(), name.clone()) {
            return Err(Error::SameTensor { first, second: name, tensor: found.name });
        }
    }
    for (from, to) in &moves {
        weights.rename(from, to);
    }
    let renamed = renamed.into_iter().map(|((from, to), count)| Change::Renamed { from, to, count });
    let dropped = dropped.into_iter().map(|(prefix, count)| Change::Dropped { prefix: prefix.into(), count });
    Ok(renamed.chain(dropped).collect())
}

/// A wanted name for that of a tensor.
fn find(name: &str, wanted: &BTreeSet<String>) -> Option<Found> {
    for bare in unwrapped(name) {
        let wrapper = &name[..name.len() - bare.len()];
        for from in PLACES {
            let Some(part) = bare.strip_prefix(from) else { continue };
            for to in PLACES {
                let found = |name: String, more: &str, there: &str| Found {
                    name,
                    from: format!("{wrapper}{from}{more}"),
                    to: format!("{to}{there}"),
                };
                let candidate = format!("{to}{part}");
                if wanted.contains(&candidate) {
                    return Some(found(candidate, "", ""));
                }
                for rule in &PARTS {
                    if let Some(candidate) =
                        rule.apply(part).map(|part| format!("{to}{part}")).filter(|name| wanted.contains(name))
                    {
                        return Some(found(candidate, rule.from, rule.to));
                    }
                }
            }
        }
    }
    None
}

/// The part that only training needs to which a tensor belongs.
fn training(name: &str) -> Option<&'static str> {
    unwrapped(name).find_map(|bare| TRAINING.into_iter().find(|prefix| bare.starts_with(prefix)))
}

/// A name without its wrappers: with all, with one less, and so on.
fn unwrapped(name: &str) -> impl Iterator<Item = &str> {
    let mut bare = Some(name);
    let next = move || {
        let current = bare?;
        bare = WRAPPERS.iter().find_map(|wrapper| current.strip_prefix(wrapper));
        Some(current)
    };
    std::iter::from_fn(next).take(1 + MAX_WRAPPERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(file: &[&str], wanted: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let mut weights = Weights::new();
        for name in file {
            weights.insert(*name, vec![1], vec![0.0]);
        }
        let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
        let changes = rename(&mut weights, &wanted)?.iter().map(ToString::to_string).collect();
        Ok((weights.specs().map(|spec| spec.name).collect(), changes))
    }

    #[test]
    fn every_rule_finds_the_networks_names() -> Result<()> {
        for (file, wanted, change) in [
            ("module.conv1.weight", "conv1.weight", "renamed, without `module.`: 1"),
            ("_orig_mod.conv1.weight", "conv1.weight", "renamed, without `_orig_mod.`: 1"),
            ("model.encoder.conv1.weight", "encoder.conv1.weight", "renamed, without `model.`: 1"),
            ("net.a.weight", "a.weight", "renamed, without `net.`: 1"),
            ("network.a.weight", "a.weight", "renamed, without `network.`: 1"),
            ("segmentor.a.weight", "a.weight", "renamed, without `segmentor.`: 1"),
            ("model.module._orig_mod.a.weight", "a.weight", "renamed, without `model.module._orig_mod.`: 1"),
            ("conv1.weight", "backbone.conv1.weight", "renamed, with `backbone.` in front: 1"),
            ("conv1.weight", "encoder.conv1.weight", "renamed, with `encoder.` in front: 1"),
            ("backbone.conv1.weight", "encoder.conv1.weight", "renamed, with `encoder.` for `backbone.`: 1"),
            ("encoder.conv1.weight", "backbone.conv1.weight", "renamed, with `backbone.` for `encoder.`: 1"),
            ("model.backbone.layer1.0.bn1.bias", "layer1.0.bn1.bias", "renamed, without `model.backbone.`: 1"),
            ("conv1.weight", "stem.0.weight", "renamed, with `stem.0.` for `conv1.`: 1"),
            ("bn1.bias", "stem.1.bias", "renamed, with `stem.1.` for `bn1.`: 1"),
            (
                "encoder.layer2.0.downsample.0.weight",
                "layer2.0.skip.0.weight",
                "renamed, with `.skip.` for `encoder..downsample.`: 1",
            ),
        ] {
            assert_eq!(renamed(&[file], &[wanted])?, (vec![wanted.into()], vec![change.into()]), "{file}");
        }
        Ok(())
    }

    #[test]
    fn names_that_are_right_stay_and_others_are_left_as_they_are() -> Result<()> {
        let file = ["aux_classifier.0.weight", "backbone.conv1.weight", "fc.weight", "module.other.bias"];
        let wanted = ["backbone.conv1.weight", "classifier.4.weight"];
        let (names, changes) = renamed(&file, &wanted)?;
        assert_eq!(names, ["backbone.conv1.weight", "fc.weight", "module.other.bias"]);
        assert_eq!(changes, ["passed over `aux_classifier.`, which only training needs: 1"]);
        // What the network has is no part of training.
        assert_eq!(renamed(&["aux_classifier.0.weight"], &["aux_classifier.0.weight"])?.1, [""; 0]);
        Ok(())
    }

    #[test]
    fn two_tensors_cannot_have_one_name() {
        let error = renamed(&["a.weight", "module.a.weight"], &["a.weight"]).map_err(|error| error.to_string());
        let message = "tensors `a.weight` and `module.a.weight` of the file are both `a.weight` of the network";
        assert_eq!(error, Err(message.into()));
    }
}
