//! HDF5 files as Keras writes them.
//!
//! Read is what h5py writes without options, and its `libver="latest"` for small groups: superblocks 0 to 3, groups as symbol tables or links in the
//! header, datasets in one piece or in chunks without filters, attributes in the header, floats, integers and text. All else is refused by name: links to
//! other files, data in other files, filters, other types. The crates for HDF5 are bindings to the C library, which is a wide
//! target for files of strangers, or young ones that change with every release; of none is it said how much memory a file may ask for.
//!
//! The file is in memory as a whole, and everything that is read is a part of it: what a file claims of lengths is compared with where it ends, what
//! it nests or repeats is counted. Specification: HDF5 File Format Specification 3.0,
//! <https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html>.

mod attribute;
mod btree;
mod chunks;
mod dataset;
mod dataspace;
mod datatype;
mod file;
mod fill;
mod group;
mod heap;
mod message;
mod object;
mod reader;

pub(crate) use file::File;
pub(crate) use object::Object;
