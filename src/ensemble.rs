//! Several models as one.

use std::collections::BTreeSet;

use swath_models::{Class, Ensemble, Executor, GsdRange, Member, ModelCard, Scaling};

use crate::{Error, Result};

/// A model of several.
pub(crate) struct Part {
    pub(crate) card: ModelCard,
    /// Gives probabilities.
    pub(crate) executor: Box<dyn Executor>,
    /// Its share, relative to the others'.
    pub(crate) weight: f32,
}

/// Several models as one.
pub(crate) struct Combined {
    /// What they need and what their labels mean. A band that two models scale differently is there twice.
    pub(crate) card: ModelCard,
    pub(crate) executor: Box<dyn Executor>,
    /// The names of the bands, each once.
    pub(crate) bands: Vec<String>,
    /// Of every band of the card, its place among them.
    pub(crate) places: Vec<usize>,
}

impl Combined {
    /// Models with the same classes, by name; values, colours and nodata are those of the first.
    ///
    /// # Errors
    /// If their classes differ, those that are never given as a label, or the tiles that they take.
    pub(crate) fn new(parts: Vec<Part>) -> Result<Self> {
        let mut cards = parts.iter().map(|part| &part.card);
        let Some(first) = cards.next().cloned() else {
            return Err(Error::ModelWeights { models: 0, got: "none".into() });
        };
        let mut channels: Vec<(String, Scaling)> = Vec::new();
        let mut gsd = first.gsd;
        let mut members = Vec::new();
        let name = parts.iter().map(|part| part.card.name.as_str()).collect::<Vec<_>>().join(" + ");
        for Part { card, executor, weight } in parts {
            compare(&first, &card)?;
            gsd = both(&first, gsd, &card)?;
            let own = card.bands.iter().cloned().zip(card.scaling.iter().copied());
            let bands = own.map(|channel| place(&mut channels, channel)).collect();
            let class = |class: &Class| first.classes.iter().position(|other| other.name == class.name).unwrap_or_default();
            let classes = card.classes.iter().map(class).collect();
            members.push(Member { executor, name: card.name, bands, classes, weight });
        }
        let executor = Box::new(Ensemble::new(members, channels.len())?);
        let mut bands = Vec::new();
        let places = channels.iter().map(|(name, _)| place(&mut bands, name.clone())).collect();
        let (names, scaling) = channels.into_iter().unzip();
        let architecture = "ensemble".into();
        let card = ModelCard { name, architecture, bands: names, scaling, gsd, ..first };
        Ok(Self { card, executor, bands, places })
    }
}

/// The place of a value in a list, to which it is added if it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, value: T) -> usize {
    list.iter().position(|other| *other == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}

/// An error if the labels of two models do not mean the same.
fn compare(first: &ModelCard, card: &ModelCard) -> Result<()> {
    let names = |card: &ModelCard| card.classes.iter().map(|class| class.name.clone()).collect::<BTreeSet<_>>();
    let dropped = |card: &ModelCard| {
        let dropped = card.classes.iter().filter(|class| card.dropped.contains(&class.value));
        dropped.map(|class| class.name.clone()).collect::<BTreeSet<_>>()
    };
    let shown = |names: BTreeSet<String>| match names.len() {
        0 => "none".to_owned(),
        _ => names.into_iter().collect::<Vec<_>>().join(", "),
    };
    for (what, [expected, got]) in [("classes", [first, card].map(names)), ("dropped classes", [first, card].map(dropped))] {
        if expected != got {
            let [first, second] = [first, card].map(|card| card.name.clone());
            let [expected, got] = [expected, got].map(shown);
            return Err(Error::ModelsDiffer { first, second, what, expected, got });
        }
    }
    Ok(())
}

/// The ground sample distances that suit both.
fn both(first: &ModelCard, gsd: Option<GsdRange>, card: &ModelCard) -> Result<Option<GsdRange>> {
    let (Some(a), Some(b)) = (gsd, card.gsd) else { return Ok(gsd.or(card.gsd)) };
    let range = GsdRange { minimum: a.minimum.max(b.minimum), maximum: a.maximum.min(b.maximum) };
    if range.minimum <= range.maximum {
        return Ok(Some(range));
    }
    let shown = |range: GsdRange| format!("{} to {} m", range.minimum, range.maximum);
    let (first, second) = (first.name.clone(), card.name.clone());
    Err(Error::ModelsDiffer { first, second, what: "ground sample distance", expected: shown(a), got: shown(b) })
}
