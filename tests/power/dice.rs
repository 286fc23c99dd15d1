//! Chance that can be repeated: everything a test draws comes from one seed.

/// Draws numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below a bound, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("small")
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Dice of their own, for a task that must not disturb the others.
    pub fn fork(&mut self, label: u64) -> Self {
        Self(self.next() ^ label.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }
}

/// A number that depends on a seed and a place alone.
pub fn hash(seed: u64, place: u64) -> u64 {
    Dice(seed ^ place.wrapping_mul(0xff51_afd7_ed55_8ccd)).next()
}
