-- How a batch of leads with their audit rows begins to be written; insert.sql and insert_new.sql go on. An array for each column, in the
-- order of the request ids, so that two batches with the same ones wait for each other and do not deadlock.
-- Side by side and not in one call of unnest, which would put down each array before it reads them.
WITH input AS MATERIALIZED (
    SELECT unnest($1::uuid[]) AS id, unnest($2::uuid[]) AS audit_id, unnest($3::timestamptz[]) AS created_at_utc,
           unnest($4::text[]) AS name, unnest($5::text[]) AS email, unnest($6::text[]) AS phone,
           unnest($7::text[]) AS company, unnest($8::text[]) AS service, unnest($9::text[]) AS message,
           unnest($10::boolean[]) AS consent, unnest($11::text[]) AS source, unnest($12::uuid[]) AS request_id,
           unnest($13::text[]) AS ip_hash, unnest($14::text[]) AS meta_json, unnest($15::text[]) AS status,
           unnest($16::text[]) AS actor, unnest($17::text[]) AS details_json
), inserted AS (
    INSERT INTO lead_inbox (
        id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash,
        meta_json, status)
    SELECT id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash,
           meta_json::jsonb, status
      FROM input
