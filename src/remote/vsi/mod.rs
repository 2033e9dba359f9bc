//! Objects as files that GDAL reads.

mod callbacks;
mod failure;
mod file;
mod install;
mod mount;
mod names;
mod siblings;

pub(crate) use failure::take_failure;
pub(crate) use install::install;
pub(super) use mount::Mount;
pub(super) use names::PREFIX;
