//! Memory that is kept from pass to pass.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers that nothing uses at present. The operating system clears every page that it hands out, which takes longer than most operators do.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    idle: Arc<Mutex<Vec<Vec<f32>>>>,
}

impl Buffers {
    /// So many values; what they hold is left over from earlier use.
    pub(super) fn take(&self, len: usize) -> Buffer {
        let mut idle = self.idle();
        // The last one is the most likely to be in the processor's caches.
        let found = idle.iter().rposition(|values| values.len() == len);
        let values = found.map(|at| idle.remove(at));
        Buffer { values: values.unwrap_or_else(|| vec![0.0; len]), home: Some(self.clone()) }
    }

    /// Gives the memory back.
    pub(super) fn clear(&self) {
        self.idle().clear();
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.idle().iter().map(|values| size_of_val(values.as_slice())).sum()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Vec<f32>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values that return to their pool once they are dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    values: Vec<f32>,
    home: Option<Buffers>,
}

impl Buffer {
    /// The values, whose place is empty until they are put back.
    pub(super) fn lend(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.values)
    }

    /// Puts lent values back.
    pub(super) fn put_back(&mut self, values: Vec<f32>) {
        self.values = values;
    }
}

impl From<Vec<f32>> for Buffer {
    /// Values from elsewhere, which no pool keeps.
    fn from(values: Vec<f32>) -> Self {
        Self { values, home: None }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = &self.home
            && !self.values.is_empty()
        {
            home.idle().push(std::mem::take(&mut self.values));
        }
    }
}
