//! What a pass does, in which order, and where values lie.

use super::step::{Step, Work};
use crate::cpu::kernels::Isa;
use crate::{Activation, Convolutions, Error, Extent, Graph, Op, Result, Shape};

/// What a pass does for a batch of one shape.
pub(super) struct Tape {
    pub(super) samples: usize,
    pub(super) extent: Extent,
    /// Of one sample, for every node.
    pub(super) shapes: Vec<Shape>,
    pub(super) steps: Vec<Step>,
    /// Of every node.
    pub(super) places: Vec<Place>,
    /// How often the values called after each node are read, forward and backward.
    pub(super) reads: Vec<usize>,
    /// Whether tensors have a part in each node, so that its gradient is wanted.
    pub(super) learned: Vec<bool>,
    pub(super) output: usize,
}

/// Where the values of a node lie: in those called after a node, from a channel on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: usize,
    pub(super) first_channel: usize,
}

impl Tape {
    /// What a pass of a batch of so many samples does.
    ///
    /// # Errors
    /// If a node cannot be computed for the extent, or a normalisation has one value per channel, which has no variance.
    pub(super) fn new(graph: &Graph, samples: usize, extent: Extent, isa: Isa, convolutions: Convolutions) -> Result<Self> {
        let shapes = graph.shapes(extent)?;
        let readers = graph.readers();
        let output = graph.output().index();
        let (mut steps, mut absorbed) = (Vec::<Step>::new(), vec![false; shapes.len()]);
        let mut places: Vec<Place> = (0..shapes.len()).map(|host| Place { host, first_channel: 0 }).collect();
        for (index, node) in graph.nodes().iter().enumerate() {
            if absorbed[index] || readers[index].is_empty() {
                continue;
            }
            let Some(mut work) = Work::new(graph, index, &shapes, isa, convolutions)? else { continue };
            if matches!(work, Work::Norm { .. }) && samples * shapes[index].extent.product() < 2 {
                let expected = "at least two values per channel to take the variance of".into();
                return Err(Error::Node { node: node.name.clone(), expected, got: "one".into() });
            }
            let inputs: Vec<usize> = node.value_inputs().iter().map(|input| input.index()).collect();
            let mut result = index;
            if let Some((next, activation)) = sole_activation(graph, &readers[index])
                && work.absorbs(activation)
            {
                absorbed[next] = true;
                result = next;
            }
            if matches!(work, Work::Activation(_)) && !work.rereads_inputs() && is_overwritten(inputs[0], &readers, &steps) {
                places[index] = places[inputs[0]];
            }
            steps.push(Step { work, node: index, inputs, output: result, kind: node.op.label() });
        }
        place_parts(&steps, &shapes, output, &mut places);
        let learned = learned(&steps, shapes.len());
        for step in steps.iter_mut().filter(|step| step.inputs.iter().all(|&input| !learned[input])) {
            step.work.drop_input_gradient();
        }
        let reads = reads(&steps, &places, &learned, output);
        Ok(Self { samples, extent, shapes, steps, places, reads, learned, output })
    }

    /// Whether a part of a concatenated value was computed where it belongs.
    pub(super) fn is_in_place(&self, part: usize, concat: usize) -> bool {
        self.places[part].host == self.places[concat].host
    }
}

/// The only reader, if it is an activation.
fn sole_activation(graph: &Graph, readers: &[usize]) -> Option<(usize, Activation)> {
    let [reader] = readers else { return None };
    match graph.nodes().get(*reader)?.op {
        Op::Activation(activation) => Some((*reader, activation)),
        _ => None,
    }
}

/// Whether an activation may be computed in the place of its input: nothing else reads that, forward or backward.
fn is_overwritten(input: usize, readers: &[Vec<usize>], steps: &[Step]) -> bool {
    let from = steps.iter().find(|step| step.output == input);
    let is_free = from.is_some_and(|step| !step.work.rereads_output() && !matches!(step.work, Work::Concat { .. }));
    is_free && readers[input].len() == 1
}

