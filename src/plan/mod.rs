//! Everything that is decided before the first read: tiles, memory, operations, bytes.

mod card;
mod layout;
mod memory;
mod request;
mod search;

pub use card::CardPlan;
pub use layout::Layout;
pub use memory::MemoryPlan;
pub(crate) use memory::{BASE, VolumeMemory};
pub use request::{BlendChoice, Layers, PlanRequest, Tiles};
pub use search::Plan;
pub(crate) use search::{Storage, Stored};
