-- Who is told of a lead. Events number audit rows in the order of commits; a delivery is an event for a destination. No row here
-- holds anything of a lead but its id. What audit rows are told from is added before, beside those who write.

CREATE TABLE lead_event (
    sequence        bigint PRIMARY KEY,
    audit_id        uuid NOT NULL UNIQUE,
    created_at_utc  timestamptz NOT NULL,
    -- Null: nobody is told of this row.
    type            text,
    lead_id         uuid,
    from_status     text,
    to_status       text
);

-- One row: where the sequencer is. Its lock makes sure that there is one at a time. What was committed by transactions before the
-- mark has been looked at. Ids of transactions start anew where a dump is restored in another cluster: hence its identifier.
CREATE TABLE lead_sequencer (
    is_the_row        boolean PRIMARY KEY DEFAULT true CHECK (is_the_row),
    last_sequence     bigint NOT NULL DEFAULT 0,
    mark              bigint NOT NULL DEFAULT 1,
    system_identifier text NOT NULL DEFAULT ''
);
INSERT INTO lead_sequencer DEFAULT VALUES;

CREATE TABLE lead_destination (
    name           text PRIMARY KEY,
    position       bigint NOT NULL,
    paused_at_utc  timestamptz,
    -- Nobody claims before.
    rests_until_utc timestamptz
);

CREATE TABLE lead_delivery (
    destination     text NOT NULL,
    sequence        bigint NOT NULL,
    lead_id         uuid NOT NULL,
    state           text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'delivered', 'skipped', 'dead')),
    due_at_utc      timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    claim           integer NOT NULL DEFAULT 0,
    last_status     integer,
    settled_at_utc  timestamptz,
    PRIMARY KEY (destination, sequence)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1);

CREATE INDEX ix_lead_delivery_due ON lead_delivery (destination, due_at_utc, sequence) WHERE state = 'due';
-- Of one lead, the older event goes first.
CREATE INDEX ix_lead_delivery_lead ON lead_delivery (destination, lead_id, sequence) WHERE state = 'due';
CREATE INDEX ix_lead_delivery_dead ON lead_delivery (destination, sequence) WHERE state = 'dead';
CREATE INDEX ix_lead_delivery_settled ON lead_delivery (settled_at_utc) WHERE state IN ('delivered', 'skipped');

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 4;