/// Lets the parts of concatenated values be computed in their places there.
///
/// Still copied are the network's input, parts that appear twice, lie in another concatenated value already or are the network's output, those
/// computed by what writes dense values only, and those computed from a part of the same value: no step reads the buffer that it writes.
fn place_parts(steps: &[Step], shapes: &[Shape], output: usize, places: &mut [Place]) {
    for concat in steps {
        let Work::Concat { starts } = &concat.work else { continue };
        let host = concat.output;
        // What is computed from other parts comes after them.
        let mut parts: Vec<(usize, usize)> = concat.inputs.iter().copied().zip(starts.iter().copied()).collect();
        parts.sort_unstable();
        for &(part, first_channel) in &parts {
            let own = places[part].host;
            let is_alone =
                shapes[own].channels == shapes[part].channels && parts.iter().filter(|(other, _)| *other == part).count() == 1;
            let fits = |step: &&Step| {
                let reads_host = |&input: &usize| places[input].host == host;
                step.work.writes_views() && !step.inputs.iter().any(reads_host)
            };
            let mut writers = steps.iter().filter(|step| places[step.output].host == own).peekable();
            if is_alone && own != places[output].host && writers.peek().is_some() && writers.all(|step| fits(&step)) {
                places.iter_mut().filter(|place| place.host == own).for_each(|place| *place = Place { host, first_channel });
            }
        }
    }
}

/// Whether each node depends on tensors.
fn learned(steps: &[Step], nodes: usize) -> Vec<bool> {
    let mut learned = vec![false; nodes];
    for step in steps {
        learned[step.output] = step.work.has_tensors() || step.inputs.iter().any(|&input| learned[input]);
    }
    learned
}

/// How often the values called after each node are read.
fn reads(steps: &[Step], places: &[Place], learned: &[bool], output: usize) -> Vec<usize> {
    let mut reads = vec![0; places.len()];
    reads[places[output].host] += 1;
    for step in steps {
        step.inputs.iter().for_each(|&input| reads[places[input].host] += 1);
        if learned[step.output] {
            step.reread().for_each(|node| reads[places[node].host] += 1);
        }
    }
    reads
}

impl Step {
    /// The nodes whose values the way back reads.
    pub(super) fn reread(&self) -> impl Iterator<Item = usize> + '_ {
        let inputs = self.inputs.iter().copied().filter(|_| self.work.rereads_inputs());
        inputs.chain(self.work.rereads_output().then_some(self.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Conv, NodeId, Rank, Scope};

    fn conv(g: &mut Builder, name: &str, from: NodeId) -> NodeId {
        g.conv(from, &Scope::root(name), Conv::square(4, 3)).relu().node()
    }

    fn tape(graph: &Graph) -> Tape {
        Tape::new(graph, 2, Extent::planar(8, 8), Isa::Portable, Convolutions::Direct).unwrap()
    }

    #[test]
    fn parts_lie_where_they_belong_unless_computed_from_one_another() {
        let mut g = Builder::new("parts", Rank::Planar, 3);
        let input = g.input();
        let a = conv(&mut g, "a", input);
        let b = conv(&mut g, "b", input);
        let from_a = conv(&mut g, "from_a", a);
        let both = g.concat(vec![b, a, input, from_a]).node();
        let output = conv(&mut g, "output", both);
        let tape = tape(&g.build(output).unwrap());
        let in_place = [a, b, input, from_a].map(|part| tape.is_in_place(part.index(), both.index()));
        assert_eq!(in_place, [true, true, false, false]);
        assert_eq!(tape.places[a.index()].first_channel, 4);
    }

    #[test]
    fn activations_are_computed_together_or_in_place() {
        let mut g = Builder::new("activations", Rank::Planar, 3);
        let input = g.input();
        let over = conv(&mut g, "over", input);
        let normed = g.conv(over, &Scope::root("normed"), Conv::square(4, 3)).bn(&Scope::root("bn")).relu().node();
        let sum = g.add(over, normed).relu().node();
        let again = g.at(sum).relu().node();
        let tape = tape(&g.build(again).unwrap());
        let kinds: Vec<_> = tape.steps.iter().map(|step| step.kind).collect();
        assert_eq!(kinds, ["conv", "relu", "conv", "batch_norm", "add", "relu"]);
        // The way back reads the first of two activations.
        let is_in_place = |node: NodeId| tape.places[node.index()].host != node.index();
        assert_eq!([over, normed, sum, again].map(is_in_place), [true, false, false, false]);
    }

    #[test]
    fn what_the_output_does_not_need_is_not_computed() {
        let mut g = Builder::new("unused", Rank::Planar, 3);
        let input = g.input();
        let output = conv(&mut g, "output", input);
        conv(&mut g, "unused", input);
        let tape = tape(&g.build(output).unwrap());
        assert_eq!(tape.steps.len(), 2);
        assert!(!tape.learned[0] && tape.learned[output.index()]);
    }
}
