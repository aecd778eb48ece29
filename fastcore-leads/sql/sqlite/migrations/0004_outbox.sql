-- As in PostgreSQL. SQLite commits one transaction after the other, so rows stand in the log in the order of commits. VACUUM may
-- number them anew, but keeps their order: hence the mark is the id of a row, not its number.

CREATE TABLE lead_event (
    sequence       INTEGER PRIMARY KEY,
    audit_id       TEXT NOT NULL UNIQUE,
    created_at_utc TEXT NOT NULL,
    type           TEXT,
    lead_id        TEXT,
    from_status    TEXT,
    to_status      TEXT
) STRICT;

CREATE TABLE lead_sequencer (
    is_the_row    INTEGER PRIMARY KEY DEFAULT 1 CHECK (is_the_row = 1),
    last_sequence INTEGER NOT NULL DEFAULT 0,
    -- The id of the last audit row that was looked at.
    mark          TEXT NOT NULL
) STRICT;
INSERT INTO lead_sequencer (mark) SELECT coalesce((SELECT id FROM audit_log ORDER BY rowid DESC LIMIT 1), '');

CREATE TABLE lead_destination (
    name            TEXT NOT NULL PRIMARY KEY,
    position        INTEGER NOT NULL,
    paused_at_utc   TEXT,
    rests_until_utc TEXT
) STRICT;

CREATE TABLE lead_delivery (
    destination    TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    lead_id        TEXT NOT NULL,
    state          TEXT NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'delivered', 'skipped', 'dead')),
    due_at_utc     TEXT NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    claim          INTEGER NOT NULL DEFAULT 0,
    last_status    INTEGER,
    settled_at_utc TEXT,
    PRIMARY KEY (destination, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX ix_lead_delivery_due ON lead_delivery (destination, due_at_utc, sequence) WHERE state = 'due';
CREATE INDEX ix_lead_delivery_lead ON lead_delivery (destination, lead_id, sequence) WHERE state = 'due';
CREATE INDEX ix_lead_delivery_dead ON lead_delivery (destination, sequence) WHERE state = 'dead';
CREATE INDEX ix_lead_delivery_settled ON lead_delivery (settled_at_utc) WHERE state IN ('delivered', 'skipped');

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 4;
