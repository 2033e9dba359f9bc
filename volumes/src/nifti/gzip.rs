//! Gzip data made by many threads.

use std::io::{self, Write};
use std::mem;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use rayon::prelude::*;

/// Decompressed bytes of a block; what threads share out. The same for any number of threads, and so are the bytes written.
const BLOCK: usize = 1 << 18;
/// Blocks that are compressed at once: what is kept in memory.
const BLOCKS: usize = 32;

/// Writes one gzip member whose blocks are compressed in parallel, on rayon's current pool. As in `pigz`, each block begins with an empty
/// dictionary and ends at a byte, so that the blocks make one deflate stream (RFC 1951) that any program reads.
pub(crate) struct ParallelGzip<W> {
    file: W,
    pending: Vec<u8>,
    checksum: Crc,
}

impl<W: Write> ParallelGzip<W> {
    pub(crate) fn new(mut file: W) -> io::Result<Self> {
        // RFC 1952: magic, deflate, no flags, no time, no hints, an unknown system. Nothing that changes from run to run.
        file.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])?;
        Ok(Self { file, pending: Vec::new(), checksum: Crc::new() })
    }

    fn compress_pending(&mut self) -> io::Result<()> {
        let pending = mem::take(&mut self.pending);
        let blocks: Vec<io::Result<(Vec<u8>, Crc)>> = pending.par_chunks(BLOCK).map(compress).collect();
        for block in blocks {
            let (compressed, checksum) = block?;
            self.file.write_all(&compressed)?;
            self.checksum.combine(&checksum);
        }
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    /// Ends the member; the file behind it.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.compress_pending()?;
        // An empty last block.
        self.file.write_all(&[3, 0])?;
        self.file.write_all(&self.checksum.sum().to_le_bytes())?;
        self.file.write_all(&self.checksum.amount().to_le_bytes())?;
        Ok(self.file)
    }
}

impl<W: Write> Write for ParallelGzip<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = buffer.len().min(BLOCK * BLOCKS - self.pending.len());
        self.pending.extend_from_slice(&buffer[..count]);
        if self.pending.len() == BLOCK * BLOCKS {
            self.compress_pending()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A block as a deflate stream without an end, and its checksum.
fn compress(block: &[u8]) -> io::Result<(Vec<u8>, Crc)> {
    let mut checksum = Crc::new();
    checksum.update(block);
    let mut stream = Compress::new(Compression::default(), false);
    let mut compressed = Vec::with_capacity(block.len() / 4 + 1024);
    loop {
        let rest = &block[stream.total_in() as usize..];
        let status = stream.compress_vec(rest, &mut compressed, FlushCompress::Sync).map_err(io::Error::other)?;
        // Room that was left means that all of it is written.
        if stream.total_in() as usize == block.len() && compressed.len() < compressed.capacity() {
            return Ok((compressed, checksum));
        }
        if status == Status::StreamEnd {
            return Err(io::Error::other("the deflate stream ended early"));
        }
        compressed.reserve(block.len() / 4 + 1024);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn compressed(parts: &[&[u8]]) -> Vec<u8> {
        let mut gzip = ParallelGzip::new(Vec::new()).unwrap();
        for part in parts {
            gzip.write_all(part).unwrap();
        }
        gzip.finish().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn one_member_gives_the_bytes_back(seed: u64, length in prop_oneof![0..9_usize, Just(BLOCK), 0..9 * BLOCK], noise: bool) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if noise { (state >> 56) as u8 } else { (state >> 62) as u8 }
            };
            let bytes: Vec<u8> = (0..length).map(|_| next()).collect();
            let gzip = compressed(&[&bytes]);
            let mut back = Vec::new();
            // Not the decoder of several members.
            flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut back).unwrap();
            prop_assert!(back == bytes);
            let (start, end) = bytes.split_at(length / 3);
            prop_assert!(compressed(&[start, end]) == gzip);
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            prop_assert!(one.install(|| compressed(&[&bytes])) == gzip);
        }
    }
}
