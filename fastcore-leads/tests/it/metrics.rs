//! What the workflow reports through the `metrics` facade, and in traces.

#![allow(clippy::float_cmp, reason = "counts")]

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
};

use fastcore_leads::{
    Actor, Endpoint, Ingest, IngestError, MemoryLeadStore, StoreErrorKind, TokenSet, metrics,
    testing::{Logs, TOKEN, body, lead, post},
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tracing::{Id, Instrument, Subscriber};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use crate::{
    many::polled_once,
    scripted::{Scripted, named, settle},
};

/// Runs with a recorder of its own.
fn recorded<F: Future>(scenario: impl FnOnce(Snapshotter) -> F) -> F::Output {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    ::metrics::with_local_recorder(&recorder, || {
        metrics::describe();
        runtime.block_on(scenario(snapshotter))
    })
}

/// Values by name and labels, such as `name{outcome=received}`; of a histogram its values.
fn read(snapshotter: &Snapshotter) -> HashMap<String, Vec<f64>> {
    let mut values = HashMap::new();
    for (key, unit, description, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        let labels: Vec<_> = key.labels().map(|label| format!("{{{}={}}}", label.key(), label.value())).collect();
        assert!(description.is_some(), "{} is not described", key.name());
        assert!(unit.is_some() || key.name() == metrics::SETTING, "{} has no unit", key.name());
        let value = match value {
            #[allow(clippy::cast_precision_loss, reason = "a few")]
            DebugValue::Counter(count) => vec![count as f64],
            DebugValue::Gauge(value) => vec![value.into_inner()],
            DebugValue::Histogram(values) => values.into_iter().map(f64::from).collect(),
        };
        values.insert(format!("{}{}", key.name(), labels.concat()), value);
    }
    values
}

#[test]
fn outcomes_queue_batches_and_settings_are_reported() {
    recorded(|snapshotter| async move {
        let store = Scripted::new(0, &[(StoreErrorKind::Contention, false)]);
        store.poison.lock().unwrap().insert("poison".to_owned());
        let ingest = Ingest::builder(Arc::clone(&store)).writers(1).max_batch(8).queue_capacity(5).start();
        let spawn = |lead| {
            let ingest = ingest.clone();
            tokio::spawn(async move { ingest.ingest(lead, Actor::SITE_INGEST).await })
        };
        let first = lead();
        let mut calls = vec![spawn(first.clone())];
        settle().await;
        calls.extend([spawn(first.clone()), spawn(named("poison")), spawn(lead()), spawn(lead()), spawn(lead())]);
        settle().await;
        assert_eq!(ingest.ingest(lead(), Actor::SITE_INGEST).await, Err(IngestError::Unavailable));
        let before = read(&snapshotter);
        assert_eq!(before[metrics::QUEUE_LEADS], [5.0]);
        assert!(before[metrics::QUEUE_BYTES][0] > 1000.0);
        assert_eq!(before[metrics::QUEUE_REFUSED], [1.0]);
        for (name, value) in [("queue_capacity", 5.0), ("max_batch", 8.0), ("writers", 1.0), ("deadline_seconds", 2.0)]
        {
            assert_eq!(before[&format!("{}{{name={name}}}", metrics::SETTING)], [value]);
        }

        store.gate.add_permits(100);
        for call in calls {
            let _ = call.await.unwrap();
        }
        let after = read(&snapshotter);
        let outcome = |name| after[&format!("{}{{outcome={name}}}", metrics::LEADS)][0];
        assert_eq!((outcome("received"), outcome("replayed"), outcome("internal")), (4.0, 1.0, 1.0));
        // Each reading starts from nothing again.
        for gauge in [metrics::QUEUE_LEADS, metrics::QUEUE_BYTES] {
            assert_eq!(before[gauge][0] + after[gauge][0], 0.0, "{gauge}");
        }
        let result = |name| after[&format!("{}{{result={name}}}", metrics::TRANSACTIONS)][0];
        assert_eq!(result("contention"), 1.0);
        assert!(result("rejected") >= 1.0);
        let batches = &after[metrics::BATCH_LEADS];
        assert_eq!(batches.iter().sum::<f64>(), 5.0, "{batches:?}");
        assert_eq!(after[metrics::COMMIT_DURATION].len(), batches.len());
        assert_eq!(after[&format!("{}{{outcome=received}}", metrics::DURATION)].len(), 4);
    });
}

/// A site whose new version breaks fields is seen; so is what waits in quarantine.
#[test]
fn refusals_and_quarantine_are_reported() {
    recorded(|snapshotter| async move {
        let tokens = TokenSet::parse(TOKEN).unwrap();
        let endpoint = Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), tokens);
        let before = read(&snapshotter);
        let refused = |values: &HashMap<String, Vec<f64>>, problem: &str, code: &str| {
            values[&format!("{}{{problem={problem}}}{{code={code}}}", metrics::REFUSED)][0]
        };
        assert_eq!(refused(&before, "validation_error", "email_invalid"), 0.0, "there from the start");
        let mut broken = body();
        broken["email"] = "nobody".into();
        broken["name"] = "x".into();
        broken["message"] = "short".into();
        for sent in [broken.to_string(), broken.to_string(), "{".to_owned()] {
            endpoint.handle(post(sent)).await;
        }
        let mut suspicious = body();
        suspicious["meta"]["suspicion"] = vec!["honeypot"].into();
        for _ in 0..2 {
            assert_eq!(endpoint.handle(post(suspicious.to_string())).await.status(), 201);
        }
        let after = read(&snapshotter);
        for (problem, code, times) in [
            ("validation_error", "email_invalid", 2.0),
            ("validation_error", "too_short", 2.0),
            ("validation_error", "too_long", 0.0),
            ("malformed_body", "", 1.0),
            ("unauthorized", "", 0.0),
        ] {
            assert_eq!(refused(&after, problem, code), times, "{problem} {code}");
        }
        for (outcome, leads) in [("received", 0.0), ("quarantined", 1.0), ("replayed", 1.0)] {
            assert_eq!(after[&format!("{}{{outcome={outcome}}}", metrics::LEADS)], [leads], "{outcome}");
        }
    });
}

