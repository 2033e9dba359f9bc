//! What the axes of a tensor in the file mean, and in which order they are.

use std::fmt;

use crate::{Axes, Rank};

/// The meaning of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Axis {
    Batch,
    Channel,
    Z,
    Y,
    X,
}

impl Axis {
    /// The value of a spatial axis.
    pub(super) fn of<T>(self, axes: Axes<T>) -> Option<T> {
        match self {
            Self::Batch | Self::Channel => None,
            Self::Z => Some(axes.z),
            Self::Y => Some(axes.y),
            Self::X => Some(axes.x),
        }
    }

    /// The same, to be changed.
    pub(super) fn of_mut<T>(self, axes: &mut Axes<T>) -> Option<&mut T> {
        match self {
            Self::Batch | Self::Channel => None,
            Self::Z => Some(&mut axes.z),
            Self::Y => Some(&mut axes.y),
            Self::X => Some(&mut axes.x),
        }
    }
}

/// The meanings of all axes of a tensor, in the order of the file. Batch and channel may be absent where their length is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout(Vec<Axis>);

impl Layout {
    pub(super) fn channels_first(rank: Rank) -> Self {
        Self([Axis::Batch, Axis::Channel].into_iter().chain(spatial(rank)).collect())
    }

    pub(super) fn channels_last(rank: Rank) -> Self {
        Self([Axis::Batch].into_iter().chain(spatial(rank)).chain([Axis::Channel]).collect())
    }

    pub(super) fn axes(&self) -> &[Axis] {
        &self.0
    }

    /// Where an axis is, if it is there.
    pub(super) fn position(&self, axis: Axis) -> Option<usize> {
        self.0.iter().position(|a| *a == axis)
    }

    /// The axis at a place that may count from the end.
    pub(super) fn axis(&self, place: i64) -> Option<Axis> {
        resolve(place, self.0.len()).map(|p| self.0[p])
    }

    /// The axes taken in another order; `None` if `order` is no permutation.
    pub(super) fn transposed(&self, order: &[i64]) -> Option<Self> {
        let places: Vec<usize> = order.iter().map(|p| resolve(*p, self.0.len())).collect::<Option<_>>()?;
        let mut sorted = places.clone();
        sorted.sort_unstable();
        sorted.into_iter().eq(0..self.0.len()).then(|| Self(places.into_iter().map(|p| self.0[p]).collect()))
    }

    /// Without one axis.
    pub(super) fn without(&self, axis: Axis) -> Self {
        Self(self.0.iter().copied().filter(|a| *a != axis).collect())
    }

    /// With an axis more, at a place.
    pub(super) fn with(&self, axis: Axis, place: usize) -> Self {
        let mut axes = self.0.clone();
        axes.insert(place, axis);
        Self(axes)
    }

    /// Whether these are the axes of scores: space in its order, channels before or after it or (if there is one) nowhere.
    pub(super) fn is_image(&self, rank: Rank) -> bool {
        let batch_first = self.position(Axis::Batch).is_none_or(|p| p == 0);
        let rest = self.without(Axis::Batch);
        let channel_at_an_end = rest.position(Axis::Channel).is_none_or(|p| p == 0 || p + 1 == rest.0.len());
        batch_first && channel_at_an_end && rest.without(Axis::Channel).0.into_iter().eq(spatial(rank))
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .0
            .iter()
            .map(|axis| match axis {
                Axis::Batch => "batch",
                Axis::Channel => "channel",
                Axis::Z => "depth",
                Axis::Y => "height",
                Axis::X => "width",
            })
            .collect();
        write!(f, "({})", names.join(", "))
    }
}

/// A place that may count from the end.
pub(super) fn resolve(place: i64, length: usize) -> Option<usize> {
    let place = if place < 0 { place + length as i64 } else { place };
    usize::try_from(place).ok().filter(|p| *p < length)
}

/// The spatial axes in their usual order.
pub(super) fn spatial(rank: Rank) -> impl Iterator<Item = Axis> {
    let skip = match rank {
        Rank::Planar => 1,
        Rank::Volumetric => 0,
    };
    [Axis::Z, Axis::Y, Axis::X].into_iter().skip(skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_channel_and_width_undoes_itself() {
        let planar = Layout::channels_first(Rank::Planar);
        let swapped = planar.transposed(&[0, 3, 2, 1]).unwrap();
        assert_eq!(swapped.to_string(), "(batch, width, height, channel)");
        assert!(!swapped.is_image(Rank::Planar));
        assert_eq!(swapped.transposed(&[0, 3, 2, 1]), Some(planar));
    }

    #[test]
    fn only_permutations_transpose() {
        let planar = Layout::channels_first(Rank::Planar);
        assert_eq!(planar.transposed(&[0, 1, 1, 2]), None);
        assert_eq!(planar.transposed(&[0, 1, 2]), None);
        assert_eq!(planar.transposed(&[0, 2, 3, 1]), Some(Layout::channels_last(Rank::Planar)));
    }

    #[test]
    fn scores_have_their_space_in_order() {
        let volume = Layout::channels_first(Rank::Volumetric);
        assert!(volume.is_image(Rank::Volumetric));
        assert!(volume.without(Axis::Channel).is_image(Rank::Volumetric));
        assert!(volume.without(Axis::Batch).is_image(Rank::Volumetric));
        assert!(!volume.is_image(Rank::Planar));
        assert!(!volume.transposed(&[0, 1, 2, 4, 3]).unwrap().is_image(Rank::Volumetric));
    }
}
