-- The new values of leads that a change was decided on. Parameter: a JSON array with an object for each.
UPDATE lead_inbox
   SET name = new.value ->> '$.name', email = new.value ->> '$.email', phone = new.value ->> '$.phone',
       company = new.value ->> '$.company', message = new.value ->> '$.message', consent = new.value ->> '$.consent',
       ip_hash = new.value ->> '$.ip_hash',
       meta_json = CASE json_type(new.value, '$.meta_json') WHEN 'null' THEN NULL ELSE new.value -> '$.meta_json' END,
       status = new.value ->> '$.status', erased_at_utc = new.value ->> '$.erased_at_utc'
  FROM json_each(?1) AS new
 WHERE lead_inbox.id = new.value ->> '$.id'
