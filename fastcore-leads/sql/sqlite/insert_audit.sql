-- The audit rows of new leads. Parameter: a JSON array with an array for each, its values in the order of the columns.
INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
SELECT value ->> 0, value ->> 1, 'LEAD_RECEIVED', value ->> 2, value ->> 3, value ->> 4, 201, value ->> 5
  FROM json_each(?1)
