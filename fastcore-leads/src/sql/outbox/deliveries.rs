use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};

use super::{EVENT, is_told, json, rows::SettledRow, signed};
use crate::{
    lead::Service,
    outbox::{CheckpointDelivery, Claim, Delivery, DeliveryFilter, DeliveryRecord, Settlement, Subscription},
    sql::inbox::{Dialect, Param, Statement},
    time,
};

impl Dialect {
    /// Enters a destination at the end of what has happened. Answers nothing.
    pub(in crate::sql) fn subscribe(self, destination: &str) -> Statement {
        let mut statement = Statement::new(self);
        let name = statement.text(destination);
        statement.text = Cow::Owned(format!(
            "INSERT INTO lead_destination (name, position) SELECT {name}, last_sequence FROM lead_sequencer WHERE true \
             ON CONFLICT (name) DO NOTHING"
        ));
        statement
    }

    /// Locks a destination's row, and waits for those who have it: whoever passed it over would not come back to it. Answers its
    /// position.
    pub(in crate::sql) fn lock_destination(self, destination: &str) -> Statement {
        let mut statement = Statement::new(self);
        let name = statement.text(destination);
        let lock = if self == Self::Postgres { " FOR UPDATE" } else { "" };
        statement.text = Cow::Owned(format!(
            "SELECT CAST(position AS text) AS answer FROM lead_destination WHERE name = {name}{lock}"
        ));
        statement
    }

    /// How many events there are behind a position, up to so many. Answers their number, and that of the last.
    pub(in crate::sql) fn ahead(self, position: i64, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (position, limit) = (statement.bind(Param::BigInt(position)), statement.bind(Param::BigInt(limit.into())));
        let answer = self.json_array("count(*), coalesce(max(sequence), 0)");
        statement.text = Cow::Owned(format!(
            "SELECT {answer} AS answer FROM (SELECT sequence FROM lead_event WHERE sequence > {position} \
             ORDER BY sequence LIMIT {limit}) AS ahead"
        ));
        statement
    }

    /// Enters deliveries of the events between two positions, and moves the destination on. Answer nothing.
    pub(in crate::sql) fn fan_out(self, subscription: &Subscription, position: i64, last: i64) -> [Statement; 2] {
        let mut insert = Statement::new(self);
        let name = insert.text(&subscription.destination);
        let now = insert.now();
        let (after, until) = (insert.bind(Param::BigInt(position)), insert.bind(Param::BigInt(last)));
        let mut conditions = vec![is_told(&subscription.events)];
        if !subscription.services.is_empty() {
            let services: Vec<_> =
                subscription.services.iter().map(|service: &Service| format!("'{service}'")).collect();
            conditions.push(format!("lead.service IN ({})", services.join(", ")));
        }
        if !subscription.sources.is_empty() {
            let sources: Vec<_> = subscription.sources.iter().map(|source| insert.text(source)).collect();
            conditions.push(format!("lead.source IN ({})", sources.join(", ")));
        }
        insert.text = Cow::Owned(format!(
            "INSERT INTO lead_delivery (destination, sequence, lead_id, due_at_utc) \
             SELECT {name}, event.sequence, event.lead_id, {now} \
               FROM lead_event AS event JOIN lead_inbox AS lead ON lead.id = event.lead_id \
              WHERE event.sequence > {after} AND event.sequence <= {until} AND {} \
              ORDER BY event.sequence \
                 ON CONFLICT (destination, sequence) DO NOTHING",
            conditions.join(" AND ")
        ));
        let mut advance = Statement::new(self);
        let (last, name) = (advance.bind(Param::BigInt(last)), advance.text(&subscription.destination));
        // It is told of leads, whatever it was told of before.
        advance.text = Cow::Owned(format!(
            "UPDATE lead_destination SET position = {last}, checkpoint_since_utc = NULL, checkpoint_attempts = 0 WHERE name = {name}"
        ));
        [insert, advance]
    }

    /// Has a destination rest, unless it does or is paused. Answers a row where it was changed.
    pub(in crate::sql) fn rest(self, destination: &str, pause: Duration) -> Statement {
        let mut statement = Statement::new(self);
        let until = statement.later(pause);
        let name = statement.text(destination);
        let now = statement.now();
        statement.text = Cow::Owned(format!(
            "UPDATE lead_destination SET rests_until_utc = {until} WHERE name = {name} AND paused_at_utc IS NULL \
             AND (rests_until_utc IS NULL OR rests_until_utc <= {now}) RETURNING name AS answer"
        ));
        statement
    }

