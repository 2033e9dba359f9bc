//! Sums per channel, as many at once as registers hold.

use crate::cpu::kernels::Pixels;

/// Sums two functions of two values and three factors per channel over the pixels, as many channels at once as registers hold.
#[inline(always)]
pub(super) fn sum_columns(
    channels: usize,
    x: Pixels<'_, f32>,
    y: Pixels<'_, f32>,
    factors: [&[f32]; 3],
    sums: &mut [[f32; 2]],
    terms: impl Fn(f32, f32, [f32; 3]) -> [f32; 2],
) {
    const WIDE: usize = 64;
    const NARROW: usize = 16;
    let is_dense = x.stride == channels && y.stride == channels;
    if is_dense && channels < WIDE && WIDE.is_multiple_of(channels) {
        // Several pixels side by side.
        let repeated = factors.map(|factors| std::array::from_fn::<f32, WIDE, _>(|i| factors[i % channels]));
        let whole = x.values.len() / WIDE * WIDE;
        let rows = x.values[..whole].chunks_exact(WIDE).zip(y.values.chunks_exact(WIDE));
        let wide = sum_rows::<WIDE>(rows, repeated, &terms);
        for (i, terms) in wide.into_iter().enumerate() {
            add_pair(&mut sums[i % channels], terms);
        }
        for (i, (x, y)) in x.values[whole..].iter().zip(&y.values[whole..]).enumerate() {
            let terms = terms(*x, *y, factors.map(|factors| factors[i % channels]));
            add_pair(&mut sums[i % channels], terms);
        }
    } else if channels.is_multiple_of(WIDE) {
        sum_blocks::<WIDE>(x, y, factors, sums, &terms);
    } else if channels.is_multiple_of(NARROW) {
        sum_blocks::<NARROW>(x, y, factors, sums, &terms);
    } else {
        sum_blocks::<1>(x, y, factors, sums, &terms);
    }
}

fn add_pair(sums: &mut [f32; 2], terms: [f32; 2]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

/// The same, block by block of channels.
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn sum_blocks<const BLOCK: usize>(
    x: Pixels<'_, f32>,
    y: Pixels<'_, f32>,
    factors: [&[f32]; 3],
    sums: &mut [[f32; 2]],
    terms: &impl Fn(f32, f32, [f32; 3]) -> [f32; 2],
) {
    for (block, sums) in sums.chunks_exact_mut(BLOCK).enumerate() {
        let first = block * BLOCK;
        let factors = factors.map(|factors| std::array::from_fn::<f32, BLOCK, _>(|i| factors[first + i]));
        let rows = x.values[first..].chunks(x.stride).zip(y.values[first..].chunks(y.stride));
        sums.copy_from_slice(&sum_rows::<BLOCK>(rows, factors, terms));
    }
}

/// The same for rows of so many values.
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn sum_rows<'a, const BLOCK: usize>(
    rows: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    factors: [[f32; BLOCK]; 3],
    terms: &impl Fn(f32, f32, [f32; 3]) -> [f32; 2],
) -> [[f32; 2]; BLOCK] {
    let mut sums = [[0.0; BLOCK]; 2];
    for (x, y) in rows {
        let (Some(x), Some(y)) = (x.first_chunk::<BLOCK>(), y.first_chunk::<BLOCK>()) else { continue };
        for i in 0..BLOCK {
            let [one, other] = terms(x[i], y[i], [factors[0][i], factors[1][i], factors[2][i]]);
            sums[0][i] += one;
            sums[1][i] += other;
        }
    }
    std::array::from_fn(|i| [sums[0][i], sums[1][i]])
}
