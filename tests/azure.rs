//! Azure's blob storage, as the emulator Azurite serves it. Skipped where that is not installed (`scripts/azurite.sh`).
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::print_stderr, reason = "what is skipped is said")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use support::{Linear, program, run, write_noise};

/// A running Azurite with one container, `tiles`.
struct Azurite {
    process: Child,
    /// Azurite ends when nobody takes what it prints.
    _printed: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Azurite {
    /// None if it is not installed.
    fn start() -> Option<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let server = target.join("azurite/node_modules/.bin/azurite-blob");
        let arguments = ["--inMemoryPersistence", "--disableTelemetry", "--blobPort", "0"];
        let started = Command::new(&server).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut process) = started else {
            eprintln!("skipped: there is no {}; scripts/azurite.sh installs it", server.display());
            return None;
        };
        let mut printed = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = printed.by_ref().find_map(|line| Some(line.unwrap().split_once("listens on ")?.1.to_owned())).unwrap();
        let azurite = Self { process, _printed: printed, url };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/azurite/create_container.mjs");
        assert!(Command::new("node").args([script, &azurite.url, "tiles"]).status().unwrap().success());
        Some(azurite)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn scenes_are_read_from_azure_and_labels_go_there() {
    let Some(azurite) = Azurite::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for number in 0..3 {
        write_noise(&path(&format!("{number}.tif")), 200 + number, 180, 2);
    }
    Linear::by_sum(2, 200.0, 500.0).write(&path("model"));
    let swath = |args: &str| {
        let mut command = program(folder.path());
        command.env("AZURE_STORAGE_USE_EMULATOR", "true").env("AZURITE_BLOB_STORAGE_URL", &azurite.url);
        run(command.args(args.split_whitespace()))
    };
    // The scenes get there as products do: their own labels, which are rasters of one band.
    fs::write(path("list.txt"), "0.tif\n1.tif\n2.tif").unwrap();
    let options = "--model model --max-memory 2GiB --tile 64 --progress none";
    swath(&format!("batch list.txt --output local {options}")).succeeds();
    swath(&format!("batch list.txt --output az://tiles/first {options}")).succeeds();
    Linear::identity().write(&path("second-model"));
    let again = options.replace("model model", "model second-model");
    swath(&format!("batch az://tiles/first/ --output second --pattern *.tif {again}")).succeeds();
    swath(&format!("segment az://tiles/first/0.tif --output az://tiles/single.tif {again}")).succeeds();
    swath(&format!("segment az://tiles/single.tif --output single.tif {again}")).succeeds();
    for number in 0..3 {
        let labels = support::read_labels(&path(&format!("local/{number}.tif")));
        // A model whose label is the pixel's value, 1, 3 or 5, gives the labels back.
        assert!(support::read_labels(&path(&format!("second/{number}.tif"))) == labels, "{number}");
    }
    assert!(support::read_labels(&path("single.tif")) == support::read_labels(&path("local/0.tif")));
    let run = swath(&format!("batch list.txt --output az://tiles/first {options} --json")).succeeds();
    assert_eq!(run.json()[0]["skipped"], 3);
    swath(&format!("segment az://tiles/none.tif --output none.tif {options}"))
        .fails(2, &["az://tiles/none.tif", "no such object"]);
}
