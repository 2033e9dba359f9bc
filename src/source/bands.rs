//! Which bands of a raster a network takes.

use std::fmt;
use std::str::FromStr;

use super::RasterProfile;
use crate::{Error, Result};

/// A band as the user or a model card asks for it: the name of a band, or, where none is called so, a number that is its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BandRequest {
    /// Digits: a band called so, or else a place in the file, from 1.
    Number(usize),
    /// Description or colour interpretation. `08` and `+3` are names too.
    Name(String),
}

impl FromStr for BandRequest {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number: &usize| number.to_string() == text);
        Ok(number.map_or_else(|| Self::Name(text.to_owned()), Self::Number))
    }
}

impl fmt::Display for BandRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Bands of a raster, in the order in which a network takes them; each place is one of the raster's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BandChoice {
    /// Places in the file, from 1.
    numbers: Vec<usize>,
}

impl BandChoice {
    /// Finds each band asked for.
    ///
    /// # Errors
    /// If a band is not there, or a name fits several.
    pub fn resolve(profile: &RasterProfile, requests: &[BandRequest]) -> Result<Self> {
        let numbers = requests.iter().map(|request| find(profile, request)).collect::<Result<_>>()?;
        Ok(Self { numbers })
    }

    /// Places in the file, from 1.
    #[must_use]
    pub fn numbers(&self) -> &[usize] {
        &self.numbers
    }
}

fn find(profile: &RasterProfile, request: &BandRequest) -> Result<usize> {
    let name = request.to_string();
    let numbers = 1..=profile.bands.len();
    let mut fitting = numbers.clone().filter(|number| profile.bands[number - 1].is_called(&name));
    match (fitting.next(), fitting.next(), request) {
        (Some(number), None, _) => Ok(number),
        (Some(first), Some(second), _) => Err(Error::BandAmbiguous { path: profile.path.clone(), band: name, first, second }),
        (None, _, BandRequest::Number(number)) if numbers.contains(number) => Ok(*number),
        (None, ..) => Err(Error::BandMissing { path: profile.path.clone(), band: name, bands: describe(profile) }),
    }
}

/// The raster's bands as a list for people: `1 red, 2 green, 3 (no name)`.
fn describe(profile: &RasterProfile) -> String {
    let name = |number: usize| {
        let band = &profile.bands[number - 1];
        let name = band.description.as_deref().or(band.colour.as_deref()).unwrap_or("(no name)");
        format!("{number} {name}")
    };
    (1..=profile.bands.len()).map(name).collect::<Vec<_>>().join(", ")
}
