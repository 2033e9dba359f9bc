//! Sets that are united.

/// Disjoint sets of the numbers from 0 on. The smallest number of a set stands for it, so that the order of unions does not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct DisjointSets {
    parents: Vec<u32>,
}

impl DisjointSets {
    /// Adds a set of one number, the next one.
    pub(crate) fn push(&mut self) {
        self.parents.push(self.parents.len() as u32);
    }

    /// The smallest number of a set.
    pub(crate) fn root(&mut self, mut number: u32) -> u32 {
        while self.parents[number as usize] != number {
            let parent = self.parents[number as usize];
            self.parents[number as usize] = self.parents[parent as usize];
            number = self.parents[number as usize];
        }
        number
    }

    pub(crate) fn unite(&mut self, a: u32, b: u32) {
        let [a, b] = [a, b].map(|number| self.root(number));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// The smallest number of every number's set.
    pub(crate) fn into_roots(mut self) -> Vec<u32> {
        // A parent is never larger than its child, so that it is a root by then.
        for number in 0..self.parents.len() {
            self.parents[number] = self.parents[self.parents[number] as usize];
        }
        self.parents
    }
}
