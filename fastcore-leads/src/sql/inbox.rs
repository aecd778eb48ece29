//! The statements behind [`LeadInbox`](crate::LeadInbox), for both databases: their text depends on what is asked, so they
//! are put together here instead of standing in a file.
//!
//! A statement that reads neither leads nor audit rows answers one text a row, `answer`, which is JSON.

use std::{borrow::Cow, collections::HashSet};

use uuid::Uuid;

pub use super::statement::{Dialect, Param, Statement};
use super::{
    postgres,
    rewrites::{records_json, rewrites_json},
    sqlite::{self},
};
use crate::{
    audit::{AuditRecord, LEAD_REVEALED, LEAD_UNANSWERED},
    inbox::{CONTACTS, Cursor, Due, Erasure, LeadFilter, Rewrite, Target, Unless, page_size, spellings},
    lead::{LeadId, LeadStatus},
};

/// The most leads of one spelling of an address that one transaction locks.
pub const MAX_LOCKED: u32 = 200;

/// The columns of [`StoredLead`](crate::StoredLead), in its order.
pub(super) const COLUMNS: &str = "id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, \
                       ip_hash, meta_json, status, erased_at_utc";

/// Which way a page goes from its place.
#[derive(Clone, Copy)]
enum Way {
    Older,
    Newer,
}

impl Way {
    const fn sign(self) -> char {
        match self {
            Self::Older => '<',
            Self::Newer => '>',
        }
    }

    const fn order(self) -> &'static str {
        match self {
            Self::Older => "DESC",
            Self::Newer => "ASC",
        }
    }
}