    /// Deliveries that are due, locked. Answers [`DueRow`]s.
    pub(in crate::sql) fn due_deliveries(self, claim: &Claim) -> Statement {
        let mut statement = Statement::new(self);
        let name = statement.text(&claim.destination);
        let now = statement.now();
        let behind = claim.after.map_or_else(String::new, |place| {
            let due_at = statement.instant(place.due_at);
            let sequence = statement.bind(Param::BigInt(signed(place.sequence)));
            format!(" AND (delivery.due_at_utc, delivery.sequence) > ({due_at}, {sequence})")
        });
        let limit = statement.bind(Param::BigInt(claim.limit.into()));
        let answer = self.json_array(&format!("delivery.attempts, delivery.claim, delivery.due_at_utc, {EVENT}"));
        // Each is asked for by an index, whatever the planner thinks of the table, which changes faster than it looks.
        statement.text = Cow::Owned(format!(
            "SELECT {answer} AS answer FROM lead_delivery AS delivery \
               JOIN lead_event AS event ON event.sequence = delivery.sequence \
              WHERE delivery.destination = {name} AND delivery.state = 'due' AND delivery.due_at_utc <= {now}{behind} AND {} \
                AND (SELECT 1 FROM lead_destination WHERE name = {name} AND paused_at_utc IS NULL) IS NOT NULL \
                AND (SELECT 1 FROM lead_delivery AS older WHERE older.destination = delivery.destination \
                     AND older.lead_id = delivery.lead_id AND older.state = 'due' \
                     AND older.sequence < delivery.sequence LIMIT 1) IS NULL \
              ORDER BY delivery.due_at_utc, delivery.sequence LIMIT {limit}{}",
            is_told(&[]),
            self.skip_locked("delivery")
        ));
        statement
    }

    /// Takes deliveries that are locked. Answers nothing.
    pub(in crate::sql) fn take(self, claim: &Claim, deliveries: &[Delivery]) -> Statement {
        let mut statement = Statement::new(self);
        let until = statement.later(claim.lease);
        let name = statement.text(&claim.destination);
        let sequences: Vec<_> = deliveries.iter().map(|delivery| delivery.event.sequence).collect();
        let sequences = statement.text(&json(&sequences));
        let is_one = match self {
            Self::Postgres => {
                // An array, which the key's index takes: a join would read all that is due.
                format!(
                    "sequence = ANY(ARRAY(SELECT value::bigint FROM jsonb_array_elements_text({sequences}::jsonb) AS value))"
                )
            }
            Self::Sqlite => format!("sequence IN (SELECT value FROM json_each({sequences}))"),
        };
        statement.text = Cow::Owned(format!(
            "UPDATE lead_delivery SET due_at_utc = {until}, attempts = attempts + 1, claim = claim + 1 \
             WHERE destination = {name} AND {is_one}"
        ));
        statement
    }

    /// Notes what became of attempts. Answers a row for each that counted.
    pub(in crate::sql) fn settle(self, settlements: &[Settlement]) -> Statement {
        let mut statement = Statement::new(self);
        let at = time::now();
        let rows: Vec<_> = settlements.iter().map(|settlement| SettledRow::of(settlement, at)).collect();
        let rows = statement.text(&json(&rows));
        let now = statement.now();
        let (new, due_at, is_one) = match self {
            Self::Postgres => {
                let new = format!(
                    "jsonb_to_recordset({rows}::jsonb) AS new (destination text, sequence bigint, claim integer, \
                     state text, delay_ms bigint, due_at text, last_status integer)"
                );
                // By the key's index: a join alone would read all that is due.
                let is_one = format!(
                    " AND delivery.destination = ANY(ARRAY(SELECT destination FROM {new})) \
                      AND delivery.sequence = ANY(ARRAY(SELECT sequence FROM {new}))"
                );
                (new, "now() + new.delay_ms * interval '1 millisecond'".to_owned(), is_one)
            }
            Self::Sqlite => {
                let members = ["destination", "sequence", "claim", "state", "due_at", "last_status"]
                    .map(|member| format!("value ->> '$.{member}' AS {member}"));
                let new = format!("(SELECT {} FROM json_each({rows})) AS new", members.join(", "));
                (new, "new.due_at".to_owned(), String::new())
            }
        };
        statement.text = Cow::Owned(format!(
            "UPDATE lead_delivery AS delivery \
                SET state = new.state, last_status = new.last_status, \
                    due_at_utc = CASE WHEN new.state = 'due' THEN {due_at} ELSE delivery.due_at_utc END, \
                    settled_at_utc = CASE WHEN new.state = 'due' THEN NULL ELSE {now} END \
               FROM {new} \
              WHERE delivery.destination = new.destination AND delivery.sequence = new.sequence \
                AND delivery.claim = new.claim AND delivery.state = 'due'{is_one} \
             RETURNING CAST(attempts AS text) AS answer"
        ));
        statement
    }

