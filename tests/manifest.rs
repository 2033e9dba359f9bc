//! Manifests: which scenes a batch has, what they are called, and what they may not do.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod sentinel;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use flate2::Crc;
use serde_json::{Value, json};
use swath::manifest::{AssetChoice, BatchScene, Manifest, ManifestOptions, SceneName};
use swath::source::{BandRequest, RasterSource as _, Scene, SceneInput};
use swath::{Location, Result};
use swath_tiling::{Size, Window};
use tempfile::TempDir;

fn read_with(path: &Path, options: &ManifestOptions, bands: &[&str]) -> Result<Vec<Result<BatchScene>>> {
    let bands: Vec<String> = bands.iter().map(|band| (*band).to_owned()).collect();
    Ok(Manifest::read(&Location::from(path), options, &bands)?.scenes)
}

fn read(path: &Path, bands: &[&str]) -> Vec<Result<BatchScene>> {
    read_with(path, &ManifestOptions::default(), bands).unwrap()
}

/// The names of scenes, or what is wrong with them.
fn names(scenes: &[Result<BatchScene>]) -> Vec<String> {
    let name = |scene: &Result<BatchScene>| match scene {
        Ok(scene) => scene.name.to_string(),
        Err(error) => format!("error: {error}"),
    };
    scenes.iter().map(name).collect()
}

fn write_json(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).unwrap();
}

fn keys(keys: &[&str]) -> ManifestOptions {
    ManifestOptions { assets: AssetChoice::Keys(keys.iter().map(|key| (*key).into()).collect()), pattern: None }
}

fn role(role: &str) -> ManifestOptions {
    ManifestOptions { assets: AssetChoice::Role(role.into()), pattern: None }
}

#[test]
fn a_list_has_a_scene_a_line() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list.txt");
    let text = "\u{feff}# scenes\n\na/one.tif\r\n /data/two.tif \nhttps://host/three.tif?signature=1\na/one.tif\tfour/4\nftp://x/y.tif\n";
    fs::write(&list, text).unwrap();
    let scenes = read(&list, &["1"]);
    let named = names(&scenes);
    assert_eq!(named[..4], ["one", "two", "three", "four/4"]);
    assert!(named[4].contains("line 7 of") && !named[4].contains("x/y"), "{}", named[4]);
    let locations: Vec<String> =
        scenes.iter().flatten().map(|scene| scene.input.locations()[0].shown().display().to_string()).collect();
    let one = folder.path().join("a/one.tif").display().to_string();
    assert_eq!(locations, [one.as_str(), "/data/two.tif", "https://host/three.tif", one.as_str()]);
    assert!(scenes.iter().flatten().all(|scene| matches!(scene.input, SceneInput::Listed(_)) && scene.bands.is_none()));
}

#[test]
fn names_cannot_leave_the_output() {
    let refused = [
        "",
        "/etc/x",
        "..",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "a/.",
        "a\\b",
        "C:x",
        "a\nb",
        "a\0b",
        "%2e%2e",
        "a?b",
        "a#b",
        " a",
        "a /b",
    ];
    for name in refused {
        let error = SceneName::new(name, Path::new("scene.tif")).unwrap_err().to_string();
        assert!(error.starts_with("scene.tif cannot be called") && !error.contains(['\n', '\0']), "{error}");
    }
    assert!(SceneName::new(&"a".repeat(181), Path::new("scene.tif")).is_err());
    assert!(SceneName::new(&"a/".repeat(400), Path::new("scene.tif")).is_err());
    for name in ["a", "2024/06/S2A_33UUP_20240601", "..a", "a..b", "é ü"] {
        assert_eq!(SceneName::new(name, Path::new("scene.tif")).unwrap().as_str(), name);
    }
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("list.txt"), "a.tif\t../a\nb.tif\tb\n").unwrap();
    let scenes = read(&folder.path().join("list.txt"), &["1"]);
    assert!(scenes[0].is_err() && scenes[1].is_ok());
    let mut item = sentinel::item("x", ".");
    item["id"] = json!("../../etc/x");
    write_json(&folder.path().join("item.json"), &item);
    assert!(names(&read(&folder.path().join("item.json"), &["B02"]))[0].contains("cannot be called `../../etc/x`"));
}