impl Dialect {
    /// One page, and one lead more, newest first. Columns: those of [`StoredLead`](crate::StoredLead).
    ///
    /// Each status is read in the order of its index; the database merges them.
    pub fn page(self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Statement {
        self.page_of(filter, after, limit, Way::Older)
    }

    /// The page in front of a place, and one lead more, oldest first. Columns: those of [`StoredLead`](crate::StoredLead).
    pub fn page_before(self, filter: &LeadFilter, before: Cursor, limit: u32) -> Statement {
        self.page_of(filter, Some(before), limit, Way::Newer)
    }

    fn page_of(self, filter: &LeadFilter, place: Option<Cursor>, limit: u32, way: Way) -> Statement {
        let limit = page_size(limit);
        let mut statement = Statement::new(self);
        let branches: Vec<String> = ranges(filter)
            .iter()
            .map(|(range, name)| statement.branch(range, name, filter, (place, way), limit))
            .collect();
        let limit = statement.bind(Param::BigInt(i64::from(limit) + 1));
        let order = way.order();
        statement.text = Cow::Owned(format!(
            "SELECT {COLUMNS} FROM ({}) AS page ORDER BY created_at_utc {order}, id {order} LIMIT {limit}",
            branches.join(" UNION ALL ")
        ));
        statement
    }

    /// Leads whose ids, or whose requests' ids, lie between two: up to so many by either. Columns: those of
    /// [`StoredLead`](crate::StoredLead).
    pub fn between(self, first: Uuid, last: Uuid, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let branches = ["id", "request_id"].map(|column| {
            let (first, last) = (statement.id(first), statement.id(last));
            let limit = statement.bind(Param::BigInt(limit.into()));
            format!(
                "SELECT * FROM (SELECT {COLUMNS} FROM lead_inbox WHERE {column} BETWEEN {first} AND {last} \
                 ORDER BY {column} LIMIT {limit}) AS by_{column}"
            )
        });
        statement.text = Cow::Owned(branches.join(" UNION ALL "));
        statement
    }

    /// Leads that were erased, those first that were erased first, behind a place in this order. Columns: those of
    /// [`StoredLead`](crate::StoredLead).
    pub fn erased(self, after: Erasure, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (at, id) = (statement.instant(after.erased_at), statement.id(after.lead_id.as_uuid()));
        let limit = statement.bind(Param::BigInt(page_size(limit).into()));
        statement.text = Cow::Owned(format!(
            "SELECT {COLUMNS} FROM lead_inbox WHERE erased_at_utc IS NOT NULL AND (erased_at_utc, id) > ({at}, {id}) \
             ORDER BY erased_at_utc, id LIMIT {limit}"
        ));
        statement
    }

    /// The newest leads of an address, newest first, and so many at most.
    pub fn find_by_email(self, email: &str, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        // Each spelling in the order of the index: of an address with a million leads, no more than these are read.
        let branches: Vec<_> = spellings(email)
            .iter()
            .map(|spelling| {
                let (is_theirs, limit) = (statement.is_spelled(spelling), statement.bind(Param::BigInt(limit.into())));
                format!(
                    "SELECT * FROM (SELECT {COLUMNS} FROM lead_inbox WHERE {is_theirs} \
                     ORDER BY created_at_utc DESC LIMIT {limit}) AS newest"
                )
            })
            .collect();
        let limit = statement.bind(Param::BigInt(limit.into()));
        // What a database folds is found under two spellings, and told once.
        statement.text = Cow::Owned(format!(
            "SELECT {COLUMNS} FROM ({}) AS found ORDER BY created_at_utc DESC, id DESC LIMIT {limit}",
            branches.join(" UNION ")
        ));
        statement
    }

    /// How many leads are in each status. Answers: status and number.
    pub fn counts(self) -> Statement {
        let array = self.json_array("status, count(*)");
        Statement::of(
            self,
            format!("SELECT {array} AS answer FROM lead_inbox WHERE erased_at_utc IS NULL GROUP BY status"),
        )
    }

    /// One lead. Columns: those of [`StoredLead`](crate::StoredLead).
    pub fn get(self, id: LeadId) -> Statement {
        let mut statement = Statement::new(self);
        let id = statement.id(id.as_uuid());
        statement.text = Cow::Owned(format!("SELECT {COLUMNS} FROM lead_inbox WHERE id = {id}"));
        statement
    }

    /// Leads by request ids. Columns: those of [`StoredLead`](crate::StoredLead).
    pub fn find(self, request_ids: &[Uuid]) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("request_id", request_ids);
        statement.text = Cow::Owned(format!("SELECT {COLUMNS} FROM lead_inbox WHERE {is_one}"));
        statement
    }

    /// A lead's audit rows, oldest first. Columns: the fields of [`AuditRecord`](crate::AuditRecord).
    pub fn audit_trail(self, id: LeadId) -> Statement {
        let mut statement = Statement::new(self);
        let id = statement.id(id.as_uuid());
        statement.text = Cow::Owned(format!(
            "SELECT id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json FROM audit_log \
             WHERE lead_id = {id} ORDER BY created_at_utc, id"
        ));
        statement
    }

    /// How many leads a filter shows. Answers: status, service, source, day, number.
    pub fn tally(self, filter: &LeadFilter) -> Statement {
        let mut statement = Statement::new(self);
        let day = match self {
            Self::Postgres => "(created_at_utc AT TIME ZONE 'UTC')::date",
            Self::Sqlite => "substr(created_at_utc, 1, 10)",
        };
        let answer = self.json_array(&format!("status, service, source, {day}, count(*)"));
        let mut branches = Vec::new();
        for (range, _) in ranges(filter) {
            let conditions = statement.conditions(&range, filter);
            branches.push(format!(
                "SELECT {answer} AS answer FROM lead_inbox WHERE {conditions} GROUP BY status, service, source, {day}"
            ));
        }
        statement.text = Cow::Owned(branches.join(" UNION ALL "));
        statement
    }

