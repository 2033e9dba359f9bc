//! Attributes of a DICOM data set.

use std::path::Path;

use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom_core::header::{HasLength as _, Header as _};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_object::InMemDicomObject;

use crate::{Error, Result};

/// Attributes of a data set, with the file's name for what is wrong with them.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a> {
    object: &'a InMemDicomObject,
    path: &'a Path,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(object: &'a InMemDicomObject, path: &'a Path) -> Self {
        Self { object, path }
    }

    /// An attribute that is there and not empty.
    fn element(self, tag: Tag) -> Option<&'a DataElement<InMemDicomObject>> {
        self.object.get(tag).filter(|element| !element.is_empty())
    }

    /// A text without the spaces around it.
    pub(crate) fn text(self, tag: Tag) -> Option<String> {
        let text = self.element(tag)?.to_str().ok()?;
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Texts that backslashes separate.
    pub(crate) fn texts(self, tag: Tag) -> Vec<String> {
        let text = self.element(tag).and_then(|element| element.to_str().ok());
        text.map_or_else(Vec::new, |text| text.split('\\').map(|part| part.trim_matches([' ', '\0']).to_owned()).collect())
    }

    /// Numbers, as many as there have to be; each finite.
    pub(crate) fn numbers<const N: usize>(self, tag: Tag, expected: &'static str) -> Result<Option<[f64; N]>> {
        let Some(element) = self.element(tag) else { return Ok(None) };
        let wrong = || self.wrong(tag, expected);
        let numbers = element.to_multi_float64().ok().ok_or_else(wrong)?;
        let numbers: [f64; N] = numbers.try_into().ok().ok_or_else(wrong)?;
        if numbers.iter().all(|number| number.is_finite()) { Ok(Some(numbers)) } else { Err(wrong()) }
    }

    pub(crate) fn number(self, tag: Tag) -> Result<Option<f64>> {
        Ok(self.numbers(tag, "a number")?.map(|[number]| number))
    }

    pub(crate) fn integer(self, tag: Tag) -> Result<Option<i64>> {
        let Some(element) = self.element(tag) else { return Ok(None) };
        element.to_int().map(Some).ok().ok_or_else(|| self.wrong(tag, "an integer"))
    }

    /// A number that the standard wants to be there, within a range.
    pub(crate) fn required(self, tag: Tag, range: std::ops::RangeInclusive<i64>, expected: &'static str) -> Result<i64> {
        self.integer(tag)?.filter(|number| range.contains(number)).ok_or_else(|| self.wrong(tag, expected))
    }

    /// The items of a sequence.
    pub(crate) fn items(self, tag: Tag) -> impl Iterator<Item = Self> {
        let items = self.object.get(tag).and_then(|element| element.items()).unwrap_or_default();
        items.iter().map(move |object| Self { object, path: self.path })
    }

    pub(crate) fn has(self, tag: Tag) -> bool {
        self.element(tag).is_some()
    }

    /// The error for an attribute that is missing, or is not what it has to be.
    pub(crate) fn wrong(self, tag: Tag, expected: &'static str) -> Error {
        let got = match self.element(tag).map(DataElement::to_str) {
            None => "nothing".into(),
            Some(text) => text.map_or_else(|_| "what is no text".into(), |text| text.trim().to_owned()),
        };
        Error::Field { path: self.path.into(), field: name(tag), expected, got }
    }
}

/// Gives attributes of the unknown type `UN` those of the dictionary, as systems that do not know an attribute pass it on (PS3.5, 6.2.2).
pub(crate) fn with_known_types(object: &mut InMemDicomObject) {
    let unknown: Vec<Tag> = object.iter().filter(|element| element.vr() == VR::UN).map(DataElement::tag).collect();
    for tag in unknown {
        let Some(entry) = StandardDataDictionary.by_tag(tag) else { continue };
        let Some(bytes) = object.get(tag).and_then(|element| element.to_bytes().ok()) else { continue };
        let vr = entry.vr().relaxed();
        let value = match vr {
            VR::US => PrimitiveValue::U16(bytes.as_chunks().0.iter().map(|&number| u16::from_le_bytes(number)).collect()),
            VR::AE | VR::CS | VR::DA | VR::DS | VR::IS | VR::LO | VR::SH | VR::TM | VR::UI => {
                let text = String::from_utf8_lossy(&bytes);
                PrimitiveValue::Strs(text.split('\\').map(|part| part.trim_matches([' ', '\0']).to_owned()).collect())
            }
            _ => continue,
        };
        object.put(DataElement::new(tag, vr, value));
    }
}

/// An attribute's keyword.
pub(crate) fn name(tag: Tag) -> &'static str {
    StandardDataDictionary.by_tag(tag).map_or("an attribute", |entry| entry.alias())
}
