//! Memory that a layer needs only while it runs.

use std::sync::PoisonError;

use super::{aligned::Aligned, element::Element};

/// Bytes that a layer holds while it runs. They are kept for the next layer, each kind for itself, since their sizes differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// An input with padded lines.
    pub(super) lines: usize,
    /// Transformed blocks for many jobs.
    pub(super) all_blocks: usize,
    /// What every thread holds for its job.
    pub(super) jobs: usize,
}

impl Held {
    /// What two layers hold, one after the other.
    pub(crate) fn most(self, other: Self) -> Self {
        Self {
            lines: self.lines.max(other.lines),
            all_blocks: self.all_blocks.max(other.all_blocks),
            jobs: self.jobs.max(other.jobs),
        }
    }

    /// Bytes of all kinds.
    pub(crate) fn bytes(self) -> usize {
        self.lines + self.all_blocks + self.jobs
    }
}

/// How many times larger than asked for a buffer may be: a large one is for those who need it.
const LARGEST: usize = 4;

/// A buffer of at least some length with arbitrary content, given back when dropped: fresh memory would cost a page fault per 4 KiB, which is as
/// much as the transforms that fill it.
#[derive(Debug)]
pub(crate) struct Scratch<E: Element>(Option<Aligned<E>>);

impl<E: Element> Scratch<E> {
    pub(crate) fn take(len: usize) -> Self {
        let mut idle = E::idle().lock().unwrap_or_else(PoisonError::into_inner);
        idle.sort_by_key(|buffer| buffer.as_slice().len());
        let first = idle.partition_point(|buffer| buffer.as_slice().len() < len);
        if idle.get(first).is_some_and(|buffer| buffer.as_slice().len() <= LARGEST * len) {
            return Self(Some(idle.remove(first)));
        }
        // A new buffer replaces one that is too small, so that they do not become more and more.
        let _too_small = first.checked_sub(1).map(|largest| idle.remove(largest));
        drop(idle);
        Self(Some(Aligned::zeros(len)))
    }

    pub(crate) fn as_slice(&self) -> &[E] {
        self.0.as_ref().map_or(&[], Aligned::as_slice)
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [E] {
        self.0.as_mut().map_or(&mut [], Aligned::as_mut_slice)
    }
}

impl<E: Element> Drop for Scratch<E> {
    fn drop(&mut self) {
        E::idle().lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
    }
}
