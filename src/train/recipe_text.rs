//! The text of a recipe, by which errors find their line.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::TrainError;

/// The text of a recipe and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecipeText {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl RecipeText {
    /// What the parser says, with its line.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> TrainError {
        let line = error.span().map_or(1, |span| self.line(&span));
        TrainError::Syntax { path: self.path.clone(), line, message: error.message().replace('\n', ", ") }
    }

    /// A value that cannot be used; `key` is such as `validation.windows[0].scene`.
    pub(super) fn value(&self, key: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> TrainError {
        let key = key.into();
        TrainError::Value { path: self.path.clone(), line: self.line_of(&key), key, expected: expected.into(), got: got.into() }
    }

    /// A setting that is not taken, of the table `table`.
    pub(super) fn setting(&self, table: &str, source: swath_models::Error) -> TrainError {
        let key = match &source {
            swath_models::Error::Setting { setting, .. } if *setting != table => format!("{table}.{setting}"),
            _ => table.to_owned(),
        };
        TrainError::Setting { path: self.path.clone(), line: self.line_of(&key), key, source }
    }

    /// The line of a key, or of the nearest table around it.
    fn line_of(&self, key: &str) -> usize {
        let Ok(table) = DeTable::parse(&self.text) else { return 1 };
        let mut parts = key.split(['.', '[', ']']).filter(|part| !part.is_empty());
        let mut span = 0..0;
        let mut value: Option<&Spanned<DeValue<'_>>> = parts.next().and_then(|part| entry(table.get_ref(), part, &mut span));
        for part in parts {
            value = value.and_then(|value| match value.get_ref() {
                DeValue::Table(table) => entry(table, part, &mut span),
                DeValue::Array(array) => {
                    let item = array.get(part.parse::<usize>().ok()?)?;
                    span = item.span();
                    Some(item)
                }
                _ => None,
            });
        }
        self.line(&span)
    }

    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.text.get(..span.start).unwrap_or_default().matches('\n').count()
    }
}

/// What a table has under a key, and where the key is.
fn entry<'t, 'i>(table: &'t DeTable<'i>, key: &str, span: &mut Range<usize>) -> Option<&'t Spanned<DeValue<'i>>> {
    let (name, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
    *span = name.span();
    Some(value)
}
