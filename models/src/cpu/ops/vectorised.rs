//! Loops compiled once per instruction set.

/// Compiles a function for every [`Isa`](crate::cpu::kernels::Isa), to be called with the machine's as the first argument. The compiler's
/// vectors only: no multiply-adds are fused, so that all versions give the same bits.
macro_rules! vectorised {
    ($(#[$doc:meta])* fn $name:ident$(<$E:ident>)?($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        #[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls of functions that need an instruction set"))]
        pub(in crate::cpu) fn $name$(<$E: $crate::cpu::kernels::Element>)?(isa: $crate::cpu::kernels::Isa, $($arg: $type),*) {
            // Always, to take on the instruction set of its caller.
            #[inline(always)]
            fn plain$(<$E: $crate::cpu::kernels::Element>)?($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn avx512$(<$E: $crate::cpu::kernels::Element>)?($($arg: $type),*) {
                plain($($arg),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2$(<$E: $crate::cpu::kernels::Element>)?($($arg: $type),*) {
                plain($($arg),*);
            }

            match isa {
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::kernels::Isa::Avx512Bf16(_) | $crate::cpu::kernels::Isa::Avx512(_) => {
                    // SAFETY: there is one of them only where the machine has these instructions.
                    unsafe { avx512($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::kernels::Isa::Avx2(_) => {
                    // SAFETY: there is an `Isa::Avx2` only where the machine has these instructions.
                    unsafe { avx2($($arg),*) }
                }
                _ => plain($($arg),*),
            }
        }
    };
}

pub(in crate::cpu) use vectorised;
