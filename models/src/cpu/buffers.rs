//! Which values share a buffer.

/// When a value is kept, and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) elements: usize,
    /// The step that writes it.
    pub(crate) first: usize,
    /// The last step that reads it.
    pub(crate) last: usize,
}

impl Lifetime {
    fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Values dealt out to buffers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Buffers {
    /// Elements of each buffer.
    pub(crate) sizes: Vec<usize>,
    /// The buffer of each value.
    pub(crate) of: Vec<usize>,
}

impl Buffers {
    /// Deals values out, the largest first, each to the smallest buffer that is large enough and free as long as the value is kept; so no buffer
    /// ever grows (Pisarchyk & Lee 2020, arXiv 2001.03288, "greedy by size").
    pub(crate) fn new(lifetimes: &[Lifetime]) -> Self {
        let mut order: Vec<usize> = (0..lifetimes.len()).collect();
        order.sort_by_key(|&value| std::cmp::Reverse(lifetimes[value].elements));
        let mut sizes: Vec<usize> = Vec::new();
        let mut tenants: Vec<Vec<usize>> = Vec::new();
        let mut of = vec![0; lifetimes.len()];
        for value in order {
            let free = |buffer: &usize| tenants[*buffer].iter().all(|&other| !lifetimes[value].overlaps(&lifetimes[other]));
            let buffer = (0..sizes.len()).filter(free).min_by_key(|&buffer| sizes[buffer]).unwrap_or_else(|| {
                sizes.push(lifetimes[value].elements);
                tenants.push(Vec::new());
                sizes.len() - 1
            });
            tenants[buffer].push(value);
            of[value] = buffer;
        }
        Self { sizes, of }
    }

    /// Elements of all buffers.
    pub(crate) fn elements(&self) -> usize {
        self.sizes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peak(lifetimes: &[Lifetime]) -> usize {
        let alive = |step: usize| lifetimes.iter().filter(|l| (l.first..=l.last).contains(&step)).map(|l| l.elements).sum();
        lifetimes.iter().map(|l| alive(l.first)).max().unwrap_or(0)
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let lifetimes: Vec<Lifetime> =
            (0..9).map(|step| Lifetime { elements: 100 - step, first: step, last: step + 1 }).collect();
        assert_eq!(Buffers::new(&lifetimes).sizes, [100, 99]);
    }

    proptest! {
        #[test]
        fn no_two_values_are_in_one_buffer_at_once(spans in prop::collection::vec((1usize..1000, 0usize..30, 0usize..8), 0..40)) {
            let lifetimes: Vec<Lifetime> =
                spans.iter().map(|&(elements, first, length)| Lifetime { elements, first, last: first + length }).collect();
            let buffers = Buffers::new(&lifetimes);
            for (a, one) in lifetimes.iter().enumerate() {
                prop_assert!(buffers.sizes[buffers.of[a]] >= one.elements);
                for (b, other) in lifetimes.iter().enumerate().skip(a + 1) {
                    prop_assert!(buffers.of[a] != buffers.of[b] || !one.overlaps(other));
                }
            }
            let total: usize = lifetimes.iter().map(|l| l.elements).sum();
            prop_assert!((peak(&lifetimes)..=total).contains(&buffers.sizes.iter().sum()));
        }
    }
}
