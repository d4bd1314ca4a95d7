//! Seeded chance: `SplitMix64` (Steele, Lea and Flood 2014, OOPSLA), which is
//! three lines, passes `BigCrush` and is the same on every machine.

/// A stream of pretended chance.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed; `salt` gives each user a stream of its own.
    pub fn new(seed: u64, salt: &str) -> Self {
        // FNV-1a over the salt, so that two users of one seed do not move together.
        let mixed = salt.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Random(seed ^ mixed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly between 0 (included) and 1 (not).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_another_salt_another() {
        let draw = |seed, salt| {
            let mut random = Random::new(seed, salt);
            [random.bits(), random.bits()]
        };
        assert_eq!(draw(7, "ford"), draw(7, "ford"));
        assert_ne!(draw(7, "ford"), draw(7, "weir"));
    }

    #[test]
    fn normal_draws_have_mean_nought_and_deviation_one() {
        let mut random = Random::new(1, "moments");
        let draws: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
