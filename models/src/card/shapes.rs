//! The shapes of a card's arrays, held against the network.

use std::path::Path;

use super::item::ArrayField;
use crate::{Error, Extent, Graph, Rank, Result};

/// Any length, where a shape says so.
const ANY: i64 = -1;

/// The shapes that a card gives to the network's input and result.
#[derive(Debug)]
pub(crate) struct Shapes {
    pub(super) input: ArrayField,
    pub(super) result: ArrayField,
}

impl Shapes {
    /// Checks that the network takes and gives these shapes.
    ///
    /// # Errors
    /// If a dimension is not where the network has it, or has another length; -1 is any.
    pub(crate) fn check(&self, graph: &Graph, path: &Path) -> Result<()> {
        let fixed = graph.fixed_extent();
        let result = fixed.map(|extent| graph.output_shape(extent)).transpose()?;
        check(&self.input, "mlm:input[0].input", graph.input_channels(), fixed, graph.rank(), path)?;
        let field = "mlm:output[0].result";
        check(&self.result, field, graph.output_channels(), result.map(|shape| shape.extent), graph.rank(), path)
    }
}

/// Checks `(batch, channels, [depth,] height, width)`; without an extent the network takes any, so that the card may not ask for one.
fn check(array: &ArrayField, field: &str, channels: usize, extent: Option<Extent>, rank: Rank, path: &Path) -> Result<()> {
    let fail = |part: &str, expected: String, got: String| Error::Card {
        path: path.into(),
        field: format!("{field}.{part}"),
        expected,
        got,
    };
    let axes: &[&[&str]] = match rank {
        Rank::Planar => &[&["height", "y"], &["width", "x"]],
        Rank::Volumetric => &[&["depth", "z"], &["height", "y"], &["width", "x"]],
    };
    let named = array.dim_order.get(2..).unwrap_or_default();
    if named.len() != axes.len() || named.iter().zip(axes).any(|(name, axis)| !axis.contains(&name.as_str())) {
        let names: Vec<&str> = axes.iter().map(|axis| axis[0]).collect();
        return Err(fail("dim_order", format!("batch, channels, {}", names.join(", ")), array.dim_order.join(", ")));
    }
    let lengths = extent.map(|extent| extent.into_array()[3 - axes.len()..].to_vec());
    let wanted: Vec<i64> = match lengths {
        Some(lengths) => [channels].into_iter().chain(lengths).map(|n| i64::try_from(n).unwrap_or(i64::MAX)).collect(),
        None => [i64::try_from(channels).unwrap_or(i64::MAX)].into_iter().chain(axes.iter().map(|_| ANY)).collect(),
    };
    let got = array.shape.get(1..).unwrap_or_default();
    if got.len() != wanted.len() || got.iter().zip(&wanted).any(|(got, wanted)| *got != ANY && got != wanted) {
        return Err(fail(
            "shape",
            format!("{wanted:?} after the batch, as the network has it, or -1"),
            format!("{:?}", array.shape),
        ));
    }
    Ok(())
}
