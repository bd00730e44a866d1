-- What a restart gives back of each lawyer: the latest duty, and a wrap-up that was going on, both as the journal
-- writes them. `seq` is the number of the fact that said so: an older one changes nothing.
CREATE TABLE agent_states (
    agent BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    duty TEXT NOT NULL,
    wrap_up TEXT
);
