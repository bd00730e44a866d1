//! Names what a dialplan was read from, so that two servers, or a server and a file, can be compared.

use domain::PlanVersion;
use sha2::{Digest as _, Sha256};

/// Enough that no two readings of one region ever share them by chance.
const BYTES: usize = 6;

/// The SHA-256 (FIPS 180-4) of parts in their order, each with its length.
#[derive(Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn take(&mut self, part: &[u8]) {
        self.0.update(part.len().to_le_bytes());
        self.0.update(part);
    }

    pub(crate) fn version(self) -> PlanVersion {
        let digest = self.0.finalize();
        let digits: String = digest.iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect();
        PlanVersion::new(&digits)
    }
}
