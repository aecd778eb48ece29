-- The audit rows of a change. Parameter: a JSON array with an object for each.
INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
SELECT id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json
  FROM jsonb_to_recordset($1::jsonb) AS new (
           id uuid, created_at_utc timestamptz, event text, actor text, lead_id uuid, request_id uuid,
           status_code integer, details_json jsonb)