    /// Which of these audit rows are there. Answers ids, as they are.
    pub(super) fn known_audit(self, ids: &[Uuid]) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("id", ids);
        statement.text = Cow::Owned(format!("SELECT CAST(id AS text) AS answer FROM audit_log WHERE {is_one}"));
        statement
    }

    /// Audit rows; those whose ids are there are left.
    pub(super) fn append(self, records: &[&AuditRecord]) -> Statement {
        let text = match self {
            Self::Postgres => format!("{} ON CONFLICT (id) DO NOTHING", postgres::APPEND_AUDIT),
            // A trigger refuses an id that is there, since OR REPLACE would put the row in another's place. One writer at a time:
            // what is not there now does not come in between.
            Self::Sqlite => format!(
                "{} WHERE NOT EXISTS (SELECT 1 FROM audit_log WHERE id = value ->> '$.id')",
                sqlite::APPEND_AUDIT
            ),
        };
        let mut ids = HashSet::new();
        let records = records.iter().copied().filter(|record| ids.insert(record.id));
        Statement::of(self, text).with(records_json(records))
    }

    /// The new values of changed leads, and their audit rows.
    pub(super) fn rewrite(self, rewrites: &[Rewrite]) -> [Statement; 2] {
        let (rows, records) = match self {
            Self::Postgres => (postgres::REWRITE_LEADS, postgres::APPEND_AUDIT),
            Self::Sqlite => (sqlite::REWRITE_LEADS, sqlite::APPEND_AUDIT),
        };
        let (leads, audit) = rewrites_json(rewrites);
        [(rows, leads), (records, audit)].map(|(text, json)| Statement::of(self, text).with(json))
    }

    /// Leads that a retention rule reaches, oldest first.
    pub fn due(self, due: &Due) -> Statement {
        let mut statement = Statement::new(self);
        statement.text = Cow::Owned(statement.select_due(due));
        statement
    }

    /// The leads of a change, locked until the transaction ends where the database locks rows: a statement for each spelling of an
    /// address, to be run one after the other until [`MAX_LOCKED`] leads are there. What a database folds is found under two of them.
    pub fn lock(self, target: &Target) -> Vec<Statement> {
        let mut statement = Statement::new(self);
        match target {
            Target::Lead(id) => {
                let id = statement.id(id.as_uuid());
                vec![statement.locking(format!("SELECT {COLUMNS} FROM lead_inbox WHERE id = {id}"), "")]
            }
            // In one order: two that want the same rows do not deadlock. It is that of the index on addresses, which gives it for one
            // spelling at a time: in the order of keys, a planner that takes an address for a common one walks all leads.
            Target::Email(email) => {
                let mut spellings = spellings(email);
                spellings.sort_unstable();
                let lock = |spelling: &String| {
                    let mut statement = Statement::new(self);
                    let (is_theirs, order) = (statement.is_spelled(spelling), "ORDER BY created_at_utc, id");
                    statement.locking(
                        format!("SELECT {COLUMNS} FROM lead_inbox WHERE {is_theirs} {order} LIMIT {MAX_LOCKED}"),
                        "",
                    )
                };
                spellings.iter().map(lock).collect()
            }
            Target::Due(due) => {
                let select = statement.select_due(due);
                vec![statement.locking(select, " OF lead SKIP LOCKED")]
            }
        }
    }

    /// When each of these leads was last audited for another reason than that somebody read it. Answers: id and instant.
    pub fn last_audited(self, ids: &[Uuid]) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("lead_id", ids);
        let array = self.json_array("lead_id, max(created_at_utc)");
        statement.text = Cow::Owned(format!(
            "SELECT {array} AS answer FROM audit_log WHERE {is_one} AND event <> '{LEAD_REVEALED}' GROUP BY lead_id"
        ));
        statement
    }

    /// When somebody first worked on each of these leads, if anybody did. Answers: id and instant.
    pub(super) fn first_contacts(self, ids: &[Uuid]) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("lead_id", ids);
        let array = self.json_array("lead_id, min(created_at_utc)");
        let contacts = CONTACTS.map(|event| format!("'{event}'")).join(", ");
        statement.text = Cow::Owned(format!(
            "SELECT {array} AS answer FROM audit_log WHERE {is_one} AND event IN ({contacts}) GROUP BY lead_id"
        ));
        statement
    }

    pub(super) fn json_array(self, values: &str) -> String {
        match self {
            Self::Postgres => format!("json_build_array({values})::text"),
            Self::Sqlite => format!("json_array({values})"),
        }
    }
}

