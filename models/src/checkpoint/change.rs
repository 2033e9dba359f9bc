//! What happened to a file's tensors on their way into a network.

use std::fmt;

use super::AdaptBands;

/// What happened to a file's tensors on their way into a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The weights lay within other entries.
    Unwrapped {
        /// The entries' names, dotted.
        path: String,
    },
    /// Something that is no weight was left in the file.
    PassedOver {
        /// Its name.
        name: String,
        /// What it is.
        what: String,
    },
    /// Tensors have other names in the network.
    Renamed {
        /// What their names begin with, or hold, in the file.
        from: String,
        /// What stands in its place in the network.
        to: String,
        /// How many tensors.
        count: usize,
    },
    /// Tensors of a part that only training needs were left in the file.
    Dropped {
        /// What their names begin with.
        prefix: String,
        /// How many tensors.
        count: usize,
    },
    /// The first convolution was made to take other bands.
    Bands {
        /// Its weights.
        tensor: String,
        /// Bands in the file.
        from: usize,
        /// Bands of the network.
        to: usize,
        /// How.
        rule: AdaptBands,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwrapped { path } => write!(f, "the weights are those of `{path}`"),
            Self::PassedOver { name, what } => write!(f, "passed over `{name}`: {what}"),
            Self::Renamed { from, to, count } if to.is_empty() => write!(f, "renamed, without `{from}`: {count}"),
            Self::Renamed { from, to, count } if from.is_empty() => write!(f, "renamed, with `{to}` in front: {count}"),
            Self::Renamed { from, to, count } => write!(f, "renamed, with `{to}` for `{from}`: {count}"),
            Self::Dropped { prefix, count } => write!(f, "passed over `{prefix}`, which only training needs: {count}"),
            Self::Bands { tensor, from, to, rule } => write!(f, "`{tensor}` adapted from {from} bands to {to}: {rule}"),
        }
    }
}
