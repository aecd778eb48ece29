-- The leads of a batch. Parameter: a JSON array with an object for each.
-- Answers the ids of the leads that are new; the others' request ids were there already.
INSERT INTO lead_inbox (
    id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash, meta_json,
    status)
SELECT value ->> '$.id', value ->> '$.created_at_utc', value ->> '$.name', value ->> '$.email', value ->> '$.phone',
       value ->> '$.company', value ->> '$.service', value ->> '$.message', value ->> '$.consent',
       value ->> '$.source', value ->> '$.request_id', value ->> '$.ip_hash', value ->> '$.meta_json',
       value ->> '$.status'
  FROM json_each(?1)
 WHERE true
    ON CONFLICT (request_id) DO NOTHING
RETURNING id
