//! Which values lie inside concatenated ones.

use super::kernels::Element;
use super::step::{Step, Work};
use crate::Shape;

/// Bytes of a pixel's channels below which a copy is faster: processors fetch cache lines in pairs, so shorter ones bring their neighbours along.
const SHORTEST: usize = 128;

/// Where a value lies: in the value of a node, its own or one that it is a part of, from a channel on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) host: usize,
    pub(crate) first_channel: usize,
}

/// Lets the parts of concatenated values be computed in their places there, and no longer copies these. Says where the values of all nodes lie.
///
/// Still copied are parts of few channels, those that appear twice or lie in another concatenated value already, and those computed from a part of
/// the same value: no step reads the buffer that it writes.
pub(super) fn place_parts<E: Element>(steps: &mut Vec<Step<E>>, shapes: &[Shape]) -> Vec<View> {
    let mut views: Vec<View> = (0..shapes.len()).map(|host| View { host, first_channel: 0 }).collect();
    for concat in steps.iter() {
        let Work::Concat { starts } = &concat.work else { continue };
        let host = concat.output;
        // What is computed from other parts comes after them.
        let mut parts: Vec<(&usize, &usize)> = concat.inputs.iter().zip(starts).collect();
        parts.sort_unstable();
        for (&part, &first_channel) in parts {
            let is_alone = views[part].host == part && concat.inputs.iter().filter(|&&other| other == part).count() == 1;
            let fits = |step: &Step<E>| step.work.writes_views() && step.inputs.iter().all(|&input| views[input].host != host);
            let is_long = shapes[part].channels * size_of::<E>() >= SHORTEST;
            if is_alone && is_long && steps.iter().any(|step| step.output == part && fits(step)) {
                views[part] = View { host, first_channel };
            }
        }
    }
    for step in steps.iter_mut() {
        let Work::Concat { starts } = &mut step.work else { continue };
        let copied = |part: &usize| views[*part].host != step.output;
        let mut kept = step.inputs.iter().map(copied);
        starts.retain(|_| kept.next() == Some(true));
        step.inputs.retain(copied);
    }
    steps.retain(|step| !(matches!(step.work, Work::Concat { .. }) && step.inputs.is_empty()));
    views
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::kernels::{Bf16, Conditions, Isa, Maps};
    use crate::cpu::layer::Layer;
    use crate::cpu::program::Program;
    use crate::{
        Activation, Axes, Builder, Conv, ConvTranspose, Convolutions, Coordinates, Extent, Graph, Interpolation, NodeId, Op,
        Rank, Resize, ResizeTo, Scope, zoo,
    };

    fn program<E: Element>(graph: &Graph) -> Program<E> {
        let weights = zoo::random_weights(graph, 1);
        let conditions = Conditions { convolutions: Convolutions::Winograd, maps: Maps::Large };
        let layers = graph.nodes().iter().map(|node| Layer::new(node, graph, &weights, Isa::Portable, conditions).unwrap());
        Program::new(graph, &layers.collect::<Vec<_>>(), Extent::planar(32, 48)).unwrap()
    }

    /// How many parts each concatenation copies, for those that are left.
    fn copies<E: Element>(graph: &Graph) -> Vec<usize> {
        let steps = program::<E>(graph).steps;
        steps.iter().filter(|step| matches!(step.work, Work::Concat { .. })).map(|step| step.inputs.len()).collect()
    }

    fn conv(g: &mut Builder, name: &str, from: NodeId, channels: usize) -> NodeId {
        g.conv(from, &Scope::root(name), Conv::square(channels, 3)).relu().node()
    }

    fn upsampling(out_channels: usize) -> ConvTranspose {
        ConvTranspose {
            out_channels,
            kernel: Axes::plane(2),
            stride: Axes::plane(2),
            padding: Axes::default(),
            output_padding: Axes::cube(0),
            dilation: Axes::cube(1),
            groups: 1,
            bias: false,
        }
    }

    fn unet() -> Graph {
        let mut g = Builder::new("unet", Rank::Planar, 3);
        let input = g.input();
        let top = conv(&mut g, "top", input, 64);
        let pooled = g.at(top).max_pool(2, 2, 0).node();
        let middle = conv(&mut g, "middle", pooled, 64);
        let pooled = g.at(middle).max_pool(2, 2, 0).node();
        let bottom = conv(&mut g, "bottom", pooled, 128);
        let up = g.push("up_middle", Op::ConvTranspose(upsampling(64)), vec![bottom]).node();
        let both = g.concat(vec![up, middle]).node();
        let x = conv(&mut g, "decoded_middle", both, 64);
        let resize = Resize { to: ResizeTo::Like, interpolation: Interpolation::Linear, coordinates: Coordinates::HalfPixel };
        let up = g.push("up_top", Op::Resize(resize), vec![x, top]).node();
        let both = g.concat(vec![top, up]).node();
        let x = conv(&mut g, "decoded_top", both, 64);
        let output = conv(&mut g, "scores", x, 2);
        g.build(output).unwrap()
    }

    #[test]
    fn a_unet_copies_nothing() {
        assert!(copies::<f32>(&unet()).is_empty());
        assert!(copies::<Bf16>(&unet()).is_empty());
    }

    #[test]
    fn a_view_lies_in_its_host() {
        let program = program::<f32>(&unet());
        let places: Vec<_> = program.places.iter().flatten().filter(|place| place.stride == 128).collect();
        let starts = places.iter().map(|place| place.first_channel);
        // The bottom, two parts of each of two concatenations, and these.
        assert_eq!(places.len(), 1 + 2 * 3);
        assert_eq!(starts.sum::<usize>(), 64 + 64);
    }

    #[test]
    fn what_cannot_be_a_view_is_copied() {
        let mut g = Builder::new("copies", Rank::Planar, 64);
        let input = g.input();
        let short = conv(&mut g, "short", input, 31);
        let once = conv(&mut g, "once", short, 64);
        let twice = conv(&mut g, "twice", short, 64);
        let from_once = conv(&mut g, "from_once", once, 64);
        let relu = g.push("relu", Op::Activation(Activation::Relu), vec![from_once]).node();
        let both = g.concat(vec![input, short, twice, from_once, once, relu, twice]).node();
        let other = conv(&mut g, "other", both, 64);
        let both = g.concat(vec![once, other]).node();
        let output = conv(&mut g, "output", both, 2);
        assert_eq!(copies::<f32>(&g.build(output).unwrap()), [6, 1]);
    }
}
