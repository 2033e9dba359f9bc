//! Which vector unit the kernels use.

#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};
use super::{
    portable::Portable,
    simd::{Job, Simd},
};

/// The environment variable that forces a choice.
const VARIABLE: &str = "SWATH_ISA";

/// What the machine's vector unit can do. A value other than `Portable` proves that the machine has the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// 16 lanes with masks, and products of 16-bit floating point.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16(Avx512<true>),
    /// 16 lanes with masks.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512<false>),
    /// 8 lanes with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// Whatever the compiler makes of plain Rust.
    Portable,
}

impl Isa {
    /// The best that the machine has, or what the environment variable `SWATH_ISA` (`avx512bf16`, `avx512`, `avx2`, `portable`) forces.
    ///
    /// # Errors
    /// If the variable names something that this machine lacks; the message lists what it has.
    pub(crate) fn detect() -> Result<Self, String> {
        match std::env::var_os(VARIABLE) {
            Some(name) => Self::named(&name.to_string_lossy()),
            None => Ok(Self::available().swap_remove(0)),
        }
    }

    /// What this machine has, the best first.
    pub(crate) fn available() -> Vec<Self> {
        let mut available = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            available.extend(Avx512::detect().map(Self::Avx512Bf16));
            available.extend(Avx512::detect().map(Self::Avx512));
            available.extend(Avx2::detect().map(Self::Avx2));
        }
        available.push(Self::Portable);
        available
    }

    /// How the environment variable calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16(_) => "avx512bf16",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Values per register.
    pub(super) fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16(_) | Self::Avx512(_) => 16,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => 8,
            Self::Portable => 4,
        }
    }

    /// Registers across the widest panel of output channels: with six pixels, as many sums as there are registers for.
    pub(super) fn vectors(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16(_) | Self::Avx512(_) => 4,
            _ => 2,
        }
    }

    /// Runs `job` in a function compiled for the unit.
    pub(super) fn vectorize(self, job: impl Job) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16(simd) => simd.vectorize(job),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.vectorize(job),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.vectorize(job),
            Self::Portable => Portable.vectorize(job),
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        let available = Self::available();
        let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
        let found = available.iter().find(|isa| isa.name() == name).copied();
        found.ok_or_else(|| format!("{VARIABLE}: expected one of {} (what this machine has), got {name:?}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn an_isa_is_found_by_its_name() {
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Ok(isa));
        }
    }

    #[test]
    fn an_unknown_isa_is_an_error_that_lists_what_there_is() {
        let message = Isa::named("mmx").expect_err("no such name");
        assert!(message.contains("portable") && message.contains("\"mmx\""), "{message}");
    }
}
