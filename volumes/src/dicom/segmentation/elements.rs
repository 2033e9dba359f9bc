//! Elements of a data set.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_object::InMemDicomObject;

/// An element of a data set.
pub(super) type Element = DataElement<InMemDicomObject>;

pub(super) fn text(tag: Tag, vr: VR, value: impl Into<String>) -> Element {
    DataElement::new(tag, vr, PrimitiveValue::from(value.into()))
}

/// Texts of several values.
pub(super) fn texts(tag: Tag, vr: VR, values: &[&str]) -> Element {
    DataElement::new(tag, vr, PrimitiveValue::Strs(values.iter().map(|&value| value.to_owned()).collect()))
}

/// Decimal strings.
pub(super) fn decimals(tag: Tag, values: &[f64]) -> Element {
    DataElement::new(tag, VR::DS, PrimitiveValue::Strs(values.iter().map(|&value| decimal(value)).collect()))
}

pub(super) fn short(tag: Tag, value: u16) -> Element {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

pub(super) fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> Element {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

pub(super) fn item(elements: impl IntoIterator<Item = Element>) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

/// A coded concept.
pub(super) fn code(tag: Tag, value: &str, scheme: &str, meaning: &str) -> Element {
    use dicom_dictionary_std::tags;
    let code = [
        text(tags::CODE_VALUE, VR::SH, value),
        text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
        text(tags::CODE_MEANING, VR::LO, meaning),
    ];
    sequence(tag, vec![item(code)])
}

/// The shortest text of a number that leads back to it, or if that is over 16 characters, as many digits as fit (PS3.5, 6.2: `DS`).
pub(super) fn decimal(value: f64) -> String {
    let shortest = format!("{value}");
    if shortest.len() <= 16 {
        return shortest;
    }
    let fits = |text: &String| text.len() <= 16;
    let fixed = (0..=14).rev().map(|digits| format!("{value:.digits$}")).find(fits);
    match fixed {
        Some(fixed) if value.abs() >= 1e-4 => fixed,
        _ => (0..=10).rev().map(|digits| format!("{value:.digits$e}")).find(fits).unwrap_or_else(|| "0".into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_fit_sixteen_characters_and_lead_back(value in prop_oneof![-2000.0..2000.0_f64, -1e-6..1e-6_f64, -1e12..1e12_f64]) {
            let text = decimal(value);
            prop_assert!(text.len() <= 16, "{}", text);
            let back: f64 = text.parse().unwrap();
            prop_assert!((back - value).abs() <= 1e-9 * value.abs().max(1e-2), "{} {}", value, text);
        }
    }
}
