//! What something costs the ingest: as many leads as can be taken in, with it and without.

use std::time::Duration;

use fastcore_leads::testing::postgres::Cluster;

use crate::{candidates::SERVE, load::Load, process::Service, report::median};

/// A table: a service with these options, and one without, in turns. Each options are for one start.
pub(crate) async fn measure(
    cluster: &Cluster,
    with: &str,
    seconds: Duration,
    rounds: usize,
    options: impl Fn() -> Vec<String>,
) {
    println!(
        "| ingest | connections | without, leads/s | with {with}, leads/s | ratio |\n| --- | ---: | ---: | ---: | ---: |"
    );
    for connections in [1, 16, 64] {
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..rounds * 2 {
            // Each goes first in every other round.
            for which in [round % 2, 1 - round % 2] {
                let place = SERVE.place(cluster);
                let options = if which == 1 { options() } else { Vec::new() };
                let options: Vec<&str> = options.iter().map(String::as_str).collect();
                let service = Service::start_with(&SERVE, &place, &options);
                let load = Load { connections, warm_up: Duration::from_millis(500), seconds };
                let address = service.address();
                let result = tokio::task::spawn_blocking(move || load.run(address)).await.expect("it ran");
                rates[which].push(result.per_second);
            }
        }
        let [without, with] = &mut rates;
        let (without, with) = (median(without), median(with));
        println!("| sqlx-axum | {connections} | {without:.0} | {with:.0} | {:.2} |", with / without);
    }
}
