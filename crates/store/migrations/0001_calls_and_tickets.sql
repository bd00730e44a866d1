-- Time is BIGINT milliseconds of UTC, spans are BIGINT milliseconds, truth is 0 or 1 in a BIGINT:
-- the same text runs on SQLite and on PostgreSQL.

-- One row per call, written once when nothing more can happen to it.
CREATE TABLE calls (
    id BIGINT NOT NULL PRIMARY KEY,
    region TEXT,
    county TEXT,
    first_pool TEXT,
    pool TEXT,
    trunk TEXT,
    caller TEXT NOT NULL,
    caller_name TEXT,
    called TEXT NOT NULL,
    arrived_ms BIGINT NOT NULL,
    queued_ms BIGINT,
    offered_ms BIGINT,
    bridged_ms BIGINT,
    departed_ms BIGINT NOT NULL,
    waited_ms BIGINT,
    talk_ms BIGINT,
    departure TEXT NOT NULL,
    ended_by TEXT NOT NULL,
    agent BIGINT,
    offers BIGINT NOT NULL,
    overflows BIGINT NOT NULL
);

-- The figures of a day ask for one region from midnight on.
CREATE INDEX calls_by_region_and_arrival ON calls (region, arrived_ms);

CREATE TABLE legs (
    call BIGINT NOT NULL REFERENCES calls (id),
    leg BIGINT NOT NULL,
    role TEXT NOT NULL,
    packets_received BIGINT NOT NULL,
    packets_sent BIGINT NOT NULL,
    packets_lost BIGINT NOT NULL,
    jitter_us BIGINT NOT NULL,
    remote_packets_lost BIGINT,
    remote_jitter_us BIGINT,
    packets_stray BIGINT NOT NULL,
    PRIMARY KEY (call, leg)
);

-- A call's recording, and its voicemail if it left one. The file is relative to the recordings folder.
CREATE TABLE recordings (
    call BIGINT NOT NULL REFERENCES calls (id),
    file TEXT NOT NULL,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (call, file)
);

-- The parts of a recording in which the same people were heard.
CREATE TABLE segments (
    call BIGINT NOT NULL,
    file TEXT NOT NULL,
    position BIGINT NOT NULL,
    offset_ms BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    agent BIGINT,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (call, file, position),
    FOREIGN KEY (call, file) REFERENCES recordings (call, file)
);

-- One ticket (工单) for every call that reached a region.
CREATE TABLE tickets (
    number TEXT NOT NULL PRIMARY KEY,
    call BIGINT NOT NULL UNIQUE REFERENCES calls (id),
    region TEXT NOT NULL,
    county TEXT,
    state TEXT NOT NULL,
    caller TEXT NOT NULL,
    agent BIGINT,
    category TEXT,
    created_ms BIGINT NOT NULL
);

CREATE INDEX tickets_by_creation ON tickets (created_ms, number);

-- The last ticket number given under a prefix on a day of China, written as 20261122.
CREATE TABLE ticket_counters (
    prefix TEXT NOT NULL,
    day BIGINT NOT NULL,
    last_number BIGINT NOT NULL,
    PRIMARY KEY (prefix, day)
);