impl Statement {
    /// The same, which locks what it selects where the database locks rows: SQLite has one writer at a time.
    fn locking(mut self, select: String, how: &str) -> Self {
        self.text = Cow::Owned(match self.dialect {
            Dialect::Postgres => select + " FOR UPDATE" + how,
            Dialect::Sqlite => select,
        });
        self
    }

    /// Whether a lead is from an address that is spelled so: the words of the index on it.
    fn is_spelled(&mut self, spelling: &str) -> String {
        format!("lower(email) = lower({}) AND erased_at_utc IS NULL", self.text(spelling))
    }

    /// Whether a lead is from an address: the words of the index on it.
    fn is_from(&mut self, email: &str) -> String {
        let spellings: Vec<_> =
            spellings(email).iter().map(|spelling| format!("lower({})", self.text(spelling))).collect();
        format!("lower(email) IN ({}) AND erased_at_utc IS NULL", spellings.join(", "))
    }

    /// Whether a lead is of one of these sources. However many there are, the statement is the same.
    fn is_of(&mut self, sources: &[String]) -> String {
        if let [source] = sources {
            return format!("source = {}", self.text(source));
        }
        // Structs of text always serialise.
        let sources = self.text(&serde_json::to_string(sources).unwrap_or_default());
        match self.dialect {
            Dialect::Postgres => format!("source = ANY(ARRAY(SELECT jsonb_array_elements_text({sources}::jsonb)))"),
            Dialect::Sqlite => format!("source IN (SELECT value FROM json_each({sources}))"),
        }
    }

    /// The leads of one status, or of those between two.
    fn branch(
        &mut self,
        range: &str,
        name: &str,
        filter: &LeadFilter,
        (place, way): (Option<Cursor>, Way),
        limit: u32,
    ) -> String {
        let mut conditions = self.conditions(range, filter);
        let order = way.order();
        if let Some(place) = place {
            let (created_at, id) = (self.instant(place.created_at), self.id(place.id));
            conditions += &format!(" AND (created_at_utc, id) {} ({created_at}, {id})", way.sign());
        }
        let limit = self.bind(Param::BigInt(i64::from(limit) + 1));
        format!(
            "SELECT * FROM (SELECT {COLUMNS} FROM lead_inbox WHERE {conditions} ORDER BY created_at_utc {order}, id {order} \
             LIMIT {limit}) AS {name}"
        )
    }

    /// What makes a lead one that a filter shows.
    pub(super) fn is_shown(&mut self, filter: &LeadFilter) -> String {
        let ranges: Vec<_> = ranges(filter).into_iter().map(|(range, _)| format!("({range})")).collect();
        self.conditions(&format!("({})", ranges.join(" OR ")), filter)
    }

    /// What makes a lead of these statuses one that a filter shows.
    fn conditions(&mut self, range: &str, filter: &LeadFilter) -> String {
        let mut conditions = vec!["erased_at_utc IS NULL".to_owned(), range.to_owned()];
        if let Some(service) = filter.service {
            conditions.push(format!("service = '{service}'"));
        }
        if !filter.sources.is_empty() {
            conditions.push(self.is_of(&filter.sources));
        }
        if let Some(from) = filter.received_from {
            conditions.push(format!("created_at_utc >= {}", self.instant(from)));
        }
        if let Some(before) = filter.received_before {
            conditions.push(format!("created_at_utc < {}", self.instant(before)));
        }
        if let Some(email) = &filter.email {
            conditions.push(self.is_from(email));
        }
        conditions.join(" AND ")
    }

