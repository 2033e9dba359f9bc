//! Small arrays of symbols: shapes, scales, axes, padding, and the scalars in between.

use super::layout::resolve;
use super::symbol::{Kind, Symbol};

/// The number of items of dims; `None` if it is beyond all reason. Zeros are passed over for that, so that the product of some of the dims
/// does not overflow either.
pub(super) fn count(dims: &[usize]) -> Option<usize> {
    let product = dims.iter().try_fold(1, |product: usize, d| product.checked_mul((*d).max(1)));
    let product = product.filter(|_| dims.len() <= MOST_AXES);
    if dims.contains(&0) { product.and(Some(0)) } else { product }
}

/// Far more than any exporter writes.
pub(super) const MOST_AXES: usize = 64;

/// Symbols in C order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    /// What [`count`] takes.
    pub(super) dims: Vec<usize>,
    pub(super) items: Vec<Symbol>,
    pub(super) kind: Kind,
}

impl Array {
    /// A list of integers.
    pub(super) fn list(items: Vec<Symbol>) -> Self {
        Self { dims: vec![items.len()], items, kind: Kind::Integer }
    }

    /// All values, if all are numbers.
    pub(super) fn numbers(&self) -> Option<Vec<f64>> {
        self.items.iter().map(|s| s.number()).collect()
    }

    /// The same items under other dims; `None` if their number is another.
    pub(super) fn reshaped(self, dims: Vec<usize>) -> Option<Self> {
        (count(&dims) == Some(self.items.len())).then_some(Self { dims, ..self })
    }

    /// The given places along an axis.
    pub(super) fn take(&self, axis: usize, places: &[usize]) -> Option<Self> {
        let length = *self.dims.get(axis)?;
        if places.iter().any(|p| *p >= length) {
            return None;
        }
        let mut dims = self.dims.clone();
        dims[axis] = places.len();
        let taken = count(&dims)?;
        let inner: usize = self.dims[axis + 1..].iter().product();
        let mut items = Vec::with_capacity(taken);
        // None if there are no items to take.
        let outer = taken.checked_div(places.len() * inner).unwrap_or(0);
        for o in 0..outer {
            for &place in places {
                let start = (o * length + place) * inner;
                items.extend_from_slice(self.items.get(start..start + inner)?);
            }
        }
        Some(Self { dims, items, kind: self.kind })
    }

    /// Axes in another order.
    pub(super) fn transposed(&self, order: &[i64]) -> Option<Self> {
        let rank = self.dims.len();
        let order: Vec<usize> = order.iter().map(|p| resolve(*p, rank)).collect::<Option<_>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return None;
        }
        let stride = |axis: usize| self.dims[axis + 1..].iter().product::<usize>();
        let dims: Vec<usize> = order.iter().map(|p| self.dims[*p]).collect();
        let items = (0..self.items.len())
            .map(|mut place| {
                let mut source = 0;
                for (axis, length) in order.iter().zip(&dims).rev() {
                    source += place % length * stride(*axis);
                    place /= length;
                }
                self.items[source]
            })
            .collect();
        Some(Self { dims, items, kind: self.kind })
    }

    /// Lists one after the other.
    pub(super) fn concat(parts: &[Self]) -> Option<Self> {
        let first = parts.first()?;
        parts.iter().all(|p| p.dims.len() == 1 && p.kind == first.kind).then(|| {
            let items: Vec<Symbol> = parts.iter().flat_map(|p| p.items.iter().copied()).collect();
            Self { dims: vec![items.len()], items, kind: first.kind }
        })
    }

    /// `f` of each pair of items; one of the arrays may be a single item.
    pub(super) fn zip(&self, other: &Self, f: impl Fn(Symbol, Symbol, Kind) -> Option<Symbol>) -> Option<Self> {
        let (a, b) = (&self.items, &other.items);
        let (dims, length) = match (a.len(), b.len()) {
            (_, 1) if self.dims.len() >= other.dims.len() => (&self.dims, a.len()),
            (1, _) if other.dims.len() >= self.dims.len() => (&other.dims, b.len()),
            _ if self.dims == other.dims => (&self.dims, a.len()),
            _ => return None,
        };
        let at = |items: &[Symbol], i: usize| if items.len() == 1 { items[0] } else { items[i] };
        let items = (0..length).map(|i| f(at(a, i), at(b, i), self.kind)).collect::<Option<_>>()?;
        (self.kind == other.kind).then(|| Self { dims: dims.clone(), items, kind: self.kind })
    }

    /// `f` of each item.
    pub(super) fn map(self, f: impl Fn(Symbol) -> Symbol) -> Self {
        Self { items: self.items.into_iter().map(f).collect(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(dims: &[usize], values: impl IntoIterator<Item = u8>) -> Array {
        let items: Vec<Symbol> = values.into_iter().map(|v| Symbol::Number(f64::from(v))).collect();
        Array { dims: dims.to_vec(), items, kind: Kind::Integer }
    }

    #[test]
    fn transposes() {
        let array = numbers(&[2, 3], 0..6);
        assert_eq!(array.transposed(&[1, 0]), Some(numbers(&[3, 2], [0, 3, 1, 4, 2, 5])));
        let array = numbers(&[2, 3, 4], 0..24);
        let there = array.transposed(&[2, 0, 1]).unwrap();
        assert_eq!(there.dims, [4, 2, 3]);
        assert_eq!(there.transposed(&[1, 2, 0]), Some(array));
    }

    #[test]
    fn takes_along_the_axis() {
        let array = numbers(&[2, 3], 0..6);
        assert_eq!(array.take(1, &[2, 0]), Some(numbers(&[2, 2], [2, 0, 5, 3])));
        assert_eq!(array.take(0, &[1]), Some(numbers(&[1, 3], [3, 4, 5])));
        assert_eq!(array.take(1, &[3]), None);
        assert_eq!(array.take(2, &[0]), None);
    }

    #[test]
    fn dims_of_no_items_may_be_long() {
        let none = |dims: &[usize]| numbers(dims, []);
        assert_eq!(none(&[1 << 40, 1, 0]).take(1, &[0, 0]), Some(none(&[1 << 40, 2, 0])));
        assert_eq!(none(&[1, 0, 1 << 62]).take(0, &[0, 0, 0, 0]), None);
        assert_eq!(none(&[0]).reshaped(vec![0, 1 << 40, 1 << 40]), None);
        assert_eq!(none(&[0]).reshaped(vec![1 << 40, 0]), Some(none(&[1 << 40, 0])));
        assert_eq!(none(&[0, 1 << 40]).transposed(&[1, 0]), Some(none(&[1 << 40, 0])));
    }

    #[test]
    fn scalars_stretch() {
        let sum = |a: Symbol, b: Symbol, _| a.add(b);
        assert_eq!(numbers(&[2], [1, 2]).zip(&numbers(&[], [5]), sum), Some(numbers(&[2], [6, 7])));
        assert_eq!(numbers(&[], [5]).zip(&numbers(&[1], [1]), sum), Some(numbers(&[1], [6])));
        assert_eq!(numbers(&[2], [1, 2]).zip(&numbers(&[3], [1, 2, 3]), sum), None);
    }
}
