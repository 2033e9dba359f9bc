//! `swath model list`.

use serde_json::{Value, json};
use swath_models::{Extent, Geometry, Graph, Rank, Reach, zoo};

use super::args::ListArgs;
use super::bytes::show_count;
use super::fail::AnyError;
use super::{print, words};

/// Bands and classes that figures are for.
const BANDS: usize = 3;
const CLASSES: usize = 2;

/// What is told of a network.
struct Facts {
    network: &'static zoo::Network,
    rank: Rank,
    parameters: usize,
    flops_per_pixel: f64,
    geometry: Geometry,
}

impl Facts {
    fn of(network: &'static zoo::Network) -> Result<Self, AnyError> {
        let graph = network.build(BANDS, CLASSES)?;
        let geometry = graph.geometry()?;
        let extent = usual_extent(&graph, &geometry);
        let cost = graph.cost(extent)?;
        let flops_per_pixel = cost.flops as f64 / graph.output_shape(extent)?.extent.product() as f64;
        Ok(Self { network, rank: graph.rank(), parameters: cost.parameters, flops_per_pixel, geometry })
    }

    /// The node that sees the whole tile.
    fn whole_tile(&self) -> Option<&str> {
        match &self.geometry.reach {
            Reach::Halo(_) => None,
            Reach::WholeTile { node } => Some(node),
        }
    }

    fn json(&self) -> Value {
        let axes = |axes| words::axes_json(self.rank, axes);
        json!({
            "name": self.network.name,
            "paper": self.network.paper,
            "weights": self.network.weights,
            "auxiliary": self.network.auxiliary,
            "rank": self.rank,
            "parameters": self.parameters,
            "flops_per_pixel": self.flops_per_pixel,
            "stride": axes(self.geometry.stride),
            "halo": self.geometry.halo().map(axes),
            "receptive_field": self.geometry.receptive_field().map(axes),
            "sees_whole_tile": self.whole_tile().is_some(),
            "whole_tile_node": self.whole_tile(),
        })
    }

    fn row(&self) -> Vec<String> {
        let field = self.geometry.receptive_field().map_or("whole tile".into(), |field| field.x.to_string());
        let rank = if self.rank == Rank::Planar { "2-D" } else { "3-D" };
        vec![
            self.network.name.into(),
            rank.into(),
            show_count(self.parameters as f64),
            show_count(self.flops_per_pixel),
            self.geometry.stride.x.to_string(),
            field,
            self.network.weights.into(),
            self.network.paper.into(),
        ]
    }
}

/// What operations are counted for: 512 pixels a side, or 64 of a volume, or the next multiple of the stride.
pub(super) fn usual_extent(graph: &Graph, geometry: &Geometry) -> Extent {
    match graph.rank() {
        Rank::Planar => {
            let side = 512usize.next_multiple_of(geometry.stride.x.max(geometry.stride.y));
            Extent::planar(side, side)
        }
        Rank::Volumetric => geometry.stride.map(|stride| 64usize.next_multiple_of(stride)),
    }
}

pub(super) fn list(args: &ListArgs) -> Result<(), AnyError> {
    let facts = zoo::networks().iter().map(Facts::of).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        let list: Vec<Value> = facts.iter().map(Facts::json).collect();
        return Ok(print::line(json!({ "bands": BANDS, "classes": CLASSES, "networks": list }))?);
    }
    let head = ["network", "rank", "parameters", "FLOP/pixel", "stride", "receptive field", "weights of", "paper"];
    let mut rows = vec![head.map(String::from).to_vec()];
    rows.extend(facts.iter().map(Facts::row));
    print::table(&rows)?;
    Ok(print::line(format!("(of {BANDS} bands and {CLASSES} classes)"))?)
}
