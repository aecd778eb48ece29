//! What a request costs before it is queued: parse and validate the sample lead, check a token.
//!
//! `cargo bench -p fastcore-leads --bench parse`. Prints times and, for each, how often it allocates.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use divan::{AllocProfiler, Bencher, black_box};
use fastcore_leads::{ConsentPolicy, EmailAddress, Lead, SAMPLE_LEAD, TokenSet};
use http::{HeaderMap, header::AUTHORIZATION};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const TOKEN: &str = "0171bf3bb3b8e0b1ca5e04e7384a022ba2c6f5330304cbb89f250fb0851118f5";

fn main() {
    divan::main();
}

#[divan::bench]
fn parse_and_validate(bencher: Bencher<'_, '_>) {
    bencher.bench(|| Lead::parse(black_box(SAMPLE_LEAD.as_bytes()), ConsentPolicy::Recorded).unwrap());
}

#[divan::bench(args = [1, 8])]
fn check_a_token(bencher: Bencher<'_, '_>, tokens: usize) {
    let list: Vec<_> = (1..tokens).map(|i| format!("{i:032}")).chain([TOKEN.to_owned()]).collect();
    let set = TokenSet::parse(&list.join(",")).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap());
    bencher.bench(|| set.authenticate(black_box(&headers)).unwrap());
}

#[divan::bench]
fn parse_validate_and_check_a_token(bencher: Bencher<'_, '_>) {
    let set = TokenSet::parse(TOKEN).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap());
    bencher.bench(|| {
        let grant = set.authenticate(black_box(&headers)).unwrap();
        (grant, Lead::parse(black_box(SAMPLE_LEAD.as_bytes()), ConsentPolicy::Recorded).unwrap())
    });
}

#[divan::bench(args = ["jean@example.com", "élodie@bücher.example"])]
fn email(bencher: Bencher<'_, '_>, address: &str) {
    bencher.bench(|| EmailAddress::parse(black_box(address)).unwrap());
}
