//! From stored values to the network's, once the volume's own numbers are known.

use swath_models::Scaling;

/// A step whose numbers are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// The same for every voxel.
    Scaling(Scaling),
    /// The same for every voxel but those that are 0, which stay.
    Nonzero(Scaling),
}

/// Takes values through all steps.
pub(super) fn apply(steps: &[Step], values: &mut [f32]) {
    for step in steps {
        match step {
            Step::Scaling(scaling) => scaling.apply(values),
            Step::Nonzero(scaling) => {
                for value in values.iter_mut().filter(|value| **value != 0.0) {
                    scaling.apply(std::slice::from_mut(value));
                }
            }
        }
    }
}
