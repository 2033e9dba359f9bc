//! Memory that a layer needs only while it runs.

use std::sync::PoisonError;

use super::{aligned::Aligned, element::Element};

/// A buffer of at least some length with arbitrary content, given back when dropped: fresh memory would cost a page fault per 4 KiB, which is as
/// much as the transforms that fill it.
#[derive(Debug)]
pub(super) struct Scratch<E: Element>(Option<Aligned<E>>);

impl<E: Element> Scratch<E> {
    pub(super) fn take(len: usize) -> Self {
        let mut idle = E::idle().lock().unwrap_or_else(PoisonError::into_inner);
        idle.sort_by_key(|buffer| buffer.as_slice().len());
        let first = idle.partition_point(|buffer| buffer.as_slice().len() < len);
        if first < idle.len() {
            return Self(Some(idle.remove(first)));
        }
        // A new buffer replaces one that is too small, so that there are never more of them than were in use at once.
        let _too_small = idle.pop();
        drop(idle);
        Self(Some(Aligned::zeros(len)))
    }

    pub(super) fn as_slice(&self) -> &[E] {
        self.0.as_ref().map_or(&[], Aligned::as_slice)
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [E] {
        self.0.as_mut().map_or(&mut [], Aligned::as_mut_slice)
    }
}

impl<E: Element> Drop for Scratch<E> {
    fn drop(&mut self) {
        E::idle().lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
    }
}
