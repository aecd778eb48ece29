//! The statements behind [`LeadInbox::search`](crate::LeadInbox::search), for both databases. Each answers one text a row, `answer`,
//! which is JSON, unless it says otherwise.
//!
//! Each word stands in the index behind the number of a bucket, which holds the leads of [`BUCKET`] places. So the newest leads are
//! found first, and however common a word is, or the beginning of words, no more of it is read than of some buckets.

use std::{borrow::Cow, ops::RangeInclusive};

use serde::Serialize;
use uuid::Uuid;

use super::{
    inbox::{COLUMNS, Dialect, Param, Statement},
    outbox::signed,
};
use crate::{
    inbox::{LeadFilter, Search, words_of},
    store::StoredLead,
};

/// How many places a bucket has.
pub(crate) const BUCKET: u64 = 4096;

/// How far leads have been entered: the last place, the number of the last event, and the last id of those that are older than the
/// index, which is none once all of them have been.
pub(crate) type Progress = (u64, i64, Option<String>);

/// The last place, whether all leads are entered, and whether those are that are older than the index.
pub(crate) type Searched = (u64, bool, bool);

impl Dialect {
    /// Locks the row of progress. Answers [`Progress`]; nothing while somebody else has it.
    pub(crate) fn lock_search(self) -> Statement {
        let answer = match self {
            Self::Postgres => "last_place, position, older_after::text",
            Self::Sqlite => "last_place, position, older_after",
        };
        let lock = if self == Self::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
        let array = self.json_array(answer);
        Statement::of(self, format!("SELECT {array} AS answer FROM lead_search_progress{lock}"))
    }

