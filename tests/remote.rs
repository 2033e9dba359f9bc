//! Rasters in stores: the same pixels as from local files, in few requests, and failures that say what failed.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod range_server;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use gdal::raster::RasterCreationOptions;
use gdal::{Dataset, DriverManager};
use range_server::{Behaviour, Servers};
use support::{Linear, Pixels, program, run};
use swath::source::{BandRequest, Patch, RasterSource as _, Scene};
use swath::{Error, Location, RemoteError};
use swath_tiling::Window;
use tempfile::TempDir;

/// Pixels a side of the rasters here; noise, so that no compression makes them small.
const SIDE: usize = 1200;

/// Servers, and the folder that they serve as a bucket.
struct Place {
    servers: Servers,
    bucket: PathBuf,
    _root: TempDir,
}

fn place() -> Place {
    let root = TempDir::new().unwrap();
    let bucket = root.path().join("bucket");
    fs::create_dir(&bucket).unwrap();
    Place { servers: Servers::start(root.path()), bucket, _root: root }
}

impl Place {
    fn open(&self, name: &str) -> swath::Result<Scene> {
        let location: Location = self.servers.url(&format!("bucket/{name}")).parse().unwrap();
        Scene::open(location, &bands())
    }

    fn local(&self, name: &str) -> Scene {
        Scene::open(self.bucket.join(name), &bands()).unwrap()
    }
}

fn bands() -> [BandRequest; 3] {
    [1, 2, 3].map(BandRequest::Number)
}

fn noise(seed: usize) -> Pixels<u8> {
    Pixels::new(SIDE, SIDE, 3, |band, x, y| {
        let mixed = (x as u32).wrapping_mul(73_856_093)
            ^ (y as u32).wrapping_mul(19_349_663)
            ^ ((band + seed) as u32).wrapping_mul(83_492_791);
        (mixed.wrapping_mul(2_654_435_761) >> 24) as u8
    })
}

/// A copy in another format.
fn copy(from: &Path, to: &Path, driver: &str, options: &[&str]) {
    let options: RasterCreationOptions = options.iter().copied().collect();
    let driver = DriverManager::get_driver_by_name(driver).unwrap();
    Dataset::open(from).unwrap().create_copy(&driver, to, &options).unwrap().close().unwrap();
}

/// A tiled COG.
fn write_cog(path: &Path, seed: usize) {
    let plain = path.with_extension("plain");
    noise(seed).write(&plain, &["TILED=YES"], |_| {});
    copy(&plain, path, "COG", &["BLOCKSIZE=256", "COMPRESS=DEFLATE"]);
    fs::remove_file(plain).unwrap();
}

/// A mask beside a raster: every third pixel is none.
fn write_mask(raster: &Path) {
    let mask = Pixels::new(SIDE, SIDE, 1, |_, x, y| if (x + y) % 3 == 0 { 0_u8 } else { 255 });
    let mut path = raster.as_os_str().to_owned();
    path.push(".msk");
    mask.write(Path::new(&path), &["TILED=YES", "COMPRESS=DEFLATE"], |dataset| {
        use gdal::Metadata as _;
        for band in 1..=3 {
            dataset.set_metadata_item(&format!("INTERNAL_MASK_FLAGS_{band}"), "2", "").unwrap();
        }
    });
}

fn read(scene: &Scene, window: Window) -> swath::Result<Patch> {
    scene.reader()?.read(window)
}

