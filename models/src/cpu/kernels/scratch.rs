//! Memory that a layer needs only while it runs.

use std::sync::{Mutex, PoisonError};

use super::aligned::Aligned;

/// Buffers that no layer uses at the moment. Fresh memory would cost a page fault per 4 KiB, which is as much as the transforms that fill it.
static IDLE: Mutex<Vec<Aligned>> = Mutex::new(Vec::new());

/// A buffer of at least some length with arbitrary content, given back when dropped.
#[derive(Debug)]
pub(super) struct Scratch(Option<Aligned>);

impl Scratch {
    pub(super) fn take(len: usize) -> Self {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
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

    pub(super) fn as_slice(&self) -> &[f32] {
        self.0.as_ref().map_or(&[], Aligned::as_slice)
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        self.0.as_mut().map_or(&mut [], Aligned::as_mut_slice)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
    }
}