    /// Where a search begins. Answers [`Searched`].
    pub(crate) fn searched(self) -> Statement {
        Statement::of(
            self,
            match self {
                // In a function, which PostgreSQL does not compile: that would take longer than all else.
                Self::Postgres => "SELECT lead_search_state() AS answer",
                Self::Sqlite => {
                    "SELECT json_array(last_place, json(iif(
                                older_after IS NULL AND position >= last_sequence AND NOT EXISTS (
                                    SELECT 1 FROM audit_log AS audited
                                     WHERE audited.rowid > coalesce((SELECT rowid FROM audit_log WHERE id = lead_sequencer.mark), 0)
                                       AND (SELECT 1 FROM lead_event WHERE lead_event.audit_id = audited.id) IS NULL),
                                'true', 'false')), json(iif(older_after IS NULL, 'true', 'false'))) AS answer
                       FROM lead_search_progress, lead_sequencer"
                }
            },
        )
    }

    /// Leads with ids behind one. Columns: those of [`StoredLead`].
    pub(crate) fn older_leads(self, after: &str, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (after, limit) = (statement.text(after), statement.bind(Param::BigInt(limit.into())));
        let cast = if self == Self::Postgres { "::text::uuid" } else { "" };
        statement.text =
            Cow::Owned(format!("SELECT {COLUMNS} FROM lead_inbox WHERE id > {after}{cast} ORDER BY id LIMIT {limit}"));
        statement
    }

    /// Of which leads events tell, behind a number, in order. Answers number and lead.
    pub(crate) fn told_leads(self, after: i64, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (after, limit) = (statement.bind(Param::BigInt(after)), statement.bind(Param::BigInt(limit.into())));
        let array = self.json_array("sequence, lead_id");
        statement.text = Cow::Owned(format!(
            "SELECT {array} AS answer FROM lead_event WHERE sequence > {after} ORDER BY sequence LIMIT {limit}"
        ));
        statement
    }

    /// Enters leads behind a place; those that are entered are left. Answer nothing.
    pub(crate) fn enter(self, leads: &[StoredLead], last_place: u64) -> Vec<Statement> {
        let rows: Vec<_> = leads.iter().zip(last_place + 1..).map(|(lead, place)| Row::of(lead, place)).collect();
        // Structs of texts and numbers always serialise.
        let rows = serde_json::to_string(&rows).unwrap_or_default();
        match self {
            Self::Postgres => {
                let text = "INSERT INTO lead_search (place, lead_id, words)
                     SELECT place, lead_id, array_to_tsvector(string_to_array(words, ' '))
                       FROM jsonb_to_recordset($1::jsonb) AS new (place bigint, lead_id uuid, words text)
                     ON CONFLICT (lead_id) DO NOTHING";
                vec![Statement::of(self, text).with(rows)]
            }
            Self::Sqlite => {
                let enter = "INSERT INTO lead_search (place, lead_id, words)
                     SELECT value ->> '$.place', value ->> '$.lead_id', value ->> '$.words' FROM json_each(?1) WHERE true
                     ON CONFLICT (lead_id) DO NOTHING";
                let mut index = Statement::new(self);
                let last = index.bind(Param::BigInt(signed(last_place)));
                index.text = Cow::Owned(format!(
                    "INSERT INTO lead_words (rowid, words) SELECT place, words FROM lead_search WHERE place > {last}"
                ));
                vec![Statement::of(self, enter).with(rows), index]
            }
        }
    }

    /// Notes how far leads have been entered. Answers nothing.
    pub(crate) fn note_searched(self, (last_place, position, older_after): &Progress) -> Statement {
        let mut statement = Statement::new(self);
        let last_place = statement.bind(Param::BigInt(signed(*last_place)));
        let position = statement.bind(Param::BigInt(*position));
        let older_after = match (older_after, self) {
            (None, _) => "NULL".to_owned(),
            (Some(id), Self::Postgres) => format!("{}::text::uuid", statement.text(id)),
            (Some(id), Self::Sqlite) => statement.text(id),
        };
        statement.text = Cow::Owned(format!(
            "UPDATE lead_search_progress SET last_place = {last_place}, position = {position}, older_after = {older_after}"
        ));
        statement
    }

    /// The newest leads with these words in some buckets, before a place. Answers place and lead, the newest first.
    pub(crate) fn found(self, search: &Search, buckets: RangeInclusive<u64>, before: u64, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let queries: Vec<_> = buckets.map(|bucket| self.query(search, bucket)).collect();
        // Texts always serialise.
        let queries = statement.text(&serde_json::to_string(&queries).unwrap_or_default());
        let before = statement.bind(Param::BigInt(signed(before)));
        let limit = statement.bind(Param::BigInt(limit.into()));
        let array = self.json_array("place, lead_id");
        statement.text = Cow::Owned(match self {
            Self::Postgres => format!(
                "SELECT {array} AS answer FROM lead_search_found(\
                     ARRAY(SELECT jsonb_array_elements_text({queries}::jsonb)), {before}, {limit}::bigint::integer) \
                     AS newest (place, lead_id) ORDER BY place DESC"
            ),
            Self::Sqlite => format!(
                "SELECT {array} AS answer FROM \
                     (SELECT lead_words.rowid AS number FROM json_each({queries}) AS bucket CROSS JOIN lead_words \
                       WHERE lead_words MATCH bucket.value AND lead_words.rowid < {before} \
                       ORDER BY number DESC LIMIT {limit}) AS newest \
                 CROSS JOIN lead_search ON lead_search.place = newest.number ORDER BY place DESC"
            ),
        });
        statement
    }

    /// Of these leads those that a filter shows. Columns: those of [`StoredLead`].
    pub(crate) fn shown(self, ids: &[Uuid], filter: &LeadFilter) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("id", ids);
        let is_shown = statement.is_shown(filter);
        statement.text = Cow::Owned(format!(
            "SELECT {COLUMNS} FROM (SELECT * FROM lead_inbox WHERE {is_one} LIMIT {}) AS found WHERE {is_shown}",
            ids.len()
        ));
        statement
    }

    /// What the database is asked for in a bucket. Words are of letters and digits alone, and so are no operators.
    fn query(self, search: &Search, bucket: u64) -> String {
        let (and, or, sign, quote) = match self {
            Self::Postgres => (" & ", " | ", ":*", '\''),
            Self::Sqlite => (" AND ", " OR ", " *", '"'),
        };
        let bucket = bucket_name(bucket);
        let word = |(word, is_beginning)| {
            let sign = if is_beginning { sign } else { "" };
            format!("{quote}{bucket}{word}{quote}{sign}")
        };
        let all = search.alternatives().map(|words| format!("({})", words.map(word).collect::<Vec<_>>().join(and)));
        all.collect::<Vec<_>>().join(or)
    }
}

/// The bucket of a place.
pub(crate) fn bucket_of(place: u64) -> u64 {
    place / BUCKET
}

/// The number of a bucket, of four characters: no word of another bucket begins with it. There is room for billions of leads.
fn bucket_name(bucket: u64) -> String {
    let digit = |power: u32| char::from_digit((bucket / 36u64.pow(power) % 36) as u32, 36).unwrap_or('0');
    (0..4).rev().map(digit).collect()
}

#[derive(Serialize)]
struct Row {
    place: u64,
    lead_id: String,
    words: String,
}

impl Row {
    fn of(lead: &StoredLead, place: u64) -> Self {
        let bucket = bucket_name(bucket_of(place));
        let words: Vec<_> = words_of(lead).iter().map(|word| format!("{bucket}{word}")).collect();
        Self { place, lead_id: lead.id.to_string(), words: words.join(" ") }
    }
}