    /// Takes the last checkpoint for a destination. Answers a [`CheckpointRow`](super::CheckpointRow) where there is a new one.
    pub(in crate::sql) fn claim_checkpoint(self, destination: &str, lease: Duration) -> Statement {
        let mut statement = Statement::new(self);
        let until = statement.later(lease);
        let name = statement.text(destination);
        let now = statement.now();
        let answer = self.json_array(
            "(SELECT audit_seal.checkpoint_size FROM audit_seal), (SELECT checkpoint FROM audit_seal), checkpoint_attempts, \
             checkpoint_claim",
        );
        statement.text = Cow::Owned(format!(
            "UPDATE lead_destination SET rests_until_utc = {until}, checkpoint_attempts = checkpoint_attempts + 1, \
                    checkpoint_claim = checkpoint_claim + 1, \
                    checkpoint_since_utc = coalesce(checkpoint_since_utc, {now}), \
                    position = (SELECT last_sequence FROM lead_sequencer) \
             WHERE name = {name} AND paused_at_utc IS NULL AND (rests_until_utc IS NULL OR rests_until_utc <= {now}) \
               AND checkpoint_size <> (SELECT audit_seal.checkpoint_size FROM audit_seal WHERE checkpoint IS NOT NULL) \
             RETURNING {answer} AS answer"
        ));
        statement
    }

    /// Notes whether a checkpoint arrived. Answers a row where that counted.
    pub(in crate::sql) fn settle_checkpoint(
        self,
        delivery: &CheckpointDelivery,
        has_arrived: bool,
        rest: Duration,
    ) -> Statement {
        let mut statement = Statement::new(self);
        let until = statement.later(rest);
        let name = statement.text(&delivery.destination);
        let claim = statement.bind(Param::BigInt(delivery.claim.into()));
        let arrived = if has_arrived {
            let size = statement.bind(Param::BigInt(signed(delivery.size)));
            format!(", checkpoint_size = {size}, checkpoint_attempts = 0, checkpoint_since_utc = NULL")
        } else {
            String::new()
        };
        statement.text = Cow::Owned(format!(
            "UPDATE lead_destination SET rests_until_utc = {until}{arrived} \
             WHERE name = {name} AND checkpoint_claim = {claim} AND checkpoint_attempts > 0 RETURNING name AS answer"
        ));
        statement
    }

    /// Pauses a destination, or ends its pause. Answers a row where that changed anything.
    pub(in crate::sql) fn pause(self, destination: &str, is_paused: bool) -> Statement {
        let mut statement = Statement::new(self);
        let at = if is_paused { statement.now() } else { "NULL".to_owned() };
        let name = statement.text(destination);
        let was = if is_paused { "IS NULL" } else { "IS NOT NULL" };
        statement.text = Cow::Owned(format!(
            "UPDATE lead_destination SET paused_at_utc = {at}, rests_until_utc = NULL WHERE name = {name} AND paused_at_utc {was} \
             RETURNING name AS answer"
        ));
        statement
    }

    /// How each destination stands. Answers [`StatusRow`]s.
    pub(in crate::sql) fn destinations(self) -> Statement {
        let due = "FROM lead_delivery WHERE destination = name AND state = 'due'";
        let answer = self.json_array(&format!(
            "name, position, paused_at_utc, \
             (SELECT count(*) {due}) + CASE WHEN checkpoint_since_utc IS NULL THEN 0 ELSE 1 END, \
             (SELECT count(*) FROM lead_delivery WHERE destination = name AND state = 'dead'), \
             coalesce(checkpoint_since_utc, \
                      (SELECT created_at_utc FROM lead_event WHERE sequence = (SELECT min(sequence) {due})))"
        ));
        Statement::of(self, format!("SELECT {answer} AS answer FROM lead_destination ORDER BY name"))
    }

