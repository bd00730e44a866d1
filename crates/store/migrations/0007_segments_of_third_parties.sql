-- Whom outside a segment of a recording has, whether (1) the caller heard nothing of it, and how a supervisor took part
-- (listen, whisper, barge).
ALTER TABLE segments ADD COLUMN target TEXT;
ALTER TABLE segments ADD COLUMN private BIGINT NOT NULL DEFAULT 0;
ALTER TABLE segments ADD COLUMN supervision TEXT;
