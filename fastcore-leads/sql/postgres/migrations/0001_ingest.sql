-- The tables of the FastAPI service, made where they are missing and adopted where they are there: no row is lost, and
-- that service can go on writing. It checks no minimum length, so no constraint here does.

CREATE TABLE IF NOT EXISTS lead_inbox (
    id             uuid PRIMARY KEY,
    created_at_utc timestamptz,
    name           varchar(80) NOT NULL,
    email          varchar(254) NOT NULL,
    phone          varchar(30),
    company        varchar(120),
    service        varchar(30),
    message        varchar(2000) NOT NULL,
    consent        boolean,
    source         varchar(50),
    request_id     uuid NOT NULL,
    ip_hash        varchar(128) NOT NULL,
    meta_json      json,
    status         varchar(20)
);

CREATE TABLE IF NOT EXISTS audit_log (
    id             uuid PRIMARY KEY,
    created_at_utc timestamptz,
    event          varchar(50) NOT NULL,
    actor          varchar(50),
    lead_id        uuid,
    request_id     uuid NOT NULL,
    status_code    integer,
    details_json   json
);

-- At once what the rest needs anyway: a lock that grows later can deadlock with a writer.
LOCK TABLE lead_inbox, audit_log IN ACCESS EXCLUSIVE MODE;

-- Retries hang on a unique index: any that is there will do. Where the usual name belongs to one that is not unique, the new
-- one gets another.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_index
         WHERE indrelid = 'lead_inbox'::regclass AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL
           AND pg_get_indexdef(indexrelid, 1, true) = 'request_id' AND indnkeyatts = 1)
    THEN
        IF to_regclass('ix_lead_inbox_request_id') IS NULL THEN
            CREATE UNIQUE INDEX ix_lead_inbox_request_id ON lead_inbox (request_id);
        ELSE
            CREATE UNIQUE INDEX lead_inbox_request_id_key ON lead_inbox (request_id);
        END IF;
    END IF;
END
$$;
CREATE INDEX IF NOT EXISTS ix_audit_log_lead_id ON audit_log (lead_id);
CREATE INDEX IF NOT EXISTS ix_audit_log_request_id ON audit_log (request_id);

-- What was nullable by accident gets a value. Nobody's consent is made up: an unknown one is false.
UPDATE lead_inbox AS lead
   SET created_at_utc = coalesce(
           lead.created_at_utc,
           (SELECT min(audit.created_at_utc) FROM audit_log AS audit WHERE audit.lead_id = lead.id),
           now()),
       status = coalesce(lead.status, 'received'),
       consent = coalesce(lead.consent, false),
       source = coalesce(lead.source, 'fast-techservices.com')
 WHERE lead.created_at_utc IS NULL OR lead.status IS NULL OR lead.consent IS NULL OR lead.source IS NULL;

UPDATE audit_log SET created_at_utc = now() WHERE created_at_utc IS NULL;

-- json keeps an escaped U+0000 or half a surrogate pair as text, jsonb refuses them: in a row that has one, all of these
-- become U+FFFD, so that no row stops the migration.
CREATE FUNCTION pg_temp.to_jsonb_at_any_rate(value json) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN value::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN regexp_replace(
        value::text, '(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})', '\1\\ufffd', 'gi')::jsonb;
END
$$;

ALTER TABLE lead_inbox
    ALTER COLUMN email TYPE varchar(254),
    ALTER COLUMN ip_hash TYPE varchar(128),
    ALTER COLUMN meta_json TYPE jsonb USING pg_temp.to_jsonb_at_any_rate(meta_json::json),
    ALTER COLUMN created_at_utc SET DEFAULT now(),
    ALTER COLUMN created_at_utc SET NOT NULL,
    ALTER COLUMN status SET DEFAULT 'received',
    ALTER COLUMN status SET NOT NULL,
    ALTER COLUMN consent SET DEFAULT false,
    ALTER COLUMN consent SET NOT NULL,
    ALTER COLUMN source SET DEFAULT 'fast-techservices.com',
    ALTER COLUMN source SET NOT NULL,
    ADD COLUMN IF NOT EXISTS erased_at_utc timestamptz;

ALTER TABLE audit_log
    ALTER COLUMN details_json TYPE jsonb USING pg_temp.to_jsonb_at_any_rate(details_json::json),
    ALTER COLUMN created_at_utc SET DEFAULT now(),
    ALTER COLUMN created_at_utc SET NOT NULL;

-- The FastAPI service may leave these out or send NULL for them, as its columns allowed.
CREATE FUNCTION lead_inbox_fill_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at_utc := coalesce(NEW.created_at_utc, now());
    NEW.status := coalesce(NEW.status, 'received');
    NEW.consent := coalesce(NEW.consent, false);
    NEW.source := coalesce(NEW.source, 'fast-techservices.com');
    RETURN NEW;
END
$$;

CREATE TRIGGER lead_inbox_fill_in BEFORE INSERT ON lead_inbox
    FOR EACH ROW
    WHEN (NEW.created_at_utc IS NULL OR NEW.status IS NULL OR NEW.consent IS NULL OR NEW.source IS NULL)
    EXECUTE FUNCTION lead_inbox_fill_in();

-- Append-only by force. Row triggers do not see TRUNCATE, and statement triggers are not run by logical replication:
-- hence both. ALWAYS: also under session_replication_role = replica.
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_no_row_change BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_no_change;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_no_row_change;
