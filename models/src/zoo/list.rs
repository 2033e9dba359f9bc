//! The networks by name.

use super::deeplab_v3::Backbone;
use super::deeplab_vgg16::Version;
use super::dilated::Context;
use super::encoder::Encoder;
use super::fcn_vgg16::{Finest, Upsampling};
use super::resnet::Depth;
use super::unet::{UNet, UNetBorder, UNetNorm, UNetUp};
use super::vgg::Norm;
use super::{
    deconvnet, deeplab_v2_resnet, deeplab_v3, deeplab_v3plus, deeplab_vgg16, dilated, encnet, fcn_resnet18, fcn_resnet50,
    fcn_small, fcn_torchvision, fcn_vgg16, fpn, gcn, panet, parsenet, pspnet, refinenet, segnet, unet_monai, unet_smp,
};
use crate::checkpoint::AUX_CLASSIFIER;
use crate::{Error, Graph, Rank, Result};

/// A network of the zoo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// What [`build`] calls it.
    pub name: &'static str,
    /// Authors, year and number of the paper.
    pub paper: &'static str,
    /// Whose weights it takes as they are: the tensors have the names and shapes of this implementation's.
    pub weights: &'static str,
    /// Beginnings of the names of tensors that files of that implementation may hold for training alone, and that have no part in the scores:
    /// [`Checkpoint::named_for`](crate::Checkpoint::named_for) leaves them out.
    pub auxiliary: &'static [&'static str],
    family: Family,
}

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    FcnResNet18,
    FcnResNet50,
    FcnSmall,
    FcnVgg16(Finest, Upsampling),
    FcnTorchvision(Depth),
    SegNet,
    DeconvNet,
    UNet(UNetKind),
    MonaiUNet(Rank),
    MonaiBasicUNet(Rank),
    SmpUNet(Encoder),
    Dilated(Context),
    DeepLabVgg16(Version),
    DeepLabV2(Depth),
    DeepLabV3(Backbone),
    DeepLabV3Cascade(Depth),
    DeepLabV3Plus(Encoder),
    RefineNet(Depth),
    PspNet(Encoder),
    Gcn(Depth),
    ParseNet,
    EncNet(Depth),
    Fpn(Encoder),
    PaNet(Depth),
}

/// The U-Nets that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UNetKind {
    Small,
    Paper,
    Instance,
    Bilinear,
    Volumetric,
}

impl UNetKind {
    fn options(self) -> UNet {
        let small = UNet::default();
        match self {
            Self::Small => small,
            Self::Paper => {
                UNet { widths: vec![64, 128, 256, 512, 1024], border: UNetBorder::Valid, norm: UNetNorm::None, ..small }
            }
            Self::Instance => UNet { norm: UNetNorm::Instance, ..small },
            Self::Bilinear => UNet { up: UNetUp::Bilinear, ..small },
            Self::Volumetric => UNet { rank: Rank::Volumetric, ..small },
        }
    }
}

const OWN: &str = "Swath";
const CAFFE: &str = "the authors' Caffe model";
const TORCHVISION: &str = "torchvision";
const SMP: &str = "segmentation_models_pytorch";
const MONAI: &str = "MONAI";
const RESNET: &str = "torchvision (ResNet)";

const FCN: &str = "Long et al. 2015, arXiv 1411.4038";
const UNET: &str = "Ronneberger et al. 2015, arXiv 1505.04597";
const UNET_3D: &str = "Çiçek et al. 2016, arXiv 1606.06650";
const RESIDUAL_UNET: &str = "Kerfoot et al. 2019, DOI 10.1007/978-3-030-12029-0_40";
const BASIC_UNET: &str = "Falk et al. 2019, DOI 10.1038/s41592-018-0261-2";
const DILATED: &str = "Yu & Koltun 2016, arXiv 1511.07122";
const DEEPLAB_V1: &str = "Chen et al. 2015, arXiv 1412.7062";
const DEEPLAB_V2: &str = "Chen et al. 2016, arXiv 1606.00915";
const DEEPLAB_V3: &str = "Chen et al. 2017, arXiv 1706.05587";
const DEEPLAB_V3_PLUS: &str = "Chen et al. 2018, arXiv 1802.02611";
const REFINENET: &str = "Lin et al. 2017, arXiv 1611.06612";
const PSPNET: &str = "Zhao et al. 2017, arXiv 1612.01105";
const GCN: &str = "Peng et al. 2017, arXiv 1703.02719";
const FPN: &str = "Kirillov et al. 2019, arXiv 1901.02446";

