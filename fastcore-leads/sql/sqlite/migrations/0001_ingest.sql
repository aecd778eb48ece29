-- The tables of the PostgreSQL schema. Instants are RFC 3339 in UTC with microseconds, so that their text sorts by time;
-- ids are hyphenated UUIDs.

CREATE TABLE lead_inbox (
    id             TEXT NOT NULL PRIMARY KEY,
    created_at_utc TEXT NOT NULL,
    name           TEXT NOT NULL CHECK (length(name) <= 80),
    email          TEXT NOT NULL CHECK (length(email) <= 254),
    phone          TEXT CHECK (length(phone) <= 30),
    company        TEXT CHECK (length(company) <= 120),
    service        TEXT CHECK (length(service) <= 30),
    message        TEXT NOT NULL CHECK (length(message) <= 2000),
    consent        INTEGER NOT NULL DEFAULT 0 CHECK (consent IN (0, 1)),
    source         TEXT NOT NULL DEFAULT 'fast-techservices.com' CHECK (length(source) <= 50),
    request_id     TEXT NOT NULL,
    ip_hash        TEXT NOT NULL CHECK (length(ip_hash) <= 128),
    meta_json      TEXT,
    status         TEXT NOT NULL DEFAULT 'received' CHECK (length(status) <= 20),
    erased_at_utc  TEXT
) STRICT;

CREATE TABLE audit_log (
    id             TEXT NOT NULL PRIMARY KEY,
    created_at_utc TEXT NOT NULL,
    event          TEXT NOT NULL CHECK (length(event) <= 50),
    actor          TEXT CHECK (length(actor) <= 50),
    lead_id        TEXT,
    request_id     TEXT NOT NULL,
    status_code    INTEGER,
    details_json   TEXT
) STRICT;

CREATE UNIQUE INDEX ix_lead_inbox_request_id ON lead_inbox (request_id);
CREATE INDEX ix_audit_log_lead_id ON audit_log (lead_id);
CREATE INDEX ix_audit_log_request_id ON audit_log (request_id);

-- Append-only by force. INSERT OR REPLACE deletes without running DELETE triggers, so it is refused on its way in.
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;

CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