    /// Deliveries that a filter shows, behind a place. Answers [`RecordRow`]s.
    pub(in crate::sql) fn deliveries(
        self,
        filter: &DeliveryFilter,
        after: Option<(u64, &str)>,
        limit: u32,
    ) -> Statement {
        let mut statement = Statement::new(self);
        let mut shown = statement.shown(filter);
        if let Some((sequence, destination)) = after {
            let (sequence, name) = (statement.bind(Param::BigInt(signed(sequence))), statement.text(destination));
            shown += &format!(" AND (delivery.sequence, delivery.destination) > ({sequence}, {name})");
        }
        let limit = statement.bind(Param::BigInt(limit.into()));
        let answer = self.json_array(&format!(
            "delivery.destination, delivery.state, delivery.attempts, delivery.due_at_utc, delivery.last_status, {EVENT}"
        ));
        statement.text = Cow::Owned(format!(
            "SELECT {answer} AS answer FROM lead_delivery AS delivery \
               JOIN lead_event AS event ON event.sequence = delivery.sequence \
              WHERE {shown} ORDER BY delivery.sequence, delivery.destination LIMIT {limit}"
        ));
        statement
    }

    /// Makes settled deliveries due. Answers nothing.
    pub(in crate::sql) fn replay(self, deliveries: &[DeliveryRecord]) -> Statement {
        let mut statement = Statement::new(self);
        let now = statement.now();
        let places: Vec<_> =
            deliveries.iter().map(|delivery| (signed(delivery.event.sequence), &delivery.destination)).collect();
        let places = statement.text(&json(&places));
        let is_one = match self {
            Self::Postgres => format!(
                "(destination, sequence) IN (SELECT place ->> 1, (place ->> 0)::bigint \
                 FROM jsonb_array_elements({places}::jsonb) AS place)"
            ),
            Self::Sqlite => format!(
                "(destination, sequence) IN (SELECT value ->> '$[1]', value ->> '$[0]' FROM json_each({places}))"
            ),
        };
        statement.text = Cow::Owned(format!(
            "UPDATE lead_delivery SET state = 'due', due_at_utc = {now}, attempts = 0, settled_at_utc = NULL \
             WHERE state <> 'due' AND {is_one}"
        ));
        statement
    }

    /// Removes deliveries of a destination, up to so many. Answers nothing.
    pub(in crate::sql) fn drop_deliveries(self, destination: &str, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (name, limit) = (statement.text(destination), statement.bind(Param::BigInt(limit.into())));
        statement.text = Cow::Owned(format!(
            "DELETE FROM lead_delivery WHERE destination = {name} AND sequence IN (SELECT sequence FROM lead_delivery \
             WHERE destination = {name} LIMIT {limit})"
        ));
        statement
    }

    /// Removes a destination. Answers a row where it was there.
    pub(in crate::sql) fn unsubscribe(self, destination: &str) -> Statement {
        let mut statement = Statement::new(self);
        let name = statement.text(destination);
        statement.text =
            Cow::Owned(format!("DELETE FROM lead_destination WHERE name = {name} RETURNING name AS answer"));
        statement
    }

    /// Removes settled deliveries that are older than an instant, up to so many. Answers nothing.
    pub(in crate::sql) fn forget(self, before: DateTime<Utc>, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (before, limit) = (statement.instant(before), statement.bind(Param::BigInt(limit.into())));
        statement.text = Cow::Owned(format!(
            "DELETE FROM lead_delivery WHERE (destination, sequence) IN (SELECT destination, sequence FROM lead_delivery \
             WHERE state IN ('delivered', 'skipped') AND settled_at_utc < {before} LIMIT {limit})"
        ));
        statement
    }
}

impl Statement {
    /// Whether a column is one of what a query reads; in PostgreSQL as an array, which an index takes whatever the planner thinks.
    fn one_of(&self, column: &str, query: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("{column} = ANY(ARRAY({query}))"),
            Dialect::Sqlite => format!("{column} IN ({query})"),
        }
    }

    /// Whether a filter shows a delivery.
    fn shown(&mut self, filter: &DeliveryFilter) -> String {
        let mut conditions = vec![is_told(&[])];
        if let Some(destination) = &filter.destination {
            conditions.push(format!("delivery.destination = {}", self.text(destination)));
        }
        if let Some(state) = filter.state {
            conditions.push(format!("delivery.state = '{state}'"));
        }
        if let Some(lead) = filter.lead_id {
            // By the keys of events and deliveries: there is no index of all deliveries by lead.
            let lead = self.id(lead.as_uuid());
            let audited = self.one_of("audit_id", &format!("SELECT id FROM audit_log WHERE lead_id = {lead}"));
            let told = format!("SELECT sequence FROM lead_event WHERE {audited}");
            conditions.push(self.one_of("delivery.sequence", &told));
            conditions.push(self.one_of("delivery.destination", "SELECT name FROM lead_destination"));
            conditions.push(format!("delivery.lead_id = {lead}"));
        }
        if let Some(since) = filter.since {
            conditions.push(format!("event.created_at_utc >= {}", self.instant(since)));
        }
        conditions.join(" AND ")
    }
}
