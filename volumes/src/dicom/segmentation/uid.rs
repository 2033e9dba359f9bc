//! Unique identifiers.

use sha2::{Digest as _, Sha256};

/// The identifier of something by what it is made of: as it has to be unique, and the same for the same. It is that of a UUID of version 8
/// (RFC 9562) with the first bits of a SHA-256 (PS3.5, B.2).
pub(super) fn uid(what: &str, digest: &[u8]) -> String {
    let hash = Sha256::new().chain_update(what).chain_update([0]).chain_update(digest).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}
