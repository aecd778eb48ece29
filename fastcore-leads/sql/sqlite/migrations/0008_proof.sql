-- As in PostgreSQL.

CREATE TABLE audit_tile (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) <= 8192),
    salts  BLOB NOT NULL CHECK (length(salts) % 16 = 0 AND length(salts) <= 4096),
    PRIMARY KEY (level, number)
) STRICT;

INSERT INTO lead_event (sequence, audit_id, created_at_utc, type, lead_id)
SELECT 1 - row_number() OVER (ORDER BY created_at_utc DESC, id DESC), id, created_at_utc, NULL, lead_id
  FROM audit_log AS audited
 WHERE rowid <= coalesce((SELECT rowid FROM audit_log WHERE id = (SELECT mark FROM lead_sequencer)), 0)
   AND NOT EXISTS (SELECT 1 FROM lead_event WHERE lead_event.audit_id = audited.id);

CREATE TABLE audit_seal (
    is_the_row      INTEGER PRIMARY KEY DEFAULT 1 CHECK (is_the_row = 1),
    first_sequence  INTEGER NOT NULL,
    size            INTEGER NOT NULL DEFAULT 0,
    sealed_at_utc   TEXT,
    checkpoint_size INTEGER NOT NULL DEFAULT 0,
    checkpoint      TEXT,
    former_origin   TEXT
) STRICT;
INSERT INTO audit_seal (first_sequence) SELECT coalesce(min(sequence), 1) FROM lead_event;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 8;
