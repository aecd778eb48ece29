use uuid::Uuid;

/// Pseudo-random numbers (xorshift64*) from a seed that a failing test has printed: set `SEED` to repeat it.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Takes the seed of the environment variable `SEED`, or a fresh one, and prints it: a failing test shows it.
    #[allow(clippy::print_stderr, reason = "a failing run is repeated with its seed")]
    pub fn from_env() -> Self {
        let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| Uuid::now_v7().as_u64_pair().1);
        eprintln!("SEED={seed}");
        Self::new(seed)
    }

    /// Numbers that follow from the seed.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds start far apart, and none at zero, where xorshift would stay.
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D | 1 }
    }

    /// A number from 0 up to, but not including, `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let drawn = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(drawn).unwrap_or_default() % end.max(1)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