const fn network(name: &'static str, paper: &'static str, weights: &'static str, family: Family) -> Network {
    Network { name, paper, weights, auxiliary: &[], family }
}

const fn torchvision(name: &'static str, paper: &'static str, family: Family) -> Network {
    Network { name, paper, weights: TORCHVISION, auxiliary: &[AUX_CLASSIFIER], family }
}

const RESNET18: Encoder = Encoder::ResNet(Depth::R18);
const RESNET34: Encoder = Encoder::ResNet(Depth::R34);
const RESNET50: Encoder = Encoder::ResNet(Depth::R50);
const RESNET101: Encoder = Encoder::ResNet(Depth::R101);
const RESNET152: Encoder = Encoder::ResNet(Depth::R152);

const NETWORKS: &[Network] = &[
    network("fcn_small", FCN, OWN, Family::FcnSmall),
    network("fcn_resnet18", FCN, OWN, Family::FcnResNet18),
    network("fcn_resnet50", FCN, RESNET, Family::FcnResNet50),
    network("fcn32s_vgg16", FCN, CAFFE, Family::FcnVgg16(Finest::S32, Upsampling::Learned)),
    network("fcn16s_vgg16", FCN, CAFFE, Family::FcnVgg16(Finest::S16, Upsampling::Learned)),
    network("fcn8s_vgg16", FCN, CAFFE, Family::FcnVgg16(Finest::S8, Upsampling::Learned)),
    network("fcn32s_vgg16_bilinear", FCN, CAFFE, Family::FcnVgg16(Finest::S32, Upsampling::Bilinear)),
    network("fcn16s_vgg16_bilinear", FCN, CAFFE, Family::FcnVgg16(Finest::S16, Upsampling::Bilinear)),
    network("fcn8s_vgg16_bilinear", FCN, CAFFE, Family::FcnVgg16(Finest::S8, Upsampling::Bilinear)),
    torchvision("torchvision_fcn_resnet50", FCN, Family::FcnTorchvision(Depth::R50)),
    torchvision("torchvision_fcn_resnet101", FCN, Family::FcnTorchvision(Depth::R101)),
    network("segnet", "Badrinarayanan et al. 2015, arXiv 1511.00561", CAFFE, Family::SegNet),
    network("deconvnet", "Noh et al. 2015, arXiv 1505.04366", CAFFE, Family::DeconvNet),
    network("unet", UNET, OWN, Family::UNet(UNetKind::Small)),
    network("unet_paper", UNET, OWN, Family::UNet(UNetKind::Paper)),
    network("unet_instance", UNET, OWN, Family::UNet(UNetKind::Instance)),
    network("unet_bilinear", UNET, OWN, Family::UNet(UNetKind::Bilinear)),
    network("unet_3d", UNET_3D, OWN, Family::UNet(UNetKind::Volumetric)),
    network("monai_unet", RESIDUAL_UNET, MONAI, Family::MonaiUNet(Rank::Planar)),
    network("monai_unet_3d", RESIDUAL_UNET, MONAI, Family::MonaiUNet(Rank::Volumetric)),
    network("monai_basic_unet", BASIC_UNET, MONAI, Family::MonaiBasicUNet(Rank::Planar)),
    network("monai_basic_unet_3d", BASIC_UNET, MONAI, Family::MonaiBasicUNet(Rank::Volumetric)),
    network("smp_unet_resnet18", UNET, SMP, Family::SmpUNet(RESNET18)),
    network("smp_unet_resnet34", UNET, SMP, Family::SmpUNet(RESNET34)),
    network("smp_unet_resnet50", UNET, SMP, Family::SmpUNet(RESNET50)),
    network("smp_unet_resnet152", UNET, SMP, Family::SmpUNet(RESNET152)),
    network("smp_unet_vgg16", UNET, SMP, Family::SmpUNet(Encoder::Vgg16(Norm::None))),
    network("smp_unet_vgg16_bn", UNET, SMP, Family::SmpUNet(Encoder::Vgg16(Norm::Batch))),
    network("smp_unet_mobilenet_v2", UNET, SMP, Family::SmpUNet(Encoder::MobileNetV2)),
    network("smp_unet_xception", UNET, SMP, Family::SmpUNet(Encoder::Xception)),
    network("smp_unet_efficientnet_b0", UNET, SMP, Family::SmpUNet(Encoder::EfficientNetB0)),
    network("dilated_vgg16", DILATED, CAFFE, Family::Dilated(Context::None)),
    network("dilated_vgg16_context", DILATED, CAFFE, Family::Dilated(Context::Large)),
    network("deeplabv1_vgg16", DEEPLAB_V1, CAFFE, Family::DeepLabVgg16(Version::LargeFov)),
    network("deeplabv2_vgg16", DEEPLAB_V2, CAFFE, Family::DeepLabVgg16(Version::Aspp)),
    network("deeplabv2_resnet101", DEEPLAB_V2, RESNET, Family::DeepLabV2(Depth::R101)),
    network("deeplabv3_cascade_resnet50", DEEPLAB_V3, RESNET, Family::DeepLabV3Cascade(Depth::R50)),
    torchvision("deeplabv3_resnet50", DEEPLAB_V3, Family::DeepLabV3(Backbone::ResNet(Depth::R50))),
    torchvision("deeplabv3_resnet101", DEEPLAB_V3, Family::DeepLabV3(Backbone::ResNet(Depth::R101))),
    torchvision("deeplabv3_mobilenet_v3_large", DEEPLAB_V3, Family::DeepLabV3(Backbone::MobileNetV3Large)),
    network("smp_deeplabv3plus_resnet34", DEEPLAB_V3_PLUS, SMP, Family::DeepLabV3Plus(RESNET34)),
    network("smp_deeplabv3plus_resnet50", DEEPLAB_V3_PLUS, SMP, Family::DeepLabV3Plus(RESNET50)),
    network("smp_deeplabv3plus_resnet101", DEEPLAB_V3_PLUS, SMP, Family::DeepLabV3Plus(RESNET101)),
    network("smp_deeplabv3plus_mobilenet_v2", DEEPLAB_V3_PLUS, SMP, Family::DeepLabV3Plus(Encoder::MobileNetV2)),
    network("refinenet_resnet50", REFINENET, RESNET, Family::RefineNet(Depth::R50)),
    network("refinenet_resnet101", REFINENET, RESNET, Family::RefineNet(Depth::R101)),
    network("smp_pspnet_resnet34", PSPNET, SMP, Family::PspNet(RESNET34)),
    network("smp_pspnet_resnet50", PSPNET, SMP, Family::PspNet(RESNET50)),
    network("smp_pspnet_resnet101", PSPNET, SMP, Family::PspNet(RESNET101)),
    network("gcn_resnet50", GCN, RESNET, Family::Gcn(Depth::R50)),
    network("gcn_resnet101", GCN, RESNET, Family::Gcn(Depth::R101)),
    network("parsenet_vgg16", "Liu et al. 2015, arXiv 1506.04579", CAFFE, Family::ParseNet),
    network("encnet_resnet50", "Zhang et al. 2018, arXiv 1803.08904", RESNET, Family::EncNet(Depth::R50)),
    network("encnet_resnet101", "Zhang et al. 2018, arXiv 1803.08904", RESNET, Family::EncNet(Depth::R101)),
    network("smp_fpn_resnet34", FPN, SMP, Family::Fpn(RESNET34)),
    network("smp_fpn_resnet50", FPN, SMP, Family::Fpn(RESNET50)),
    network("smp_fpn_efficientnet_b0", FPN, SMP, Family::Fpn(Encoder::EfficientNetB0)),
    network("panet_resnet50", "Liu et al. 2018, arXiv 1803.01534", RESNET, Family::PaNet(Depth::R50)),
];