#[test]
fn pixels_and_validity_are_those_of_the_local_file() {
    let place = place();
    let file = |name: &str| place.bucket.join(name);
    write_cog(&file("cog.tif"), 1);
    noise(2).write(&file("stripes.tif"), &["COMPRESS=LZW"], |_| {});
    noise(3).write(&file("planar.tif"), &["TILED=YES", "INTERLEAVE=BAND"], |_| {});
    noise(4).write(&file("masked & more.tif"), &["TILED=YES"], |_| {});
    write_mask(&file("masked & more.tif"));
    // Nodata and descriptions are kept beside the file.
    copy(&file("planar.tif"), &file("picture.png"), "PNG", &[]);
    fs::write(file("picture.png.aux.xml"), include_str!("range_server/nodata.aux.xml")).unwrap();
    let mut names = vec!["cog.tif", "stripes.tif", "planar.tif", "masked & more.tif", "picture.png"];
    if DriverManager::get_driver_by_name("JP2OpenJPEG").is_ok() {
        copy(&file("planar.tif"), &file("lossless.jp2"), "JP2OpenJPEG", &["QUALITY=100", "REVERSIBLE=YES"]);
        names.push("lossless.jp2");
    } else {
        eprintln!("SKIPPED: JPEG2000, which this GDAL does not write");
    }
    for name in names {
        let (local, remote) = (place.local(name), place.open(name).unwrap());
        assert_eq!(remote.profile().bands, local.profile().bands, "{name}");
        assert_eq!(remote.profile().bands[1].nodata, (name == "picture.png").then_some(8.0), "{name}");
        for window in [Window::plane(0, 0, SIDE, SIDE), Window::plane(300, 500, 400, 300)] {
            let (expected, got) = (read(&local, window).unwrap(), read(&remote, window).unwrap());
            assert!(expected == got, "{name}: {window}");
            assert_eq!(expected.valid.contains(&false), name == "masked & more.tif", "{name}");
        }
        assert_eq!(remote.version().size % local.version().size, 0, "{name}");
    }
}

#[test]
fn a_window_costs_the_header_and_its_tiles() {
    let place = place();
    let path = place.bucket.join("cog.tif");
    write_cog(&path, 1);
    let scene = place.open("cog.tif").unwrap();
    let asked = place.servers.watch.take();
    // The raster's header, and at the same time the files that may be beside it.
    assert_eq!(asked.iter().filter(|asked| asked.status == 206).count(), 1, "{asked:?}");
    assert!(asked.len() <= 4 && asked.iter().map(|asked| asked.bytes).sum::<u64>() <= 64 << 10, "{asked:?}");

    let mut reader = scene.reader().unwrap();
    assert_eq!(place.servers.watch.take().len(), 0, "a second handle needs nothing more");
    let window = Window::plane(256, 256, 512, 512);
    reader.read(window).unwrap();
    let asked = place.servers.watch.take();
    // Two rows of two tiles of 256 x 256 x 3 incompressible bytes; each row begins and ends within a block of 16 KiB.
    let tiles = 4 * 256 * 256 * 3 * 101 / 100;
    let bytes: u64 = asked.iter().map(|asked| asked.bytes).sum();
    assert!(asked.len() <= 2 && bytes <= tiles + 4 * (16 << 10), "{bytes} of {tiles}: {asked:?}");
    reader.read(window).unwrap();
    assert_eq!(place.servers.watch.take().len(), 0, "what was read is kept");

    // What was announced is not asked for again.
    let next = Window::plane(768, 256, 256, 256);
    reader.prefetch(&mut [window, next].into_iter(), 1 << 20);
    let mut other = scene.reader().unwrap();
    assert!(other.read(next).unwrap() == read(&place.local("cog.tif"), next).unwrap());
    assert_eq!(place.servers.watch.take().len(), 1);
}

#[test]
fn a_failure_that_passes_is_no_failure() {
    let place = place();
    write_cog(&place.bucket.join("cog.tif"), 1);
    place.servers.watch.fail("cog.tif", 503, 1);
    let scene = place.open("cog.tif").unwrap();
    place.servers.watch.fail("cog.tif", 503, 2);
    let window = Window::plane(0, 0, 600, 600);
    assert!(read(&scene, window).unwrap() == read(&place.local("cog.tif"), window).unwrap());
    assert_eq!(place.servers.watch.take().iter().filter(|asked| asked.status == 503).count(), 3);
}

/// The cause of an error that names the raster.
#[track_caller]
fn cause(error: Error, raster: &str, action: &str) -> RemoteError {
    match error {
        Error::Remote { action: got, location, source } => {
            assert!(got.contains(action), "{got}");
            assert!(location.to_string_lossy().ends_with(raster), "{}", location.display());
            source
        }
        error => panic!("{error:?}"),
    }
}

