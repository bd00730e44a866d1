-- What the caller answered after the talk, from very_satisfied to very_dissatisfied; without it nothing was answered.
ALTER TABLE tickets ADD COLUMN satisfaction TEXT;
