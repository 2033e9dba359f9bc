//! The encoders of segmentation_models_pytorch by its names.

use super::efficientnet::efficientnet_b0;
use super::features::Pyramid;
use super::mobilenet::mobilenet_v2;
use super::resnet::{Depth, Dilation, resnet};
use super::vgg::{Norm, vgg16};
use super::xception::xception;
use crate::{Builder, Error, Result, Scope};

/// An encoder of segmentation_models_pytorch, whose tensors' names begin with `encoder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoder {
    ResNet(Depth),
    Vgg16(Norm),
    MobileNetV2,
    Xception,
    EfficientNetB0,
}

impl Encoder {
    /// Adds the encoder; strides beyond `output_stride` are dilations.
    ///
    /// # Errors
    /// If the encoder's strides lie in poolings, which cannot be dilated.
    pub(super) fn build(self, g: &mut Builder, output_stride: usize) -> Result<Pyramid> {
        let (input, scope) = (g.input(), Scope::root("encoder"));
        Ok(match self {
            Self::ResNet(depth) => {
                let dilation = if output_stride == 32 { Dilation::None } else { Dilation::Alike(output_stride) };
                resnet(g, input, &scope, depth, dilation)
            }
            Self::MobileNetV2 => mobilenet_v2(g, input, &scope, output_stride),
            Self::Vgg16(_) | Self::Xception | Self::EfficientNetB0 if output_stride != 32 => {
                let reason = format!("an encoder of stride {output_stride}: {self:?} has stride 32 only");
                return Err(Error::Unsuitable { reason });
            }
            Self::Vgg16(norm) => vgg16(g, input, &(&scope / "features"), norm),
            Self::Xception => xception(g, input, &scope),
            Self::EfficientNetB0 => efficientnet_b0(g, input, &scope),
        })
    }
}
