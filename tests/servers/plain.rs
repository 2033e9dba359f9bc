//! A plain server of files.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use super::{AnyBody, empty, full};

/// Answers GET and HEAD, with ranges and `If-Match`.
pub(super) fn answer(root: &Path, request: &Request<Incoming>) -> Response<AnyBody> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let path = root.join(request.uri().path().trim_start_matches('/'));
    let Some((file, metadata)) = File::open(path).ok().and_then(|file| {
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((file, metadata))
    }) else {
        return empty(StatusCode::NOT_FOUND);
    };
    let size = metadata.len();
    let etag = format!("\"{size}-{}-{}\"", metadata.mtime(), metadata.mtime_nsec());
    if header("if-match").is_some_and(|wanted| wanted != etag) {
        return empty(StatusCode::PRECONDITION_FAILED);
    }
    let asked = header("range").and_then(|text| parse(text, size));
    let range = asked.clone().unwrap_or(0..size);
    if range.is_empty() && asked.is_some() {
        return empty(StatusCode::RANGE_NOT_SATISFIABLE);
    }
    let length = range.end - range.start;
    let mut bytes = vec![0; if request.method() == Method::HEAD { 0 } else { length as usize }];
    if file.read_exact_at(&mut bytes, range.start).is_err() {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let status = if asked.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = full(status, bytes.into());
    let headers = response.headers_mut();
    headers.insert("accept-ranges", "bytes".parse().unwrap());
    headers.insert("etag", etag.parse().unwrap());
    headers.insert("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT".parse().unwrap());
    headers.insert("content-length", length.into());
    if asked.is_some() {
        headers.insert("content-range", format!("bytes {}-{}/{size}", range.start, range.end - 1).parse().unwrap());
    }
    response
}

/// The bytes that a `Range` header asks for.
fn parse(header: &str, size: u64) -> Option<Range<u64>> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let from: u64 = from.parse().ok()?;
    let to = to.parse::<u64>().map_or(size, |to| (to + 1).min(size));
    Some(from.min(to)..to)
}
