//! The vertices of a lattice that are in use.

/// A vertex, as [`Keys`](super::keys::Keys) name it.
pub(super) type Key = u128;

/// Most coordinates of a point.
pub(super) const COORDINATES: usize = 8;

/// Numbers for vertices, in the order in which they were first met: a hash table with linear probing.
#[derive(Clone, Debug)]
pub(super) struct Vertices {
    keys: Vec<Key>,
    /// Numbers by hash, [`FREE`] where there is none; a power of two of them, at most half of which are taken.
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl Vertices {
    pub(super) fn new() -> Self {
        Self { keys: Vec::new(), slots: vec![FREE; 1 << 12] }
    }

    /// Bytes of so many, at most: the list has grown by doubling, and both tables are there while one grows.
    pub(super) fn bytes(count: usize) -> usize {
        2 * count * size_of::<Key>() + 3 * (2 * count).next_power_of_two() * size_of::<u32>()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The number of a vertex, if it was met.
    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let number = self.slots[self.slot(key)];
        (number != FREE).then_some(number)
    }

    /// The number of a vertex, the next one if it is new.
    pub(super) fn find_or_add(&mut self, key: Key) -> u32 {
        let slot = self.slot(key);
        if self.slots[slot] != FREE {
            return self.slots[slot];
        }
        let number = self.keys.len() as u32;
        self.keys.push(key);
        self.slots[slot] = number;
        if 2 * self.keys.len() > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Where a key is, or the free place where it would be.
    fn slot(&self, key: Key) -> usize {
        let mask = self.slots.len() - 1;
        // Fibonacci hashing of both halves: neighbouring vertices must not fall beside each other. Each by a factor of its own, since the same bits
        // vary in both.
        let mixed = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((key >> 64) as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
        let mut slot = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93) as usize >> 20 & mask;
        while self.slots[slot] != FREE && self.keys[self.slots[slot] as usize] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        self.slots = vec![FREE; 2 * self.slots.len()];
        for number in 0..self.keys.len() {
            let slot = self.slot(self.keys[number]);
            self.slots[slot] = number as u32;
        }
    }
}
