-- Whom outside a segment of a recording has, and whether (1) the caller heard nothing of it.
ALTER TABLE segments ADD COLUMN target TEXT;
ALTER TABLE segments ADD COLUMN private BIGINT NOT NULL DEFAULT 0;
