-- The leads of a batch, from a JSON array with an array for each: its values in the order of the columns, then those of its audit row.
-- The caller appends the FROM clause.
INSERT INTO lead_inbox (
    id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash, meta_json,
    status)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13
