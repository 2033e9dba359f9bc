//! From a STAC item to a card, nothing guessed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::item::{ArrayField, BandField, ClassField, GsdField, Item};
use super::volume::Wrong;
use super::{GsdRange, ModelCard, Shapes};
use crate::{Class, Error, Result, Scaling, VolumeInput};

/// The label of pixels without data, where the card has none.
const NODATA: u8 = 255;

/// How the address of the schema begins for the versions that cards are read by.
const MLM_1_5: &str = "https://stac-extensions.github.io/mlm/v1.5.";

impl ModelCard {
    /// Reads a card and checks all that can be checked without the graph.
    ///
    /// # Errors
    /// If the file cannot be read or a field is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Self::read_with_shapes(path)?.0)
    }

    /// As [`ModelCard::read`], with the shapes that are to be held against the graph.
    pub(crate) fn read_with_shapes(path: &Path) -> Result<(Self, Shapes)> {
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::parse_with_shapes(&bytes, path)
    }

    /// As [`ModelCard::read_with_shapes`], from the file's bytes.
    pub(crate) fn parse_with_shapes(bytes: &[u8], path: &Path) -> Result<(Self, Shapes)> {
        if bytes.is_empty() {
            return Err(Error::Empty { path: path.into() });
        }
        let item: Item = serde_json::from_slice(bytes).map_err(|source| Error::Json { path: path.into(), source })?;
        Self::from_item(item, path)
    }

    fn from_item(item: Item, path: &Path) -> Result<(Self, Shapes)> {
        let fail = |field: &str, expected: &str, got: String| Error::Card {
            path: path.into(),
            field: field.into(),
            expected: expected.into(),
            got,
        };
        check_names(&item, path)?;
        let p = item.properties;
        let [input] = <[_; 1]>::try_from(p.input).map_err(|v| fail("mlm:input", "one input", v.len().to_string()))?;
        let [output] = <[_; 1]>::try_from(p.output).map_err(|v| fail("mlm:output", "one output", v.len().to_string()))?;
        if !p.tasks.iter().any(|task| task == "semantic-segmentation") {
            return Err(fail("mlm:tasks", "semantic-segmentation", p.tasks.join(", ")));
        }
        let bands = input.bands.into_iter().map(|band| match band {
            BandField::Name(name) | BandField::Object { name, format: None, expression: None } => Ok(name),
            BandField::Object { name, .. } => {
                Err(fail("mlm:input[0].bands", "bands that are read as they are", format!("`{name}`, which is computed")))
            }
        });
        let bands: Vec<String> = bands.collect::<Result<_>>()?;
        if input.input.data_type != "float32" {
            return Err(fail("mlm:input[0].input.data_type", "float32", input.input.data_type));
        }
        let layout = |field: &str, array: &ArrayField, channels: usize, what: &str| {
            let is_channels =
                |name: &String| ["channel", "channels", "band", "bands", "class", "classes"].contains(&name.as_str());
            let at = array.dim_order.iter().position(is_channels);
            let at = at.filter(|at| *at == 1 && array.dim_order.len() == array.shape.len());
            let Some(at) = at else {
                let expected = format!("{what} as the second of as many dimensions as the shape has");
                return Err(Error::Card {
                    path: path.into(),
                    field: format!("{field}.dim_order"),
                    expected,
                    got: format!("{:?}", array.dim_order),
                });
            };
            let got = array.shape[at];
            if got != -1 && usize::try_from(got).ok() != Some(channels) {
                let expected = format!("{channels} at place {at}, the number of {what}");
                return Err(Error::Card {
                    path: path.into(),
                    field: format!("{field}.shape"),
                    expected,
                    got: format!("{:?}", array.shape),
                });
            }
            Ok(())
        };
        layout("mlm:input[0].input", &input.input, bands.len(), "bands")?;
        if let Some(resize) = input.resize_type.filter(|r| r != "crop" && r != "pad") {
            return Err(fail("mlm:input[0].resize_type", "null, crop or pad", resize));
        }
        if !matches!(input.pre_processing_function, None | Some(Value::Null)) {
            return Err(fail("mlm:input[0].pre_processing_function", "null", "a function, which Swath does not run".into()));
        }
        let scaling = match input.value_scaling.unwrap_or_default() {
            v if v.is_empty() => vec![Scaling::None; bands.len()],
            v if v.len() == 1 => vec![v[0].0; bands.len()],
            v if v.len() == bands.len() => v.into_iter().map(|s| s.0).collect(),
            v => return Err(fail("mlm:input[0].value_scaling", "one scaling, or one for each band", v.len().to_string())),
        };
        if !matches!(output.post_processing_function, None | Some(Value::Null)) {
            return Err(fail("mlm:output[0].post_processing_function", "null", "a function, which Swath does not run".into()));
        }
        let field = "mlm:output[0].classification:classes";
        let (nodata, classes): (Vec<ClassField>, Vec<ClassField>) = output.classes.into_iter().partition(|c| c.nodata);
        let nodata = match nodata.as_slice() {
            [] => NODATA,
            [class] => class.class.value,
            several => return Err(fail(field, "one nodata class at most", several.len().to_string())),
        };
        let classes: Vec<Class> = classes.into_iter().map(|c| c.class).collect();
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if let Some(class) = classes.iter().find(|class| !is_name(&class.name)) {
            return Err(fail(field, "names of letters, digits, - and _", format!("`{}`", class.name)));
        }
        let mut values = std::collections::HashSet::from([nodata]);
        if let Some(class) = classes.iter().find(|class| !values.insert(class.value)) {
            return Err(fail(field, "values that differ from each other and from nodata", format!("{} twice", class.value)));
        }
        let channels = if output.result.shape.get(1) == Some(&1) && classes.len() == 2 { 1 } else { classes.len() };
        layout("mlm:output[0].result", &output.result, channels, "classes")?;
        let activation =
            p.activation.ok_or_else(|| fail("swath:activation", "none, softmax or sigmoid", "no such field".into()))?;
        let dropped = p.dropped.unwrap_or_default();
        if let Some(value) = dropped.iter().find(|value| !classes.iter().any(|c| c.value == **value)) {
            return Err(fail("swath:dropped_classes", "values of classes", value.to_string()));
        }
        if !classes.is_empty() && dropped.len() >= classes.len() {
            return Err(fail("swath:dropped_classes", "at least one class that is kept", "all of them".into()));
        }
        let gsd = p.gsd.map(|GsdField { minimum, maximum }| GsdRange { minimum, maximum });
        if let Some(GsdRange { minimum, maximum }) = gsd.filter(|gsd| !(gsd.minimum > 0.0 && gsd.maximum >= gsd.minimum)) {
            return Err(fail("swath:gsd", "0 < minimum <= maximum", format!("{minimum} to {maximum}")));
        }
        let (name, architecture, crf, volume) = (p.name, p.architecture, p.crf, p.volume);
        let card = Self { name, architecture, bands, scaling, classes, nodata, activation, dropped, gsd, volume, crf };
        card.check_values(path)?;
        Ok((card, Shapes { input: input.input, result: output.result }))
    }

    /// An error if what volumes need is not what `check` wants.
    pub(super) fn check_volume(&self, check: impl FnOnce(&VolumeInput) -> Result<(), Wrong>, path: &Path) -> Result<()> {
        self.volume.as_ref().map_or(Ok(()), |volume| check(volume).map_err(|wrong| wrong.in_file(path)))
    }

    /// Whether the card's numbers can be computed with.
    pub(super) fn check_values(&self, path: &Path) -> Result<()> {
        self.check_scaling(path)?;
        self.check_crf(path)?;
        self.check_volume(|volume| volume.check(self.bands.len()), path)
    }

    fn check_crf(&self, path: &Path) -> Result<()> {
        let mut names = self.crf.iter().flat_map(|crf| crf.bands.iter().flatten());
        let Some(band) = names.find(|band| !self.bands.contains(band)) else { return Ok(()) };
        let (field, expected) = ("swath:crf.bands".into(), "bands of mlm:input[0].bands".into());
        Err(Error::Card { path: path.into(), field, expected, got: format!("`{band}`") })
    }

    fn check_scaling(&self, path: &Path) -> Result<()> {
        for (band, scaling) in self.scaling.iter().enumerate() {
            let field = format!("mlm:input[0].value_scaling[{band}]");
            let wrong =
                |(expected, got): (&str, String)| Error::Card { path: path.into(), field, expected: expected.into(), got };
            scaling.checked().map_err(wrong)?;
        }
        Ok(())
    }
}

/// Checks that the fields mean what Swath takes them to mean: by the version of the extension, and no others of Swath's own.
fn check_names(item: &Item, path: &Path) -> Result<()> {
    let fail = |field: &str, expected: &str, got: String| {
        let (field, expected) = (field.into(), expected.into());
        Err(Error::Card { path: path.into(), field, expected, got })
    };
    let extensions = item.rest.get("stac_extensions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !extensions.iter().filter_map(Value::as_str).any(|schema| schema.starts_with(MLM_1_5)) {
        return fail(
            "stac_extensions",
            "version 1.5 of the Machine Learning Model extension",
            Value::from(extensions).to_string(),
        );
    }
    if let Some(name) = item.properties.rest.keys().find(|name| name.starts_with("swath:")) {
        let known = "swath:activation, swath:crf, swath:dropped_classes, swath:gsd or swath:volume";
        return fail(name, known, "a property that Swath does not know".into());
    }
    Ok(())
}
