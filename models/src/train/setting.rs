//! Checks of settings.

use std::fmt::Display;

use crate::{Error, Result};

/// An error that names the setting, unless the value `fits`.
pub(super) fn require(fits: bool, setting: &'static str, expected: impl Into<String>, got: impl Display) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::Setting { setting, expected: expected.into(), got: got.to_string() }) }
}

/// A finite number of 0 or more.
pub(super) fn require_not_negative(setting: &'static str, value: f64) -> Result<()> {
    require(value >= 0.0 && value.is_finite(), setting, "a number of 0 or more", value)
}

/// A finite number above 0.
pub(super) fn require_positive(setting: &'static str, value: f64) -> Result<()> {
    require(value > 0.0 && value.is_finite(), setting, "a number above 0", value)
}

/// A number of at least 0 and below 1.
pub(super) fn require_fraction(setting: &'static str, value: f64) -> Result<()> {
    require((0.0..1.0).contains(&value), setting, "a number of at least 0 and below 1", value)
}
