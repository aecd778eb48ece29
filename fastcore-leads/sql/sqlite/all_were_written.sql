-- Refuses a batch of which a trigger kept a row out.
SELECT RAISE(ABORT, 'a trigger keeps rows out') WHERE changes() <> json_array_length(NEW.batch)
