//! Property tests that run for a while: a second each, or `NETPOLC_FUZZ_SECONDS`.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::time::{Duration, Instant};

/// Runs a property on random values until the time is over, at least 1000 of them.
///
/// The seeds are the same in every run; a longer run begins with the values of the shorter one.
pub(crate) fn run<S: Strategy>(strategy: S, property: impl Fn(S::Value)) {
    let seconds = std::env::var("NETPOLC_FUZZ_SECONDS").ok().and_then(|it| it.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(1));
    for seed in 0u64.. {
        let config = Config { cases: 1000, failure_persistence: None, ..Config::default() };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let outcome = TestRunner::new_with_rng(config, rng).run(&strategy, |value| {
            property(value);
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
        if Instant::now() >= end {
            return;
        }
    }
}
