//! Leads that nobody answers.

use std::time::Duration;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, TimeDelta, Timelike, Utc, Weekday};
use fastcore_leads::{
    Actor, LeadInbox, LeadStatus, LeadStore, MemoryLeadStore, NewLead, chrono,
    inbox::{InboxExt, InvalidServiceLevel, ServiceLevel, WorkHours},
    outbox::{Dispatcher, EventType, Subscription},
    testing::{body, parse},
};
use proptest::prelude::*;

use super::{Receiver, known, quick, subscription, until};

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn around_the_clock(limit: Duration) -> ServiceLevel {
    ServiceLevel::new(limit, WorkHours::new(Utc, WEEK, 0..24 * 60).unwrap()).unwrap()
}

/// A lead that came so long ago.
async fn received(store: &MemoryLeadStore, ago: TimeDelta) -> fastcore_leads::LeadId {
    let new = NewLead::received_at(parse(&body()), Actor::SITE_INGEST, Utc::now() - ago);
    let id = new.id();
    store.insert(&[new]).await.unwrap();
    id
}

#[tokio::test]
async fn a_lead_that_waits_for_too_long_is_told_of_once() {
    let (store, receiver) = (MemoryLeadStore::new(), Receiver::content());
    let wanted = Subscription { events: vec![EventType::Unanswered], ..subscription("chief") };
    let destination = fastcore_leads::outbox::Destination::webhook(wanted, receiver.webhook()).schedule(quick(3));
    let hour = TimeDelta::hours(1);
    let build = || {
        Dispatcher::builder(store.clone())
            .poll(Duration::from_millis(1))
            .destination(destination.clone())
            .service_level(around_the_clock(Duration::from_secs(3600)))
    };
    let dispatcher = build().start();
    known(&store, 1).await;
    let ancient = received(&store, TimeDelta::days(31)).await;
    let (first, second) = (received(&store, hour * 3).await, received(&store, hour * 2).await);
    let worked = received(&store, TimeDelta::minutes(10)).await;
    until("two are told", async || receiver.requests().len() == 2).await;
    // Another one begins at the start.
    dispatcher.shutdown().await;
    let dispatcher = build().start();
    let third = received(&store, hour * 4).await;
    until("one more is told", async || receiver.requests().len() == 3).await;
    dispatcher.shutdown().await;
    let mut told: Vec<_> =
        receiver.bodies().iter().map(|body| body["data"]["lead_id"].as_str().unwrap().to_owned()).collect();
    told[..2].sort_unstable();
    let mut expected = [first.to_string(), second.to_string()];
    expected.sort_unstable();
    assert_eq!((&told[..2], &told[2]), (&expected[..], &third.to_string()));
    assert!(
        receiver.bodies().iter().all(|body| body["type"] == "lead.unanswered" && body["data"]["status"] == "received")
    );
    for untold in [ancient, worked] {
        assert_eq!(store.audit_trail(untold).await.unwrap().len(), 1);
    }
    let noted = store.audit_trail(first).await.unwrap().pop().unwrap();
    assert_eq!((noted.event.as_str(), noted.actor.as_str()), ("LEAD_UNANSWERED", "service_level"));
    // It can be worked on as any other.
    let marie = Actor::new("marie").unwrap();
    store.transition(first, LeadStatus::Received, LeadStatus::Processing, marie, None).await.unwrap();
}

#[test]
fn what_cannot_be_is_refused() {
    let hours = || WorkHours::new(Utc, WEEK, 0..24 * 60).unwrap();
    for limit in [0, 59, 1000 * 3600 + 1, u64::MAX] {
        let refused = ServiceLevel::new(Duration::from_secs(limit), hours()).unwrap_err();
        assert_eq!(refused, InvalidServiceLevel::Limit);
    }
    for (days, minutes) in [(&WEEK[..0], 0..60), (&WEEK[..], 60..60), (&WEEK[..], 0..24 * 60 + 1)] {
        assert!(WorkHours::new(Utc, days.iter().copied(), minutes).is_err());
    }
    let never = WorkHours::new(Utc, [Weekday::Mon], 0..1).unwrap();
    let level = ServiceLevel::new(Duration::from_secs(1000 * 3600), never).unwrap();
    assert_eq!(level.overdue_before("2026-11-27T12:00:00Z".parse().unwrap()), None, "not in ten years");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Counted minute by minute.
    #[test]
    fn an_instant_is_overdue_after_so_many_minutes_of_work(
        now in 0i64..60 * 24 * 365, days in prop::sample::subsequence(WEEK.to_vec(), 1..=7), opens in 0u32..1439,
        length in 1u32..1440, limit in 1u32..6000, east in -12i32..=14, holiday in 0u64..365,
    ) {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let now = start + TimeDelta::minutes(now);
        let zone = FixedOffset::east_opt(east * 3600).unwrap();
        let closes = (opens + length).min(24 * 60);
        let holiday = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::Days::new(holiday);
        let hours = WorkHours::new(zone, days.clone(), opens..closes).unwrap().holidays([holiday]);
        let level = ServiceLevel::new(Duration::from_secs(u64::from(limit) * 60), hours).unwrap();
        let (mut counted, mut minute) = (0, now);
        while counted < limit {
            minute -= TimeDelta::minutes(1);
            let shown = minute.with_timezone(&zone);
            let of_day = shown.hour() * 60 + shown.minute();
            let is_work = days.contains(&shown.weekday()) && shown.date_naive() != holiday && (opens..closes).contains(&of_day);
            counted += u32::from(is_work);
            if now - minute > TimeDelta::days(3000) {
                return Ok(());
            }
        }
        prop_assert_eq!(level.overdue_before(now), Some(minute));
    }
}
