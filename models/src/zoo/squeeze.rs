//! "Squeeze-and-Excitation Networks", Hu et al. 2018 (arXiv 1709.01507).

use crate::{Activation, Builder, Conv, NodeId, Scope};

/// Channels weighted by what two 1x1 convolutions make of their means: the first gives `widths[0]` channels, the second as many as `x` has.
pub(super) fn squeeze_and_excite(
    g: &mut Builder,
    x: NodeId,
    names: &[Scope; 2],
    widths: [usize; 2],
    functions: [Activation; 2],
) -> NodeId {
    let squeezed = g.at(x).global_average().conv(&names[0], Conv::square(widths[0], 1).biased()).activate(functions[0]);
    let scale = squeezed.conv(&names[1], Conv::square(widths[1], 1).biased()).activate(functions[1]).node();
    g.mul(scale, x).node()
}
