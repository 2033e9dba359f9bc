//! The end of a network: maps resized, summed and turned into probabilities in one pass over the rows of the scores.

use rayon::prelude::*;

use super::activation::activate_slice;
use super::combine::Operand;
use super::layout::planar_rows;
use super::resize::{ChannelOf, Sampling};
use super::softmax::softmax_planes;
use crate::cpu::kernels::{Element, Isa, Pixels};
use crate::{Activation, Shape};

/// What turns the sum into scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Last {
    Nothing,
    Softmax,
    Activation(Activation),
}

/// The end of a network: the sum of maps, with the channels first.
#[derive(Debug)]
pub(in crate::cpu) struct Head {
    pub(in crate::cpu) maps: Vec<Map>,
    pub(in crate::cpu) last: Last,
    /// Of the scores.
    pub(in crate::cpu) shape: Shape,
}

/// A map of scores.
#[derive(Debug)]
pub(in crate::cpu) struct Map {
    /// The node that gives it.
    pub(in crate::cpu) node: usize,
    pub(in crate::cpu) shape: Shape,
    /// How it becomes as large as the scores; `None` if it is.
    pub(in crate::cpu) sampling: Option<Sampling>,
}

impl Head {
    /// Writes the scores `(channels, depth, height, width)`; `values` gives the values of a map's node.
    pub(in crate::cpu) fn run<'a, E: Element>(&self, isa: Isa, values: impl Fn(usize) -> Pixels<'a, E>, scores: &mut [f32]) {
        let (width, channels) = (self.shape.extent.x, self.shape.channels);
        let maps: Vec<(&Map, Pixels<'a, E>)> = self.maps.iter().map(|map| (map, values(map.node))).collect();
        let rows = planar_rows(self.shape, scores);
        rows.into_par_iter().enumerate().for_each_init(
            || (Vec::new(), vec![0.0; width], vec![0.0; width]),
            |(line, largest, factor), (row, mut lines)| {
                for (index, &(map, pixels)) in maps.iter().enumerate() {
                    if let Some(sampling) = &map.sampling {
                        sampling.line(isa, Operand { pixels, shape: map.shape }, row, line);
                        for (channel, scores) in lines.iter_mut().enumerate() {
                            sampling.add_channel(isa, line, ChannelOf { channel, channels }, index == 0, scores);
                        }
                    } else {
                        let pixels = pixels.line(row, width);
                        for (channel, scores) in lines.iter_mut().enumerate() {
                            add_channel(pixels, channel, index == 0, scores);
                        }
                    }
                }
                match self.last {
                    Last::Nothing => {}
                    Last::Softmax => softmax_planes(isa, &mut lines, largest, factor),
                    Last::Activation(activation) => lines.iter_mut().for_each(|line| activate_slice(isa, activation, line)),
                }
            },
        );
    }
}

/// Adds one channel of a row of pixels to scores.
fn add_channel<E: Element>(pixels: Pixels<'_, E>, channel: usize, first: bool, scores: &mut [f32]) {
    let pixels = pixels.values.iter().skip(channel).step_by(pixels.stride).map(|value| value.to_f32());
    let values = scores.iter_mut().zip(pixels);
    if first {
        values.for_each(|(sum, value)| *sum = value);
    } else {
        values.for_each(|(sum, value)| *sum += value);
    }
}