/// Committed, and the caller's future dropped before it was polled again: counted, and logged, all the same.
#[test]
fn what_a_dropped_caller_did_not_hear_is_told() {
    for by_import in [false, true] {
        recorded(|snapshotter| async move {
            let ingest = Ingest::builder(Scripted::open()).start();
            let actor = Actor::SITE_INGEST;
            let mut call: Pin<Box<dyn Future<Output = usize>>> = if by_import {
                Box::pin(async { ingest.ingest_many([lead()], actor).await.len() })
            } else {
                Box::pin(async { usize::from(ingest.ingest(lead(), actor).await.is_ok()) })
            };
            assert!(polled_once(call.as_mut()).await.is_none());
            // The writers get their turn, the caller does not.
            settle().await;
            drop(call);
            let told = read(&snapshotter);
            assert_eq!(told[&format!("{}{{outcome=received}}", metrics::LEADS)], [1.0]);
            assert_eq!(told[metrics::QUEUE_BYTES], [0.0]);
        });
    }
}

/// Which span follows from which, by name.
#[derive(Clone, Default)]
struct Links(Arc<Mutex<Vec<(&'static str, &'static str)>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Links {
    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        let name = |id| context.span(id).unwrap().name();
        self.0.lock().unwrap().push((name(span), name(follows)));
    }
}

#[test]
fn traces_lead_from_a_request_to_its_transaction() {
    // Keeps the spans enabled whatever other tests of this process install and drop meanwhile.
    Logs::global();
    let (logs, links) = (Logs::default(), Links::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let run = || {
        runtime.block_on(async {
            let ingest = Ingest::builder(fastcore_leads::MemoryLeadStore::new()).start();
            let request = tracing::info_span!("request");
            ingest.ingest(lead(), Actor::SITE_INGEST).instrument(request).await.unwrap();
        });
    };
    // Now and then a span is lost to a subscriber that another test installs at that moment: then once more.
    for _ in 0..20 {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(links.clone()), run);
        if !links.0.lock().unwrap().is_empty() {
            break;
        }
    }
    assert_eq!(links.0.lock().unwrap().first(), Some(&("lead batch", "request")));
    for _ in 0..20 {
        tracing::subscriber::with_default(logs.clone(), run);
    }
    let told = logs.lines();
    for text in
        ["ingest workflow started", "max_batch=256", "batch committed leads=1 attempt=1 elapsed_us=", "leads=1 bytes="]
    {
        assert!(told.iter().any(|line| line.contains(text)), "{text}: {told:?}");
    }
}
