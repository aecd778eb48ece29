-- The audit rows of a change. Parameter: a JSON array with an object for each.
INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
SELECT value ->> '$.id', value ->> '$.created_at_utc', value ->> '$.event', value ->> '$.actor', value ->> '$.lead_id',
       value ->> '$.request_id', value ->> '$.status_code', value -> '$.details_json'
  FROM json_each(?1)
