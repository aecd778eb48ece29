//! The table, with ratios beside the figures.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::load::Generator;

/// One run of one candidate at one number of connections.
pub(crate) struct Cell {
    pub(crate) leads_per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) cpu_per_thousand: f64,
    /// PostgreSQL's.
    pub(crate) server_cpu_per_thousand: f64,
    pub(crate) peak_mib: f64,
}

pub(crate) struct Report {
    names: Vec<&'static str>,
    connections: Vec<usize>,
    generators: Vec<Generator>,
    cells: BTreeMap<(Generator, usize, usize), Vec<Cell>>,
    pgbench: Option<(f64, usize)>,
    idle: Option<(Duration, Duration)>,
}

impl Report {
    pub(crate) fn new(
        names: Vec<&'static str>,
        connections: Vec<usize>,
        generators: Vec<Generator>,
        cells: BTreeMap<(Generator, usize, usize), Vec<Cell>>,
        pgbench: Vec<Option<(f64, usize)>>,
        idle: Option<(Duration, Duration)>,
    ) -> Self {
        let mut runs: Vec<_> = pgbench.into_iter().flatten().collect();
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let pgbench = (!runs.is_empty()).then(|| runs[runs.len() / 2]);
        Self { names, connections, generators, cells, pgbench, idle }
    }

    fn median(&self, cell: (Generator, usize, usize), figure: impl Fn(&Cell) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.cells[&cell].iter().map(figure).collect();
        median(&mut figures)
    }

    fn rate_of(&self, name: &str, generator: Generator, connections: usize) -> Option<f64> {
        let index = self.names.iter().position(|other| *other == name)?;
        Some(self.median((generator, index, connections), |cell| cell.leads_per_second))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n| connections | service | by | leads/s | p50 | p99 | CPU s per 1,000 | PostgreSQL's | peak MiB | x handwritten | x pgbench | x parse-only |"
        )?;
        writeln!(f, "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for (c, connections) in self.connections.iter().enumerate() {
            let pairs =
                self.names.iter().enumerate().flat_map(|pair| self.generators.iter().map(move |by| (pair, *by)));
            for ((i, name), by) in pairs {
                let of = |figure: fn(&Cell) -> f64| self.median((by, i, c), figure);
                let rate = of(|cell| cell.leads_per_second);
                let ratio = |to: Option<f64>| to.map_or_else(|| "-".to_owned(), |to| format!("{:.2}", rate / to));
                writeln!(
                    f,
                    "| {connections} | {name} | {} | {rate:.0} | {} | {} | {:.3} | {:.3} | {:.1} | {} | {} | {} |",
                    by.name(),
                    millis(of(|cell| cell.p50.as_secs_f64())),
                    millis(of(|cell| cell.p99.as_secs_f64())),
                    of(|cell| cell.cpu_per_thousand),
                    of(|cell| cell.server_cpu_per_thousand),
                    of(|cell| cell.peak_mib),
                    ratio(self.rate_of("handwritten-axum-sqlx", by, c)),
                    ratio(self.pgbench.map(|(tps, _)| tps)),
                    ratio(self.rate_of("parse-only", by, c)),
                )?;
            }
        }
        if let Some((tps, clients)) = self.pgbench {
            writeln!(f, "\npgbench, the same two inserts, best at {clients} clients: {tps:.0}/s")?;
        } else {
            writeln!(f, "\npgbench: not there")?;
        }
        if let Some((direct, queued)) = self.idle {
            let ratio = queued.as_secs_f64() / direct.as_secs_f64();
            writeln!(
                f,
                "one lead at a time, without HTTP: direct insert {}, through the queue {}, ratio {ratio:.2}",
                millis(direct.as_secs_f64()),
                millis(queued.as_secs_f64())
            )?;
        }
        Ok(())
    }
}

fn millis(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1000.0)
}

/// The value in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
