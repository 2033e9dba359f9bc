//! What a card says of the CRF.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How probabilities are to be refined by a dense CRF: `swath:crf` of a card, or a text like `iterations=5,appearance=4`. What is not said is left to
/// whoever computes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CrfSettings {
    /// Mean-field steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
    /// Weight of the kernel over places; 0 is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothness: Option<f32>,
    /// Its standard deviation in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothness_width: Option<f32>,
    /// Weight of the kernel over places and colours; 0 is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appearance: Option<f32>,
    /// Its standard deviation in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appearance_width: Option<f32>,
    /// Its standard deviation in stored values of the bands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour_width: Option<f32>,
    /// The bands that are the colours, by their names in the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bands: Option<Vec<String>>,
}

impl FromStr for CrfSettings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut settings = Self::default();
        for pair in text.split(',') {
            let usage = || {
                let names = "iterations, smoothness, smoothness-width, appearance, appearance-width, colour-width or bands";
                format!("expected NAME=VALUE with one of {names}, got `{pair}`")
            };
            let (name, value) = pair.split_once('=').ok_or_else(usage)?;
            let number = || {
                value.parse::<f32>().map(Some).map_err(|error| format!("expected a number for {name}, got `{value}`: {error}"))
            };
            let is_twice = match name {
                "iterations" => {
                    let wrong = |error: ParseIntError| format!("expected a whole number for {name}, got `{value}`: {error}");
                    let iterations: u32 = value.parse().map_err(wrong)?;
                    settings.iterations.replace(iterations).is_some()
                }
                "smoothness" => std::mem::replace(&mut settings.smoothness, number()?).is_some(),
                "smoothness-width" => std::mem::replace(&mut settings.smoothness_width, number()?).is_some(),
                "appearance" => std::mem::replace(&mut settings.appearance, number()?).is_some(),
                "appearance-width" => std::mem::replace(&mut settings.appearance_width, number()?).is_some(),
                "colour-width" => std::mem::replace(&mut settings.colour_width, number()?).is_some(),
                "bands" => settings.bands.replace(value.split('+').map(str::to_owned).collect()).is_some(),
                _ => return Err(usage()),
            };
            if is_twice {
                return Err(format!("expected {name} once, got it twice"));
            }
        }
        Ok(settings)
    }
}

impl fmt::Display for CrfSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |name: &str, value: Option<f32>| value.map(|value| format!("{name}={value}"));
        let parts = [
            self.iterations.map(|iterations| format!("iterations={iterations}")),
            number("smoothness", self.smoothness),
            number("smoothness-width", self.smoothness_width),
            number("appearance", self.appearance),
            number("appearance-width", self.appearance_width),
            number("colour-width", self.colour_width),
            self.bands.as_ref().map(|bands| format!("bands={}", bands.join("+"))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&if parts.is_empty() { "default".to_owned() } else { parts.join(",") })
    }
}
