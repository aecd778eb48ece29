-- Answers one row, with the ids of the leads that are new; the others' request ids were there already.
-- Where a trigger of a host's keeps an audit row out, or gives a lead another id, the answer cannot be read (22P02), and nothing is written.
        ON CONFLICT (request_id) DO NOTHING
    RETURNING id
), audited AS (
    INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
    SELECT audit_id, created_at_utc, 'LEAD_RECEIVED', actor, id, request_id, 201, details_json::jsonb
      FROM input
     WHERE id IN (SELECT id FROM inserted)
    RETURNING lead_id
), counted AS (
    SELECT (SELECT count(*) FROM inserted) AS leads, (SELECT count(*) FROM audited) AS audit_rows
)
SELECT CASE WHEN leads = audit_rows THEN (SELECT coalesce(array_agg(id), '{}') FROM inserted)
            ELSE ('audit rows that are kept out: ' || leads - audit_rows)::uuid[] END
  FROM counted
