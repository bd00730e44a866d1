-- The latest that a supervisor has set of each pool in place of its hours, as the journal writes it; without
-- `override` the hours count again. `seq` is the number of the fact that said so: an older one changes nothing.
CREATE TABLE pool_overrides (
    region TEXT NOT NULL,
    pool TEXT NOT NULL,
    seq BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    override TEXT,
    set_by TEXT NOT NULL,
    PRIMARY KEY (region, pool)
);