#[test]
fn scenes_of_one_name_are_errors_that_name_both() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("list.txt"), "/a/x.tif\n/b/y.tif\n/b/x.tif\n").unwrap();
    let named = names(&read(&folder.path().join("list.txt"), &["1"]));
    let twice = "error: /a/x.tif and /b/x.tif would both be called `x`";
    assert_eq!(named, [twice, "y", twice]);
}

#[test]
fn bands_of_an_item_are_found_by_name() {
    let folder = TempDir::new().unwrap();
    let item = sentinel::write(folder.path(), "S2A_33UUP", 3);
    for bands in [["B11", "B02", "B01"], ["swir16", "BLUE", "coastal"]] {
        let scene = read(&item, &bands).pop().unwrap().unwrap();
        assert_eq!((scene.name.as_str(), scene.acquired.unwrap().to_string()), ("S2A_33UUP", "2024-06-01T10:05:59.024Z".into()));
        let opened = Scene::open(scene.input, scene.bands.as_deref().unwrap()).unwrap().acquired(scene.acquired);
        let profile = opened.profile();
        assert_eq!((profile.size, profile.acquired), (Size::plane(240, 240), scene.acquired));
        assert_eq!(profile.path, PathBuf::from("S2A_33UUP"));
        let patch = opened.reader().unwrap().read(Window::plane(5, 7, 1, 1)).unwrap();
        assert!((patch.pixels[1] - f32::from(sentinel::value(3, "B02", 5, 7))).abs() < f32::EPSILON);
    }
    // One band in one file is that file.
    let scene = read(&item, &["B05"]).pop().unwrap().unwrap();
    assert_eq!(scene.input, SceneInput::Listed(item.with_file_name("./B05.tif").into()));
    assert_eq!(scene.bands, Some(vec![BandRequest::Number(1)]));
    let error = names(&read(&item, &["B02", "B12"])).pop().unwrap();
    assert!(error.contains("no asset of item `S2A_33UUP` has the band `B12`") && error.contains("`blue` (B02"), "{error}");
    assert!(!error.contains("thumbnail") && !error.contains("metadata"), "{error}");
}

#[test]
fn what_may_be_several_bands_is_an_error_until_assets_are_chosen() {
    let folder = TempDir::new().unwrap();
    let mut item = sentinel::item("S2", ".");
    let bands = ["B04", "B03", "B02"].map(|name| json!({ "name": name }));
    item["assets"]["visual"] = json!({ "href": "./TCI.tif", "roles": ["visual"], "bands": bands });
    item["assets"]["scl"] = json!({ "href": "./SCL.tif", "roles": ["data"] });
    let path = folder.path().join("item.json");
    write_json(&path, &item);
    let only = |options: &ManifestOptions, bands: &[&str]| read_with(&path, options, bands).unwrap().pop().unwrap();
    let error = only(&ManifestOptions::default(), &["B02", "B11"]).unwrap_err().to_string();
    assert_eq!(error, "band `B02` of item `S2` may be in asset `blue` band 1, asset `visual` band 3");
    let chosen = only(&keys(&["blue", "swir16"]), &["B02", "B11"]).unwrap();
    assert_eq!(chosen.input.locations().len(), 2);
    assert!(only(&role("reflectance"), &["B02", "B11"]).is_ok());
    // One file with several bands is read as one.
    let visual = only(&keys(&["visual"]), &["B02", "B04"]).unwrap();
    assert_eq!(visual.bands, Some(vec![BandRequest::Number(3), BandRequest::Number(1)]));
    // The asset's key is the last resort; a single asset that says nothing is left to its file.
    assert_eq!(only(&ManifestOptions::default(), &["scl"]).unwrap().input.locations().len(), 1);
    assert_eq!(only(&keys(&["scl"]), &["1", "2"]).unwrap().bands, None);
    let error = only(&keys(&["B99"]), &["B02"]).unwrap_err().to_string();
    assert!(error.starts_with("item `S2` has no asset `B99`"), "{error}");
    assert!(only(&role("nothing"), &["B02"]).unwrap_err().to_string().contains("with the role `nothing`"));
}

