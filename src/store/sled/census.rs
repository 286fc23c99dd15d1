//! A count over all blocks, kept with the checkpoint: tells at start-up whether
//! the blocks are those that the checkpoint left.

/// How many blocks there are, and a sum over them: whether any was lost or went
/// back to an older version.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Census {
    /// How many.
    pub(super) blocks: u64,
    /// Sum of a number per block, of its key and value.
    pub(super) sum: u64,
}

impl Census {
    fn number(key: &[u8], value: &[u8]) -> u64 {
        let pair = u64::from(crc32fast::hash(key)) << 32 | u64::from(crc32fast::hash(value));
        // Spreads the pair over 64 bits, so that sums of different blocks differ.
        let mixed = (pair ^ pair >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ mixed >> 33
    }

    /// Counts a block in.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.blocks += 1;
        self.sum = self.sum.wrapping_add(Self::number(key, value));
    }

    /// Counts a block out.
    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.blocks -= 1;
        self.sum = self.sum.wrapping_sub(Self::number(key, value));
    }
}
