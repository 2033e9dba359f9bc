//! What labels mean.

/// What a label means, as written beside the voxels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelClass {
    /// The label.
    pub value: u16,
    /// What it is called.
    pub name: String,
    /// How it is drawn: red, green and blue.
    pub colour: Option<[u8; 3]>,
}
