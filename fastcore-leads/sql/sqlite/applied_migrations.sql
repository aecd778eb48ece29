-- Before migration 3 there is no such column: the name then means the one of `unsaid`, which the subquery sees as well.
SELECT json_array(version, checksum,
       (SELECT readable_from FROM fastcore_leads_migrations AS own WHERE own.version = noted.version)) AS answer
  FROM fastcore_leads_migrations AS noted, (SELECT CAST(NULL AS integer) AS readable_from) AS unsaid
 ORDER BY version