#[test]
fn failures_name_the_object_and_their_cause() {
    let place = place();
    let path = place.bucket.join("cog.tif");
    write_cog(&path, 1);
    let open = |name: &str| place.open(name).map(|_| ()).unwrap_err();
    assert_eq!(cause(open("absent.tif"), "bucket/absent.tif", "open"), RemoteError::NotFound);
    fs::write(place.bucket.join("empty.tif"), "").unwrap();
    assert!(cause(open("empty.tif"), "bucket/empty.tif", "open").to_string().contains("empty"));
    place.servers.watch.fail("cog.tif", 403, usize::MAX);
    assert!(matches!(cause(open("cog.tif"), "bucket/cog.tif", "open"), RemoteError::Denied { .. }));
    // Without the file beside it, pixels would be valid that are not.
    place.servers.watch.fail(".msk", 503, usize::MAX);
    assert!(matches!(cause(open("cog.tif"), "bucket/cog.tif", "open"), RemoteError::Unavailable { .. }));
    let refused: Location = "http://127.0.0.1:1/a.tif?signature=secret".parse().unwrap();
    let error = Scene::open(refused, &bands()).unwrap_err();
    assert!(!format!("{error:?}").contains("secret"));
    assert!(matches!(cause(error, "127.0.0.1:1/a.tif", "open"), RemoteError::Unavailable { .. }));

    place.servers.watch.behave(Behaviour::default());
    let scene = place.open("cog.tif").unwrap();
    let mut reader = scene.reader().unwrap();
    place.servers.watch.fail("cog.tif", 503, usize::MAX);
    let window = Window::plane(512, 512, 64, 64);
    let error = reader.read(window).unwrap_err();
    assert!(matches!(cause(error, "bucket/cog.tif", "read window x 512"), RemoteError::Unavailable { .. }));
    place.servers.watch.behave(Behaviour::default());
    write_cog(&path, 7);
    let error = reader.read(Window::plane(900, 900, 64, 64)).unwrap_err();
    assert_eq!(cause(error, "bucket/cog.tif", "read window x 900"), RemoteError::Changed);
    // What is opened now is what is there now.
    assert!(read(&place.open("cog.tif").unwrap(), window).unwrap() == read(&place.local("cog.tif"), window).unwrap());
}

#[test]
fn a_server_without_ranges_sends_everything_once() {
    let place = place();
    write_cog(&place.bucket.join("cog.tif"), 1);
    place.servers.watch.behave(Behaviour { ignores_ranges: true, ..Behaviour::default() });
    let window = Window::plane(300, 300, 600, 600);
    assert!(read(&place.open("cog.tif").unwrap(), window).unwrap() == read(&place.local("cog.tif"), window).unwrap());
    // The part that was asked for, and then all.
    let whole = place.servers.watch.take().into_iter().filter(|asked| asked.status == 200).count();
    assert_eq!(whole, 2);
}

#[test]
fn segment_makes_the_same_file_from_everywhere() {
    let place = place();
    let folder = TempDir::new().unwrap();
    write_cog(&place.bucket.join("scene.tif"), 1);
    write_mask(&place.bucket.join("scene.tif"));
    Linear::by_sum(3, 300.0, 450.0).write(&folder.path().join("model"));
    let labels = |scene: &str, output: &str| {
        let mut command = program(folder.path());
        place.servers.introduce(&mut command).args(["segment", scene, "--model", "model", "--output", output]);
        run(command.args(["--max-memory", "400MiB", "--threads", "2", "--tile", "256"])).succeeds();
        fs::read(folder.path().join(output)).unwrap()
    };
    let local = labels(&place.bucket.join("scene.tif").to_string_lossy(), "local.tif");
    assert!(labels(&place.servers.url("bucket/scene.tif"), "http.tif") == local);
    assert!(labels("s3://bucket/scene.tif", "s3.tif") == local);
}
