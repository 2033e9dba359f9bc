//! A server that answers as no store does.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use swath::Location;

/// Sends the whole file, whatever part of it is asked for, and cannot give files with a certain ending.
pub(crate) struct OddServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl OddServer {
    /// Serves the files of a folder until the process ends.
    pub(crate) fn start(folder: &Path, failing: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::default());
        let (folder, asked): (PathBuf, _) = (folder.to_owned(), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, asked) = (folder.clone(), Arc::clone(&asked));
                thread::spawn(move || answer(&folder, failing, &asked, stream.unwrap()));
            }
        });
        Self { address, requests }
    }

    /// Where a file is.
    pub(crate) fn location(&self, name: &str) -> Location {
        format!("http://{}/{name}", self.address).parse().unwrap()
    }

    /// The paths that were asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers one request and closes the connection.
fn answer(folder: &Path, failing: &str, asked: &Mutex<Vec<String>>, mut stream: TcpStream) {
    let head: Vec<String> =
        BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    asked.lock().unwrap().push(path.to_owned());
    let file = fs::read(folder.join(path.trim_start_matches('/')));
    let (status, body) = match file {
        _ if path.ends_with(failing) => ("503 Service Unavailable", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: \"{length}\"\r\nConnection: close\r\n\r\n");
    // Who asked may have had enough of it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}
