//! What can be shown of the card's part without one: the kernels compile, and cuDNN plans the convolutions.

use std::io::Write as _;
use std::sync::Arc;

use super::blueprint::{Blueprint, lower};
use super::candidates::{Candidate, Target, candidates};
use super::compiler::{Architecture, Compiler};
use super::convolution_plan::ConvolutionShape;
use super::functions::Cudnn;
use super::kernel::Stored;
use super::library::{self, CUDNN, DRIVER};
use crate::{Builder, Conv, Error, Extent, Graph, NodeId, Op, Precision, Rank, Scope, ScoreActivation, zoo};

/// Says past the test harness, which would swallow it, that a library is missing.
fn skipped(error: &Error) {
    let message = format!("SKIPPED: {error}; scripts/cuda-wheels.sh installs it\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
}

/// Ampere, Hopper and Blackwell.
const ARCHITECTURES: [u32; 3] = [80, 90, 100];

#[test]
fn the_kernels_compile_for_cards_of_three_generations() {
    let compiler = match Compiler::open() {
        Ok(compiler) => compiler,
        Err(error) => return skipped(&error),
    };
    for architecture in ARCHITECTURES {
        // How values are kept changes a few lines, and no generation has its own.
        let kept = if architecture == 90 { vec![Stored::F32, Stored::F16, Stored::Bf16] } else { vec![Stored::Bf16] };
        for stored in kept {
            let image = compiler.compile(stored, Architecture(architecture)).unwrap_or_else(|e| panic!("sm_{architecture}: {e}"));
            assert_eq!(&image[..4], b"\x7fELF", "sm_{architecture}");
            // The name of every kernel is a symbol of the image.
            for kernel in super::arguments::ALL_KERNELS {
                let name = [b"\0", kernel.as_bytes(), b"\0"].concat();
                assert!(image.windows(name.len()).any(|bytes| bytes == name), "sm_{architecture} lacks {kernel}");
            }
        }
    }
    assert!(compiler.compile(Stored::F32, Architecture(1)).is_err());
}

/// cuDNN and a card that is not there.
fn h200() -> Result<(Arc<Cudnn>, Target), Error> {
    // cuDNN needs both for what it fuses, and finds them once they are open.
    library::open(DRIVER)?;
    Compiler::open()?;
    let cudnn = Arc::new(Cudnn::open(CUDNN)?);
    let target = Target::of_properties(&cudnn, include_str!("h200.json")).unwrap();
    Ok((cudnn, target))
}

/// The different convolutions of a graph, and how many there are of them.
fn convolutions(graph: &Graph, precision: Precision) -> Vec<(ConvolutionShape, usize)> {
    let (graph, _) = lower(graph, &zoo::random_weights(graph, 1)).unwrap();
    let blueprint = Blueprint::new(&graph, Extent::planar(512, 512), 8).unwrap();
    let mut shapes: Vec<(ConvolutionShape, usize)> = Vec::new();
    for shape in blueprint.groups.iter().filter_map(|group| blueprint.convolution(&graph, group, precision)) {
        match shapes.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, count)) => *count += 1,
            None => shapes.push((shape, 1)),
        }
    }
    shapes
}

/// ResNet-50 with the strides of its last two stages made dilations (as in `DeepLab` and `PSPNet`), and a head of one convolution.
fn dilated_resnet50() -> Graph {
    fn conv_bn(g: &mut Builder, x: NodeId, scope: &Scope, name: &str, conv: Conv) -> NodeId {
        g.conv(x, &(scope / name), conv).bn(&(scope / format!("{name}_bn").as_str())).node()
    }
    let mut g = Builder::new("dilated_resnet50", Rank::Planar, 3);
    let input = g.input();
    let stem = conv_bn(&mut g, input, &Scope::root("stem"), "conv", Conv::square(64, 7).stride(2));
    let mut x = g.at(stem).relu().max_pool(3, 2, 1).node();
    for (stage, (width, blocks, stride, dilation)) in
        [(64, 3, 1, 1), (128, 4, 2, 1), (256, 6, 1, 2), (512, 3, 1, 4)].into_iter().enumerate()
    {
        for block in 0..blocks {
            let scope = Scope::root(format!("layer{stage}.{block}").as_str());
            let stride = if block == 0 { stride } else { 1 };
            let y = conv_bn(&mut g, x, &scope, "reduce", Conv::square(width, 1));
            let y = g.at(y).relu().node();
            let y = conv_bn(&mut g, y, &scope, "middle", Conv::square(width, 3).dilation(dilation).stride(stride));
            let y = g.at(y).relu().node();
            let y = conv_bn(&mut g, y, &scope, "expand", Conv::square(4 * width, 1));
            if block == 0 {
                x = conv_bn(&mut g, x, &scope, "project", Conv::square(4 * width, 1).stride(stride));
            }
            x = g.add(y, x).relu().node();
        }
    }
    let scores = g.conv(x, &Scope::root("head"), Conv::square(6, 1).biased()).node();
    let input = g.input();
    let output = g.resize_like(scores, input).node();
    g.build(output).unwrap()
}

#[test]
fn cudnn_plans_every_convolution_for_an_h200() {
    let (cudnn, target) = match h200() {
        Ok(found) => found,
        Err(error) => return skipped(&error),
    };
    let zoo = |name: &str| zoo::build(name, 3, 6).unwrap().with_activation(ScoreActivation::Softmax);
    let graphs = [zoo("fcn_resnet50"), zoo("unet"), dilated_resnet50()];
    let mut planned = Vec::new();
    for graph in graphs {
        let shapes = convolutions(&graph, Precision::Bf16);
        let is_convolution = |node: &&crate::Node| matches!(node.op, Op::Conv(_) | Op::ConvTranspose(_));
        let expected = graph.nodes().iter().filter(is_convolution).count();
        assert_eq!(shapes.iter().map(|(_, count)| count).sum::<usize>(), expected, "{}", graph.name());
        for (shape, _) in shapes {
            if planned.contains(&shape) {
                continue;
            }
            let found =
                candidates(&cudnn, &target, &shape, 1).unwrap_or_else(|error| panic!("{}: {shape:?}: {error}", graph.name()));
            assert_eq!(found.len(), 1);
            planned.push(shape);
        }
    }
}

#[test]
fn every_precision_has_plans_and_they_outlive_the_process() {
    let (cudnn, target) = match h200() {
        Ok(found) => found,
        Err(error) => return skipped(&error),
    };
    for precision in [Precision::F32, Precision::Tf32, Precision::F16, Precision::Bf16] {
        let graph = zoo::build("unet", 3, 6).unwrap();
        let (shape, _) = convolutions(&graph, precision)[1];
        let found = candidates(&cudnn, &target, &shape, 1).unwrap_or_else(|error| panic!("{precision:?}: {shape:?}: {error}"));
        let json = found[0].to_json().unwrap();
        let again = Candidate::from_json(&cudnn, &target, &json).unwrap();
        assert_eq!(again.workspace, found[0].workspace);
        assert!(Candidate::from_json(&cudnn, &target, b"{}").is_err());
    }
}

#[test]
fn a_library_that_is_nowhere_is_an_error_that_says_where_it_was_looked_for() {
    let wanted = library::Wanted { what: "a library", names: &["libswath_is_not_here.so.1"], beside: "" };
    let message = library::open(wanted).unwrap_err().to_string();
    for part in ["a library", "libswath_is_not_here.so.1", library::FOLDERS] {
        assert!(message.contains(part), "{message}");
    }
}
