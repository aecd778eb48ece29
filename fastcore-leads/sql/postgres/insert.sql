-- Answers one row, with the ids of the leads that are new; the others' request ids were there already.
        ON CONFLICT (request_id) DO NOTHING
    RETURNING id
), audited AS (
    INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
    SELECT audit_id, created_at_utc, 'LEAD_RECEIVED', actor, id, request_id, 201, details_json::jsonb
      FROM input
     WHERE id IN (SELECT id FROM inserted)
    RETURNING lead_id
)
SELECT coalesce(array_agg(lead_id), '{}')
  FROM audited
