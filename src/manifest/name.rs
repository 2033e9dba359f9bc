//! What the products of a scene are called.

use std::fmt;
use std::path::Path;

use super::ManifestError;

/// Longest component of a name, in bytes: file systems allow 255, of which products' endings and names while they are written take some.
const LONGEST_COMPONENT: usize = 180;

/// Longest name, in bytes: stores allow 1024 with the prefix.
const LONGEST: usize = 700;

/// What the products of a scene are called: components parted by `/`, to be appended to the output's folder or prefix, which it cannot leave.
///
/// It is relative, no component is empty, `.` or `..`, none begins or ends with a space, and there are no control characters, backslashes, nor any
/// of `:`, `%`, `?` and `#`, which mean something else in URIs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SceneName(String);

impl SceneName {
    /// The name, if it can be one; `scene` is whose it is to be.
    ///
    /// # Errors
    /// If it could leave the output's folder, or is no name that all stores and file systems take.
    pub fn new(name: &str, scene: &Path) -> Result<Self, ManifestError> {
        match fault(name) {
            None => Ok(Self(name.to_owned())),
            Some(reason) => {
                let name = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(80).collect();
                Err(ManifestError::Name { scene: scene.to_owned(), name, reason })
            }
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SceneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn fault(name: &str) -> Option<&'static str> {
    let components = || name.split('/');
    Some(if name.is_empty() {
        "it is empty"
    } else if name.starts_with('/') {
        "it is absolute"
    } else if name.contains(char::is_control) {
        "it has control characters"
    } else if name.contains('\\') {
        "it has a backslash"
    } else if name.contains([':', '%', '?', '#']) {
        "it has one of `:`, `%`, `?` and `#`"
    } else if components().any(str::is_empty) {
        "a component is empty"
    } else if components().any(|component| component == "." || component == "..") {
        "a component is `.` or `..`"
    } else if components().any(|component| component.trim() != component) {
        "a component begins or ends with a space"
    } else if name.len() > LONGEST || components().any(|component| component.len() > LONGEST_COMPONENT) {
        "it is too long"
    } else {
        return None;
    })
}