#[test]
fn a_wrong_item_does_not_spoil_a_collection() {
    let folder = TempDir::new().unwrap();
    for (id, seed) in [("a", 1), ("b", 2)] {
        sentinel::write(folder.path(), id, seed);
    }
    let mut linked = sentinel::item("b", ".");
    linked["links"] = json!([{ "rel": "self", "href": folder.path().join("b/b.json") }]);
    let nothing = json!({ "type": "Feature", "id": "c" });
    let broken = json!({ "type": "Feature", "assets": 7 });
    let collection = json!({
        "type": "FeatureCollection",
        "features": [sentinel::item("a", "a"), linked, broken, nothing, sentinel::item("d", "d"), sentinel::item("d", "e")],
    });
    let path = folder.path().join("items.json");
    write_json(&path, &collection);
    let scenes = read(&path, &["B02", "B01"]);
    let named = names(&scenes);
    assert_eq!(named[..2], ["a", "b"]);
    assert!(named[2].contains("item 3 of") && named[3].contains("there are none"), "{named:?}");
    assert!(named[4] == named[5] && named[4].contains("d/B02.tif") && named[4].contains("e/B02.tif"), "{named:?}");
    for scene in scenes.into_iter().flatten() {
        Scene::open(scene.input, &scene.bands.unwrap()).unwrap();
    }
}

