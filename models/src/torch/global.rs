//! What a pickle may name.

use super::element::Element;

/// A name of Python's that a pickle of weights may hold. None of them is run: each stands for what [`Pickle`](super::Pickle) makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// A dictionary.
    Dictionary,
    /// A tensor of a storage, offset, size and stride.
    Tensor,
    /// A tensor that is learned.
    Parameter,
    /// The type of a storage.
    Storage(Element),
    /// A tensor's size: the tuple that it is made of.
    Size,
    /// A number, type or place that says nothing about tensors.
    Inert,
}

impl Global {
    /// What `module.name` stands for; `None` if it is not in the list.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict")
            | ("argparse", "Namespace")
            | (
                "pytorch_lightning.utilities.parsing"
                | "lightning.pytorch.utilities.parsing"
                | "lightning_fabric.utilities.data"
                | "lightning.fabric.utilities.data",
                "AttributeDict",
            ) => Self::Dictionary,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::Parameter,
            ("torch", "Size") => Self::Size,
            ("torch" | "torch.cuda", storage) if storage.ends_with("Storage") => Self::Storage(match storage {
                "DoubleStorage" => Element::F64,
                "FloatStorage" => Element::F32,
                "HalfStorage" => Element::F16,
                "BFloat16Storage" => Element::Bf16,
                "LongStorage" => Element::I64,
                "IntStorage" => Element::I32,
                "ShortStorage" => Element::I16,
                "CharStorage" => Element::I8,
                "ByteStorage" => Element::U8,
                "BoolStorage" => Element::Bool,
                "ComplexFloatStorage" => Element::Complex64,
                "ComplexDoubleStorage" => Element::Complex128,
                _ => return None,
            }),
            (
                "torch",
                "device" | "float64" | "float32" | "float16" | "bfloat16" | "int64" | "int32" | "int16" | "int8" | "uint8"
                | "bool",
            )
            | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar")
            | ("numpy", "dtype")
            | ("_codecs", "encode") => Self::Inert,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_found() {
        assert_eq!(Global::find("torch", "BFloat16Storage"), Some(Global::Storage(Element::Bf16)));
        assert_eq!(Global::find("collections", "OrderedDict"), Some(Global::Dictionary));
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("torch", "load"),
            ("torch.FloatStorage", "from_file"),
            ("torch", "FloatStorage.from_file"),
            ("torch", "UntypedStorage"),
            ("collections", "OrderedDict.__init__"),
            ("torch._utils", "_rebuild_tensor_v2.__globals__"),
            ("numpy", "load"),
            ("", ""),
        ] {
            assert_eq!(Global::find(module, name), None, "{module}.{name}");
        }
    }
}
