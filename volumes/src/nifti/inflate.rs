//! Gzip files of any number of members.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::mem;
use std::path::Path;

use flate2::bufread::GzDecoder;

/// Decompresses a gzip file: all its members one after the other (as `bgzip`, `pigz` and `cat` make them), zeros after them left out. What
/// else comes after the last member, as it does on tapes and after broken transfers, is no part of it, and [`tail`](Self::tail) tells of it.
pub(crate) struct Inflate {
    state: State,
    tail: Option<u64>,
}

enum State {
    Member { decoder: Box<GzDecoder<BufReader<File>>>, first: bool, produced: bool },
    End,
}

impl Inflate {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let decoder = Box::new(GzDecoder::new(BufReader::with_capacity(1 << 16, File::open(path)?)));
        Ok(Self { state: State::Member { decoder, first: true, produced: false }, tail: None })
    }

    /// Where in the file something begins that is no gzip data, once the end has been read.
    pub(crate) fn tail(&self) -> Option<u64> {
        self.tail
    }

    /// Goes on after a member.
    fn next_member(&mut self, mut file: BufReader<File>) -> io::Result<()> {
        loop {
            let zeros = match file.fill_buf()? {
                [] => return Ok(()),
                [0, ..] => file.buffer().iter().take_while(|byte| **byte == 0).count(),
                [0x1f, ..] => {
                    self.state = State::Member { decoder: Box::new(GzDecoder::new(file)), first: false, produced: false };
                    return Ok(());
                }
                _ => {
                    self.tail = Some(file.stream_position()?);
                    return Ok(());
                }
            };
            file.consume(zeros);
        }
    }
}

impl Read for Inflate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let State::Member { decoder, first, produced } = &mut self.state else { return Ok(0) };
            match decoder.read(buffer) {
                Ok(0) if buffer.is_empty() => return Ok(0),
                Ok(0) => {
                    let State::Member { decoder, .. } = mem::replace(&mut self.state, State::End) else { return Ok(0) };
                    self.next_member(decoder.into_inner())?;
                }
                Ok(count) => {
                    *produced = true;
                    return Ok(count);
                }
                // It began like a member, but is none.
                Err(_) if !*first && !*produced && decoder.header().is_none() => {
                    self.tail = Some(decoder.get_mut().stream_position()?);
                    self.state = State::End;
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
