-- As in PostgreSQL. What is taken out of the index of words is written over, and so leaves nothing behind.

CREATE TABLE lead_search (
    place   INTEGER PRIMARY KEY,
    lead_id TEXT NOT NULL UNIQUE,
    words   TEXT NOT NULL
) STRICT;

-- Words come without accents and in lower case, with a space between them.
CREATE VIRTUAL TABLE lead_words USING fts5 (
    words, content = 'lead_search', content_rowid = 'place', detail = none, columnsize = 0, tokenize = 'ascii'
);
INSERT INTO lead_words (lead_words, rank) VALUES ('secure-delete', 1);

CREATE TABLE lead_search_progress (
    is_the_row  INTEGER PRIMARY KEY DEFAULT 1 CHECK (is_the_row = 1),
    last_place  INTEGER NOT NULL DEFAULT 0,
    position    INTEGER NOT NULL DEFAULT 0,
    older_after TEXT DEFAULT ''
) STRICT;
INSERT INTO lead_search_progress DEFAULT VALUES;

CREATE TRIGGER lead_inbox_search_erased AFTER UPDATE OF erased_at_utc ON lead_inbox WHEN NEW.erased_at_utc IS NOT NULL
BEGIN
    INSERT INTO lead_words (lead_words, rowid, words)
        SELECT 'delete', place, words FROM lead_search WHERE lead_id = OLD.id;
    DELETE FROM lead_search WHERE lead_id = OLD.id;
END;

CREATE TRIGGER lead_inbox_search_deleted AFTER DELETE ON lead_inbox
BEGIN
    INSERT INTO lead_words (lead_words, rowid, words)
        SELECT 'delete', place, words FROM lead_search WHERE lead_id = OLD.id;
    DELETE FROM lead_search WHERE lead_id = OLD.id;
END;

UPDATE fastcore_leads_migrations SET readable_from = 2 WHERE version = 5;