/// All networks.
#[must_use]
pub fn networks() -> &'static [Network] {
    NETWORKS
}

/// The names of all networks.
#[must_use]
pub fn names() -> Vec<&'static str> {
    NETWORKS.iter().map(|network| network.name).collect()
}

/// The network called `name`, for so many bands and classes. It gives logits.
///
/// # Errors
/// If no network has this name, or bands or classes are 0.
pub fn build(name: &str, bands: usize, classes: usize) -> Result<Graph> {
    find(name)?.build(bands, classes)
}

/// The network called `name`.
///
/// # Errors
/// If no network has this name.
pub fn find(name: &str) -> Result<&'static Network> {
    let known = NETWORKS.iter().find(|known| known.name == name);
    known.ok_or_else(|| Error::UnknownNetwork { name: name.into(), known: names() })
}

impl Network {
    /// The network for so many bands and classes. It gives logits.
    ///
    /// # Errors
    /// If bands or classes are 0.
    pub fn build(&self, bands: usize, classes: usize) -> Result<Graph> {
        let name = self.name;
        match self.family {
            Family::FcnResNet18 => fcn_resnet18(bands, classes),
            Family::FcnResNet50 => fcn_resnet50(bands, classes),
            Family::FcnSmall => fcn_small(bands, classes),
            Family::FcnVgg16(finest, upsampling) => fcn_vgg16::fcn_vgg16(name, bands, classes, finest, upsampling),
            Family::FcnTorchvision(depth) => fcn_torchvision::fcn_torchvision(name, bands, classes, depth),
            Family::SegNet => segnet::segnet(name, bands, classes),
            Family::DeconvNet => deconvnet::deconvnet(name, bands, classes),
            Family::UNet(kind) => kind.options().build(name, bands, classes),
            Family::MonaiUNet(rank) => unet_monai::monai_unet(name, rank, bands, classes),
            Family::MonaiBasicUNet(rank) => unet_monai::monai_basic_unet(name, rank, bands, classes),
            Family::SmpUNet(encoder) => unet_smp::unet_smp(name, bands, classes, encoder),
            Family::Dilated(context) => dilated::dilated_vgg16(name, bands, classes, context),
            Family::DeepLabVgg16(version) => deeplab_vgg16::deeplab_vgg16(name, bands, classes, version),
            Family::DeepLabV2(depth) => deeplab_v2_resnet::deeplab_v2_resnet(name, bands, classes, depth),
            Family::DeepLabV3(backbone) => deeplab_v3::deeplab_v3(name, bands, classes, backbone),
            Family::DeepLabV3Cascade(depth) => deeplab_v3::deeplab_v3_cascade(name, bands, classes, depth),
            Family::DeepLabV3Plus(encoder) => deeplab_v3plus::deeplab_v3plus(name, bands, classes, encoder),
            Family::RefineNet(depth) => refinenet::refinenet(name, bands, classes, depth),
            Family::PspNet(encoder) => pspnet::pspnet(name, bands, classes, encoder),
            Family::Gcn(depth) => gcn::gcn(name, bands, classes, depth),
            Family::ParseNet => parsenet::parsenet(name, bands, classes),
            Family::EncNet(depth) => encnet::encnet(name, bands, classes, depth),
            Family::Fpn(encoder) => fpn::fpn(name, bands, classes, encoder),
            Family::PaNet(depth) => panet::panet(name, bands, classes, depth),
        }
    }

    /// The same with other widths of its levels, the finest first.
    ///
    /// # Errors
    /// If the network has no such levels, there is no width, or bands, classes or a width are 0.
    pub fn build_with_widths(&self, bands: usize, classes: usize, widths: &[usize]) -> Result<Graph> {
        let Family::UNet(kind) = self.family else {
            return Err(Error::Unsuitable { reason: format!("widths of levels: {} has none, the unet networks do", self.name) });
        };
        UNet { widths: widths.to_vec(), ..kind.options() }.build(self.name, bands, classes)
    }
}
