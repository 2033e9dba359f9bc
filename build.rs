//! Tells the crate which callbacks the GDAL that it is built for knows.

fn main() {
    println!("cargo:rustc-check-cfg=cfg(vsi_advise_read, vsi_error)");
    // What the bindings are for: major * 1,000,000 + minor * 10,000 + patch * 100.
    let version = std::env::var("DEP_GDAL_VERSION_NUMBER").ok().and_then(|number| number.parse().ok()).unwrap_or(0_u32);
    if version >= 3_070_000 {
        println!("cargo:rustc-cfg=vsi_advise_read");
    }
    if version >= 3_100_000 {
        println!("cargo:rustc-cfg=vsi_error");
    }
}
