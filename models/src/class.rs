//! What the labels mean.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One class of a segmentation, as STAC's classification extension v2.0.0 describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The label value, 0 to 254.
    pub value: u8,
    /// Short name: letters, digits, `-` and `_`.
    pub name: String,
    /// Name for people; `name` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Longer description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How the class is drawn.
    #[serde(default, rename = "color_hint", skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
}

impl Class {
    /// The name for people.
    #[must_use]
    pub fn label(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }
}

/// A colour, written `RRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

/// A text that is not a colour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a colour as RRGGBB, got `{0}`")]
pub struct ColourError(pub(crate) String);

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        let fail = |_| ColourError(text.to_owned());
        if digits.len() != 6 || !digits.is_ascii() {
            return Err(ColourError(text.to_owned()));
        }
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(fail);
        Ok(Self { red: byte(0)?, green: byte(2)?, blue: byte(4)? })
    }
}

impl TryFrom<String> for Colour {
    type Error = ColourError;

    fn try_from(text: String) -> Result<Self, ColourError> {
        text.parse()
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}{:02X}{:02X}", self.red, self.green, self.blue)
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}
