//! Connected components and what is known of them.

use swath_tiling::{Size, Window};

use crate::labelling::Run;

/// Pixels of equal label that are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// Their label.
    pub label: u8,
    /// How many they are.
    pub size: u64,
    /// The smallest box around them.
    pub bounds: Window,
    /// The labels that share a face with them.
    pub beside: Beside,
}

/// Which labels are beside a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// None: the component is all there is.
    Nothing,
    /// This one on all sides.
    One(u8),
    /// Several.
    Several,
}

impl Beside {
    fn add(&mut self, label: u8) {
        *self = match *self {
            Self::Nothing => Self::One(label),
            Self::One(other) if other == label => Self::One(label),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The connected components of a plane or volume, numbered in the order of their first pixels; see [`Labelling`](crate::Labelling).
#[derive(Clone, Debug)]
pub struct Components {
    size: Size,
    runs: Vec<Run>,
    rows: Vec<usize>,
    /// The component of every run.
    ids: Vec<u32>,
    found: Vec<Component>,
    /// The largest component of every label, the first one at a tie.
    largest: Box<[Option<usize>; 256]>,
}

impl Components {
    /// `roots` has for every run the first one of its component.
    pub(crate) fn new(size: Size, runs: Vec<Run>, rows: Vec<usize>, mut roots: Vec<u32>) -> Self {
        let mut components: Vec<Component> = Vec::new();
        for row in 0..rows.len() - 1 {
            let (z, y) = (row / size.height, row % size.height);
            for index in rows[row]..rows[row + 1] {
                let Run { start, end, label } = runs[index];
                let bounds = Window { z, y, x: start as usize, depth: 1, height: 1, width: (end - start) as usize };
                let root = roots[index] as usize;
                // A root comes before the rest of its component, and has its number by then.
                roots[index] = if root == index {
                    components.push(Component { label, size: 0, bounds, beside: Beside::Nothing });
                    components.len() as u32 - 1
                } else {
                    roots[root]
                };
                let component = &mut components[roots[index] as usize];
                component.size += u64::from(end - start);
                component.bounds = around(component.bounds, bounds);
            }
        }
        let mut largest = Box::new([None::<usize>; 256]);
        for (id, component) in components.iter().enumerate() {
            let best = &mut largest[usize::from(component.label)];
            if best.is_none_or(|best| components[best].size < component.size) {
                *best = Some(id);
            }
        }
        let mut all = Self { size, runs, rows, ids: roots, found: components, largest };
        all.find_neighbours();
        all
    }

    fn find_neighbours(&mut self) {
        for row in 0..self.rows.len() - 1 {
            let runs = self.rows[row]..self.rows[row + 1];
            for index in runs.start + 1..runs.end {
                self.meet(index - 1, index);
            }
            let (z, y) = (row / self.size.height, row % self.size.height);
            if y > 0 {
                self.meet_rows(row - 1, row);
            }
            if z > 0 {
                self.meet_rows(row - self.size.height, row);
            }
        }
    }

    fn meet_rows(&mut self, first: usize, second: usize) {
        let (mut a, mut b) = (self.rows[first], self.rows[second]);
        while a < self.rows[first + 1] && b < self.rows[second + 1] {
            self.meet(a, b);
            let [one, other] = [self.runs[a].end, self.runs[b].end];
            a += usize::from(one <= other);
            b += usize::from(other <= one);
        }
    }

    fn meet(&mut self, a: usize, b: usize) {
        let [one, other] = [self.runs[a].label, self.runs[b].label];
        if one != other {
            self.found[self.ids[a] as usize].beside.add(other);
            self.found[self.ids[b] as usize].beside.add(one);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is none: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A component by its number; none if there are not so many.
    #[must_use]
    pub fn get(&self, id: usize) -> Option<&Component> {
        self.found.get(id)
    }

    /// All of them in the order of their numbers.
    #[must_use = "iterators are lazy"]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Component> {
        self.found.iter()
    }

    /// The number of the largest component of a label, the first one at a tie; none if no pixel has the label.
    #[must_use]
    pub fn largest(&self, label: u8) -> Option<usize> {
        self.largest[usize::from(label)]
    }

    /// The label that encloses a component on all sides: no pixel of it is at the edge of the plane or volume, and what shares a face with it has that
    /// one label. In a plane one slice deep, first and last slice are no edges.
    #[must_use]
    pub fn encloses(&self, id: usize) -> Option<u8> {
        let component = self.get(id)?;
        let [whole, own] = [Window::all(self.size), component.bounds].map(Window::spans);
        let axes = if self.size.depth == 1 { 1..3 } else { 0..3 };
        let is_inside = axes.into_iter().all(|axis| own[axis].start > whole[axis].start && own[axis].end() < whole[axis].end());
        match component.beside {
            Beside::One(label) if is_inside => Some(label),
            _ => None,
        }
    }

    /// Gives pixels another label by their component: `label` is called with its number and itself. `labels` are whole rows from `first_row` on, as
    /// they were fed (rows of all slices count), and may be a part only.
    ///
    /// # Panics
    /// If there are not so many rows, or they are not whole.
    pub fn relabel(&self, first_row: usize, labels: &mut [u8], mut label: impl FnMut(usize, &Component) -> u8) {
        let width = self.size.width;
        assert!(labels.len().is_multiple_of(width), "expected whole rows of {width}, got {} labels", labels.len());
        for (row, labels) in (first_row..).zip(labels.chunks_exact_mut(width)) {
            for index in self.rows[row]..self.rows[row + 1] {
                let Run { start, end, .. } = self.runs[index];
                let id = self.ids[index] as usize;
                labels[start as usize..end as usize].fill(label(id, &self.found[id]));
            }
        }
    }
}

/// The smallest box around two.
fn around(a: Window, b: Window) -> Window {
    let [a, b] = [a, b].map(Window::spans);
    let span = |axis: usize| {
        let start = a[axis].start.min(b[axis].start);
        swath_tiling::Span::between(start, a[axis].end().max(b[axis].end()))
    };
    Window::from_spans(std::array::from_fn(span))
}
