//! Which labels are probable enough.

/// The least probability of each label, and what becomes of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// By label value; 0 for those without.
    pub(crate) least: Box<[f32; 256]>,
    /// The place of the class that others get, among the model's; none if they have no data then.
    pub(crate) below: Option<usize>,
}
