-- A database as the FastAPI service makes and fills it: SQLAlchemy's create_all, then four leads.

CREATE TABLE lead_inbox (
    id uuid NOT NULL,
    created_at_utc timestamp with time zone DEFAULT now(),
    name character varying(80) NOT NULL,
    email character varying(120) NOT NULL,
    phone character varying(30),
    company character varying(120),
    service character varying(30),
    message character varying(2000) NOT NULL,
    consent boolean,
    source character varying(50),
    request_id uuid NOT NULL,
    ip_hash character varying(50) NOT NULL,
    meta_json json,
    status character varying(20),
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_lead_inbox_request_id ON lead_inbox (request_id);

CREATE TABLE audit_log (
    id uuid NOT NULL,
    created_at_utc timestamp with time zone DEFAULT now(),
    event character varying(50) NOT NULL,
    actor character varying(50),
    lead_id uuid,
    request_id uuid NOT NULL,
    status_code integer,
    details_json json,
    PRIMARY KEY (id)
);
CREATE INDEX ix_audit_log_lead_id ON audit_log (lead_id);
CREATE INDEX ix_audit_log_request_id ON audit_log (request_id);

-- As the sample; a short name, a NULL status and half a surrogate pair in JSON; untrimmed text, "" for none, a role's
-- address; the longest message, an escaped U+0000 in JSON, and NULL wherever the columns allow it.
INSERT INTO lead_inbox VALUES
    ('3472033f-e9b7-4729-8c55-33918a0967ea', '2026-11-22 13:55:07.072084+00', 'Jean Dupont', 'jean@example.com',
     '+33612345678', 'ACME SAS', 'diagnostic', 'Mon compresseur ne démarre plus depuis hier', true,
     'fast-techservices.com', 'f47ac10b-58cc-4372-a567-0e02b2c3d479', 'abc123def456',
     '{"user_agent_hash": "xyz789", "timestamp_utc": "2024-01-03T10:30:45.123456+00:00"}', 'received'),
    ('16d8f979-c67d-4e00-a788-f87b2a806526', '2026-11-22 13:55:08+00', 'X', 'li@example.org', '', '', NULL, 'court',
     false, 'fast-techservices.com', '11111111-2222-4333-8444-555555555502', 'abc123def456',
     '{"user_agent_hash": "\ud800x"}', NULL),
    ('f71cd497-4eab-4390-932e-b97bd5642cee', '2026-11-22 13:55:09.5+00', '  Zoë 🙂 ', 'info@EXAMPLE.com', '', NULL, 'ponts',
     E'Bonjour,\nje voudrais un devis pour deux ponts.\n', true, 'fast-techservices.com',
     '11111111-2222-4333-8444-555555555501', 'abc123def456', '{"user_agent_hash": null}', 'processing'),
    ('40dc09f8-93f3-4c80-9e5f-0f8baddeae82', NULL, 'O''Brien; DROP TABLE', 'ob@example.ie', NULL, NULL, 'autre',
     repeat('x', 2000), NULL, NULL, '11111111-2222-4333-8444-555555555503', 'abc123def456',
     '{"user_agent_hash": "a\u0000b\\u0000"}', NULL);

INSERT INTO audit_log VALUES
    ('b4af419b-5b2c-44e4-b101-bb21fbbc08c0', '2026-11-22 13:55:07.072084+00', 'LEAD_RECEIVED', 'site_ingest',
     '3472033f-e9b7-4729-8c55-33918a0967ea', 'f47ac10b-58cc-4372-a567-0e02b2c3d479', 201,
     '{"email": "jea***", "service": "diagnostic", "ip_hash": "abc123def456"}'),
    ('bfb3048d-9518-4d9a-9b24-f6cf34900539', '2026-11-22 13:55:08+00', 'LEAD_RECEIVED', NULL,
     '16d8f979-c67d-4e00-a788-f87b2a806526', '11111111-2222-4333-8444-555555555502', NULL, NULL),
    ('48fd4a49-c814-4671-9bbb-aad9334c7115', '2026-11-22 13:55:09.5+00', 'LEAD_RECEIVED', 'site_ingest',
     'f71cd497-4eab-4390-932e-b97bd5642cee', '11111111-2222-4333-8444-555555555501', 201,
     '{"email": "inf***", "service": "ponts", "ip_hash": "abc123def456"}'),
    ('69e51a30-1e65-4aae-9f31-dcfe8b4087fc', '2026-11-22 13:55:10.100966+00', 'LEAD_RECEIVED', 'site_ingest',
     '40dc09f8-93f3-4c80-9e5f-0f8baddeae82', '11111111-2222-4333-8444-555555555503', 201,
     '{"email": "ob@***", "service": "autre", "ip_hash": "abc123def456"}');

-- What somebody has set for tables that grow.
ALTER TABLE lead_inbox SET (autovacuum_analyze_scale_factor = 0.5);
