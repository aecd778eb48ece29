-- The Merkle tree over the audit log. Its leaves are audit rows, in the order of the numbers that the sequencer gives them; a tile has
-- 256 hashes of a level, one behind the other, and of leaves their salts: a row per tile, not per leaf.

CREATE TABLE audit_tile (
    level   smallint NOT NULL,
    number  bigint NOT NULL,
    hashes  bytea NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) <= 8192),
    -- 16 bytes each; zeros where a row was redacted.
    salts   bytea NOT NULL CHECK (length(salts) % 16 = 0 AND length(salts) <= 4096),
    PRIMARY KEY (level, number)
);
-- Random bytes do not get smaller.
ALTER TABLE audit_tile ALTER COLUMN hashes SET STORAGE EXTERNAL, ALTER COLUMN salts SET STORAGE EXTERNAL;

-- Rows that are older than the sequencer come first: numbers below 1, the newest 0. Nobody is told of them.
INSERT INTO lead_event (sequence, audit_id, created_at_utc, type, lead_id)
SELECT 1 - row_number() OVER (ORDER BY created_at_utc DESC, id DESC), id, created_at_utc, NULL, lead_id
  FROM audit_log AS audited
 WHERE written_in = 0 AND NOT EXISTS (SELECT FROM lead_event WHERE lead_event.audit_id = audited.id);

-- One row: where the tree begins, and how far it goes. Its lock makes sure that one adds to it at a time.
CREATE TABLE audit_seal (
    is_the_row      boolean PRIMARY KEY DEFAULT true CHECK (is_the_row),
    first_sequence  bigint NOT NULL,
    size            bigint NOT NULL DEFAULT 0,
    sealed_at_utc   timestamptz,
    -- Of how many leaves the last checkpoint is, and the signed note.
    checkpoint_size bigint NOT NULL DEFAULT 0,
    checkpoint      text,
    -- What the log was called before it was begun anew: that key signs it no more.
    former_origin   text
);
INSERT INTO audit_seal (first_sequence) SELECT coalesce(min(sequence), 1) FROM lead_event;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 8;