#[test]
fn folders_are_listed_by_pattern() {
    let folder = TempDir::new().unwrap();
    for name in ["b.tif", "a.TIF", "2024/x.jp2", "2024/06/x.vrt", "2024/06/x.tif.msk", "x.json", "2024/y.png"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    assert_eq!(names(&read(folder.path(), &["1"])), ["2024/06/x", "2024/x", "a", "b"]);
    let fitting = |pattern: &str| {
        read_with(folder.path(), &ManifestOptions { pattern: Some(pattern.into()), ..ManifestOptions::default() }, &["1"])
    };
    assert_eq!(names(&fitting("*.png").unwrap()), ["2024/y"]);
    assert_eq!(names(&fitting("2024/*.*").unwrap()), ["2024/x", "2024/y"]);
    assert_eq!(names(&fitting("2024/**/x*.[jv]*").unwrap()), ["2024/06/x", "2024/x"]);
    assert!(fitting("*.nc").unwrap_err().to_string().starts_with("no scenes in"));
    assert!(fitting("[").unwrap_err().to_string().contains("`[` is no pattern"));
    fs::write(folder.path().join("a.jp2"), "").unwrap();
    assert!(names(&read(folder.path(), &["1"]))[2].contains("would both be called `a`"));
}

#[test]
fn what_is_no_manifest_is_an_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("manifest");
    let error = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        read_with(&path, &ManifestOptions::default(), &["1"]).unwrap_err().to_string()
    };
    assert!(error(b"# nothing\n").starts_with("no scenes in"));
    assert!(error(b"{\"type\": \"Catalog\"}").contains("got `Catalog`"));
    assert!(error(b"{\"type\": \"FeatureCollection\", \"features\": [").contains("expected a STAC item"));
    assert!(error(b"[]").contains("expected a STAC item"));
    assert!(error(b"\xff\xfe\0").contains("UTF-8"));
    assert!(error(&vec![b'['; 100_000]).contains("expected a STAC item"));
    fs::remove_file(&path).unwrap();
    assert!(read_with(&path, &ManifestOptions::default(), &["1"]).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn manifests_may_have_ten_thousands_of_scenes() {
    let folder = TempDir::new().unwrap();
    let list: Vec<String> = (0..50_000).map(|number| format!("s3://bucket/{number}.tif")).collect();
    fs::write(folder.path().join("list.txt"), list.join("\n")).unwrap();
    let items: Vec<Value> = (0..10_000).map(|number| sentinel::item(&format!("item-{number}"), "s3://bucket/x")).collect();
    write_json(&folder.path().join("items.json"), &json!({ "type": "FeatureCollection", "features": items }));
    assert_eq!(read(&folder.path().join("list.txt"), &["1"]).iter().filter(|scene| scene.is_ok()).count(), 50_000);
    assert_eq!(read(&folder.path().join("items.json"), &["B02", "B05"]).iter().filter(|scene| scene.is_ok()).count(), 10_000);
}

/// A folder `outside` with `secret.tif`, and beside it one for what others wrote.
struct Foreign {
    folder: TempDir,
}

impl Foreign {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["outside", "own/below"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["outside/secret.tif", "own/plain.tif", "own/below/plain.tif"] {
            support::write_noise(&folder.path().join(name), 8, 6, 1);
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a VRT of one source.
    fn vrt(&self, name: &str, source: &str) -> PathBuf {
        let text = format!(
            "<VRTDataset rasterXSize=\"8\" rasterYSize=\"6\"><VRTRasterBand dataType=\"Byte\" band=\"1\"><SimpleSource>{source}\
             <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
        );
        self.write(name, &text)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn relative(source: &str) -> String {
    format!("<SourceFilename relativeToVRT=\"1\">{source}</SourceFilename>")
}

/// What opening and reading a raster that others named gives.
fn listed(path: &Path) -> std::result::Result<Vec<f32>, String> {
    let pixels = || -> Result<Vec<f32>> {
        let scene = Scene::open(SceneInput::Listed(path.into()), &[BandRequest::Number(1)])?;
        Ok(scene.reader()?.read(Window::all(scene.profile().size))?.pixels)
    };
    pixels().map_err(|error| format!("{error:?} {error}"))
}

#[test]
fn a_vrt_of_others_reads_nothing_that_is_not_beside_it() {
    let foreign = Foreign::new();
    let whole = listed(&foreign.path("own/plain.tif")).unwrap();
    for (name, source) in [("own/beside.vrt", "plain.tif"), ("own/below.vrt", "below/plain.tif"), ("own/scene.tif", "plain.tif")]
    {
        assert_eq!(listed(&foreign.vrt(name, &relative(source))).unwrap(), whole, "{name}");
    }
    let secret = foreign.path("outside/secret.tif").display().to_string();
    foreign.vrt("own/nested.vrt", &relative("plain.tif"));
    foreign
        .write("own/wms.tif", "<GDAL_WMS><Service name=\"TMS\"><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service></GDAL_WMS>");
    let refused = [
        format!("<SourceFilename>{secret}</SourceFilename>"),
        format!("<SourceFilename relativeToVRT=\"0\">{secret}</SourceFilename>"),
        relative(&secret),
        relative("../outside/secret.tif"),
        relative("below/../../outside/secret.tif"),
        relative("nested.vrt"),
        relative("wms.tif"),
        relative("vrt://plain.tif"),
        relative("/vsicurl/http://127.0.0.1:9/a.tif"),
        relative("NETCDF:plain.nc:red"),
        relative("&lt;VRTDataset/&gt;"),
        relative("plain.tif") + "<OpenOptions><OOI key=\"a\">b</OOI></OpenOptions>",
    ];
    for source in refused {
        for name in ["own/a.vrt", "own/scene.tif"] {
            let error = listed(&foreign.vrt(name, &source)).unwrap_err();
            assert!(error.contains("is refused"), "{source}: {error}");
        }
    }
    // The user's own may name what it likes.
    let own = foreign.vrt("own/mine.vrt", &format!("<SourceFilename>{secret}</SourceFilename>"));
    Scene::open(&own, &[BandRequest::Number(1)]).unwrap().reader().unwrap().read(Window::plane(0, 0, 8, 6)).unwrap();
}

#[test]
fn other_ways_out_of_a_raster_are_refused_too() {
    let foreign = Foreign::new();
    let secret = foreign.path("outside/secret.tif").display().to_string();
    let band = |attributes: &str, content: &str| {
        format!(
            "<VRTDataset rasterXSize=\"8\" rasterYSize=\"6\"><VRTRasterBand dataType=\"Byte\" band=\"1\" {attributes}>{content}\
             </VRTRasterBand></VRTDataset>"
        )
    };
    let source = format!("<SourceFilename>{secret}</SourceFilename><SourceBand>1</SourceBand>");
    let texts = [
        band("subClass=\"VRTDerivedRasterBand\"", "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"),
        band("subClass=\"VRTRawRasterBand\"", &format!("<SourceFilename>{secret}</SourceFilename>")),
        band(
            "",
            &format!(
                "<SimpleSource>{}<SourceBand>1</SourceBand></SimpleSource><Overview>{source}</Overview>",
                relative("plain.tif")
            ),
        ),
        band("", &format!("<KernelFilteredSource>{source}</KernelFilteredSource>")),
        "<VRTDataset subClass=\"VRTWarpedDataset\"><GDALWarpOptions/></VRTDataset>".into(),
        format!(
            "<vrtdataset rasterXSize=\"8\" rasterYSize=\"6\"><!-- <VRTDataset --><simplesource>{source}</simplesource></vrtdataset>"
        ),
        format!("<VRTDataset>{}{}</VRTDataset>", "<Metadata>".repeat(1000), "</Metadata>".repeat(1000)),
    ];
    for text in texts {
        let error = listed(&foreign.write("own/scene.tif", &text)).unwrap_err();
        assert!(error.contains("is refused"), "{text:.200}: {error}");
    }
    let wms = "<GDAL_WMS><Service name=\"TMS\"><ServerUrl>http://127.0.0.1:9/${z}/${x}/${y}</ServerUrl></Service>\
               <DataWindow><SizeX>8</SizeX><SizeY>6</SizeY></DataWindow></GDAL_WMS>";
    assert!(listed(&foreign.write("own/wms.tif", wms)).is_err());
    // A mask that leads elsewhere.
    foreign.vrt("own/plain.tif.msk", &format!("<SourceFilename>{secret}</SourceFilename>"));
    assert!(listed(&foreign.path("own/plain.tif")).unwrap_err().contains("no TIFF"));
    for name in ["/vsicurl/http://127.0.0.1:9/a.tif", "/vsizip//vsicurl/http://127.0.0.1:9/a.zip/a.tif", "/vsimem/a.tif"] {
        assert!(listed(Path::new(name)).unwrap_err().contains("is refused"), "{name}");
    }
    assert!(listed(Path::new(&format!("DERIVED_SUBDATASET:LOGAMPLITUDE:{secret}"))).is_err());
}

/// Writes a ZIP archive of one entry, stored as it is.
fn write_zip(path: &Path, name: &str, content: &[u8]) {
    let mut crc = Crc::new();
    crc.update(content);
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let common = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &crc.sum().to_le_bytes()[..], &size, &size, &name_length, &[0, 0]].concat();
    let local = [b"PK\x03\x04", &common[..], name.as_bytes(), content].concat();
    let central = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], name.as_bytes()].concat();
    let [at, length] = [local.len(), central.len()].map(|bytes| u32::try_from(bytes).unwrap().to_le_bytes());
    let end = [b"PK\x05\x06", &[0, 0, 0, 0, 1, 0, 1, 0][..], &length, &at, &[0, 0]].concat();
    fs::write(path, [local, central, end].concat()).unwrap();
}

#[test]
fn entries_of_archives_land_nowhere() {
    let foreign = Foreign::new();
    let content = fs::read(foreign.path("own/plain.tif")).unwrap();
    write_zip(&foreign.path("own/below/good.zip"), "inner/x.tif", &content);
    let archive = |name: &str| PathBuf::from(format!("/vsizip/{}", foreign.path(name).display()));
    assert_eq!(listed(&archive("own/below/good.zip/inner/x.tif")).unwrap().len(), 48);
    write_zip(&foreign.path("own/below/evil.zip"), "../../x.tif", &content);
    let _ = listed(&archive("own/below/evil.zip/../../x.tif"));
    let _ = listed(&archive("own/below/evil.zip"));
    let files = |name: &str| support::files(&foreign.path(name));
    assert_eq!(files("own/below"), ["evil.zip", "good.zip", "plain.tif"]);
    assert_eq!(files("own"), ["below", "plain.tif"]);
    assert_eq!(files(""), ["outside", "own"]);
}
