//! Finding CUDA's libraries: none is linked, each is opened when it is needed.
#![expect(unsafe_code, reason = "libraries are opened")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use libloading::Library;

use crate::{Error, Result};

/// Folders to look in first, as in `PATH`.
pub(super) const FOLDERS: &str = "SWATH_CUDA_PATH";

/// Folders below which Python keeps its packages; NVIDIA's wheels put libraries in `nvidia/*/lib` there.
const PYTHON: [&str; 3] = ["/usr/lib", "/usr/local/lib", "/opt/conda/lib"];

/// A library that has to be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// What it is, in messages.
    pub(super) what: &'static str,
    /// File names, the newest version first.
    pub(super) names: &'static [&'static str],
    /// What file names in its folder begin with that it opens itself, by name.
    pub(super) beside: &'static str,
}

pub(super) const DRIVER: Wanted = Wanted { what: "the NVIDIA driver", names: &["libcuda.so.1"], beside: "" };
pub(super) const NVRTC: Wanted =
    Wanted { what: "NVRTC", names: &["libnvrtc.so.13", "libnvrtc.so.12"], beside: "libnvrtc-builtins.so" };
pub(super) const CUDNN: Wanted = Wanted { what: "cuDNN 9", names: &["libcudnn.so.9"], beside: "" };

/// Opens a library, for as long as the process lives.
///
/// It is looked for in the folders of `SWATH_CUDA_PATH`, where the system looks (`LD_LIBRARY_PATH`), in CUDA's own folders, and among the packages of
/// Python, whose PyTorch brings it along.
///
/// # Errors
/// If it is nowhere, or cannot be opened; the error says where it was looked for.
pub(super) fn open(wanted: Wanted) -> Result<&'static Library> {
    let (own, usual) = (folders_of(FOLDERS), usual_folders());
    let places = own.iter().map(PathBuf::as_path).chain([Path::new("")]).chain(usual.iter().map(PathBuf::as_path));
    let mut refused = String::new();
    for folder in places {
        for name in wanted.names {
            let is_named = folder.as_os_str().is_empty();
            if !is_named && !folder.join(name).is_file() {
                continue;
            }
            if !is_named && !wanted.beside.is_empty() {
                open_beside(folder, wanted.beside);
            }
            // SAFETY: NVIDIA's libraries may be opened from any thread.
            match unsafe { Library::new(folder.join(name)) } {
                Ok(library) => return Ok(Box::leak(Box::new(library))),
                // A name that the system does not know is no news.
                Err(_) if is_named => {}
                Err(error) => refused = format!("; {} does not open: {error}", folder.join(name).display()),
            }
        }
    }
    let looked = own.iter().chain(&usual).map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let looked = if looked.is_empty() { String::new() } else { format!(", nor in {looked}") };
    let Wanted { what, names, .. } = wanted;
    let missing = format!(
        "{what} ({}) is not where the system looks for libraries{looked}{refused}; {FOLDERS} may name its folder",
        names[0]
    );
    Err(Error::NoCuda { missing })
}

/// Opens what a library opens by name: what is open already is found by its name.
fn open_beside(folder: &Path, prefix: &str) {
    for path in entries(folder) {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)) {
            // SAFETY: as in `open`. If it does not open, the library itself says so.
            if let Ok(library) = unsafe { Library::new(path) } {
                std::mem::forget(library);
            }
        }
    }
}

fn folders_of(variable: &str) -> Vec<PathBuf> {
    env::var_os(variable)
        .map(|folders| env::split_paths(&folders).filter(|f| !f.as_os_str().is_empty()).collect())
        .unwrap_or_default()
}

/// Where CUDA and Python usually are, of those that exist.
fn usual_folders() -> Vec<PathBuf> {
    let homes =
        ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os).map(PathBuf::from).chain(["/usr/local/cuda".into()]);
    let own = homes.map(|home| home.join("lib64"));
    let environments =
        ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os).map(|home| PathBuf::from(home).join("lib"));
    let pythons = environments
        .chain(PYTHON.map(PathBuf::from))
        .flat_map(|lib| entries(&lib))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3")));
    let packages = pythons.flat_map(|python| [python.join("site-packages"), python.join("dist-packages")]);
    let wheels = packages.flat_map(|packages| entries(&packages.join("nvidia"))).map(|package| package.join("lib"));
    own.chain(wheels).chain(installed()).filter(|folder| folder.is_dir()).collect()
}

/// Where `scripts/cuda-wheels.sh` puts the libraries, for the tests.
fn installed() -> Vec<PathBuf> {
    if !cfg!(test) {
        return Vec::new();
    }
    let wheels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/cuda-wheels/nvidia");
    entries(&wheels).into_iter().map(|package| package.join("lib")).collect()
}

/// What a folder holds, in order of name; nothing if it is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
