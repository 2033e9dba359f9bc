//! Parameters cut into what one thread changes.

use crate::train::{Parameter, ParameterKind, Parameters};

/// Values of the largest part.
const LONGEST: usize = 1 << 15;

/// Learned values beside each other, all of one parameter.
pub(super) struct Part<'a> {
    pub(super) decays: bool,
    pub(super) values: &'a mut [f32],
    pub(super) gradients: &'a [f32],
    /// What is kept of every value from step to step; empty if the rule keeps less.
    pub(super) memories: [&'a mut [f32]; 2],
}

/// All learned values in parts. `memories` are as long as the values, or empty.
pub(super) fn parts<'a>(parameters: &'a mut Parameters, memories: &'a mut [Vec<f32>]) -> Vec<Part<'a>> {
    let list: Vec<Parameter> = parameters.list().to_vec();
    let (mut values, gradients) = parameters.split_mut();
    let mut memories = memories.iter_mut().map(Vec::as_mut_slice);
    let (mut first, mut second) = (memories.next().unwrap_or_default(), memories.next().unwrap_or_default());
    let mut parts = Vec::new();
    for parameter in list {
        let gradients = &gradients[parameter.range];
        for gradients in gradients.chunks(LONGEST) {
            let next = ..gradients.len();
            let part = Part {
                decays: parameter.kind == ParameterKind::Kernel,
                values: values.split_off_mut(next).unwrap_or_default(),
                gradients,
                memories: [&mut first, &mut second].map(|memory| memory.split_off_mut(next).unwrap_or_default()),
            };
            if parameter.kind != ParameterKind::Statistic {
                parts.push(part);
            }
        }
    }
    parts
}