    fn select_due(&mut self, due: &Due) -> String {
        let before = self.instant(due.before);
        let is_one = match due.status {
            Some(status) => format!("status = '{status}'"),
            None => format!("({})", unknown_statuses().join(" OR ")),
        };
        let mut window = format!("erased_at_utc IS NULL AND {is_one} AND created_at_utc < {before}");
        for (place, sign) in [(due.after, '>'), (due.until, '<')] {
            if let Some(place) = place {
                let (created_at, id) = (self.instant(place.created_at), self.id(place.id));
                let or_equal = if sign == '<' { "=" } else { "" };
                window += &format!(" AND (created_at_utc, id) {sign}{or_equal} ({created_at}, {id})");
            }
        }
        let limit = self.bind(Param::BigInt(due.limit.into()));
        let contacts = CONTACTS.map(|event| format!("'{event}'")).join(", ");
        // Each lead of the window is asked for by an index, whatever the planner thinks of joining all of the log.
        let is_silent = match due.unless {
            Unless::Never => "true".to_owned(),
            Unless::Touched => format!(
                "(SELECT 1 FROM audit_log AS audit WHERE audit.lead_id = lead.id \
                 AND ((audit.created_at_utc >= {before} AND audit.event <> '{LEAD_REVEALED}') \
                      OR audit.event = '{LEAD_UNANSWERED}') LIMIT 1) IS NULL"
            ),
            Unless::Contact => format!(
                "(SELECT 1 FROM audit_log AS audit WHERE audit.lead_id = lead.id AND audit.created_at_utc >= {before} \
                 AND audit.event IN ({contacts}) LIMIT 1) IS NULL \
                 AND (SELECT 1 FROM lead_inbox AS later WHERE lower(later.email) = lower(lead.email) \
                 AND later.erased_at_utc IS NULL AND later.created_at_utc >= {before} \
                 AND later.status <> 'quarantined' ORDER BY later.created_at_utc LIMIT 1) IS NULL"
            ),
        };
        format!(
            "SELECT {COLUMNS} FROM (SELECT * FROM lead_inbox WHERE {window} ORDER BY created_at_utc, id LIMIT {limit}) \
             AS lead WHERE {is_silent} ORDER BY created_at_utc, id"
        )
    }
}

/// What [`Dialect::counts`] answered, and zero for every known status that has none.
pub(crate) fn counts_of(rows: Vec<(String, u64)>) -> Vec<(String, u64)> {
    let known = LeadStatus::ALL.iter().map(|status| (status.to_string(), 0));
    let mut counts: Vec<_> = known.collect();
    for (status, leads) in rows {
        match counts.iter_mut().find(|(known, _)| *known == status) {
            Some(count) => count.1 = leads,
            None => counts.push((status, leads)),
        }
    }
    let known = LeadStatus::ALL.len();
    counts[known..].sort();
    counts
}

/// The statuses that a filter shows: each a range of the index that pages are read from, with a name.
fn ranges(filter: &LeadFilter) -> Vec<(String, String)> {
    let known = filter.shown().into_iter().map(|status| (format!("status = '{status}'"), status.to_string()));
    let unknown = unknown_statuses().into_iter().enumerate().map(|(i, range)| (range, format!("unknown_{i}")));
    known.chain(unknown.filter(|_| filter.shows_unknown())).collect()
}

/// What lies between the statuses that this version knows: each a range of the index that pages are read from.
fn unknown_statuses() -> Vec<String> {
    let mut known: Vec<&str> = LeadStatus::ALL.iter().map(|status| status.as_str()).collect();
    known.sort_unstable();
    let first = known.first().map(|first| format!("status < '{first}'"));
    let last = known.last().map(|last| format!("status > '{last}'"));
    let between = known.windows(2).map(|pair| format!("status > '{}' AND status < '{}'", pair[0], pair[1]));
    first.into_iter().chain(between).chain(last).collect()
}
