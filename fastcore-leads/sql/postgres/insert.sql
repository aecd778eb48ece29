-- A batch of leads with their audit rows: one statement, so one transaction and one round trip.
-- Rows go in in the order of their keys, so that two batches with the same keys wait for each other and do not deadlock.
-- Answers one row, with the ids of the leads that are new; the others' request ids were there already.
WITH input AS MATERIALIZED (
    SELECT *
      FROM unnest(
               $1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
               $9::text[], $10::boolean[], $11::text[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::text[],
               $17::text[])
           WITH ORDINALITY AS t (
               id, audit_id, created_at_utc, name, email, phone, company, service,
               message, consent, source, request_id, ip_hash, meta_json, status, actor,
               details_json, place)
), inserted AS (
    INSERT INTO lead_inbox (
        id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash,
        meta_json, status)
    SELECT id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash,
           meta_json::jsonb, status
      FROM input
     ORDER BY request_id, place
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
