-- The schema of the embedded store.
--
-- Times are milliseconds since the epoch, UTC. JSON columns are TEXT where people may want to look, BLOB where the bytes
-- are the caller's own. No column that a step changes is indexed, except on `job`, which holds open work only and so
-- stays small.

-- One run of a definition. `state` is everything else that is open in it, as JSON; `variables` is a JSON object.
CREATE TABLE instance (
    id                 TEXT PRIMARY KEY,
    definition_id      TEXT NOT NULL,
    definition_version INTEGER NOT NULL,
    business_key       TEXT,
    parent_instance_id TEXT,
    started_at_ms      INTEGER NOT NULL,
    status             TEXT NOT NULL,
    completed_at_ms    INTEGER,
    failure_reason     TEXT,
    child_instance_id  TEXT,
    revision           INTEGER NOT NULL,
    state              TEXT NOT NULL,
    variables          BLOB NOT NULL
);
CREATE INDEX instance_by_start ON instance (started_at_ms DESC, id);
CREATE INDEX instance_by_definition ON instance (definition_id, started_at_ms DESC, id);
CREATE INDEX instance_by_key ON instance (business_key, started_at_ms DESC, id) WHERE business_key IS NOT NULL;

-- What happened: one row per command that changed anything, never updated. `events` is a JSON array.
CREATE TABLE event (
    instance_id TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    command     TEXT NOT NULL,
    events      TEXT NOT NULL,
    PRIMARY KEY (instance_id, revision)
);

-- Open jobs, the current delivery of each. `seq` is the order of claims; SQLite gives a new row one more than the
-- greatest there is, which keeps any two rows that exist in order, and that is all a queue needs.
CREATE TABLE job (
    seq                 INTEGER PRIMARY KEY,
    instance_id         TEXT NOT NULL,
    step_seq            INTEGER NOT NULL,
    delivery            INTEGER NOT NULL,
    step_id             TEXT NOT NULL,
    job_type            TEXT NOT NULL,
    definition_id       TEXT NOT NULL,
    definition_version  INTEGER NOT NULL,
    business_key        TEXT,
    retries_remaining   INTEGER NOT NULL,
    created_at_ms       INTEGER NOT NULL,
    ready_at_ms         INTEGER NOT NULL,
    delayed             INTEGER NOT NULL,
    traceparent         TEXT,
    worker_id           TEXT,
    lease_token         TEXT,
    locked_at_ms        INTEGER,
    lease_expires_at_ms INTEGER
);
CREATE UNIQUE INDEX job_of_step ON job (instance_id, step_seq);
-- What a claim reads, and nothing else: delayed and locked jobs are not in it. With the creation time it also answers
-- how long work has been waiting, without touching the table.
CREATE INDEX job_ready ON job (job_type, seq, created_at_ms) WHERE worker_id IS NULL AND delayed = 0;
CREATE INDEX job_leased ON job (lease_expires_at_ms) WHERE lease_expires_at_ms IS NOT NULL;
CREATE INDEX job_delayed ON job (ready_at_ms) WHERE delayed = 1;

-- User tasks; they stay when they are closed, for the list. `seq` is the step execution's.
CREATE TABLE user_task (
    instance_id        TEXT NOT NULL,
    seq                INTEGER NOT NULL,
    step_id            TEXT NOT NULL,
    definition_id      TEXT NOT NULL,
    definition_version INTEGER NOT NULL,
    business_key       TEXT,
    created_at_ms      INTEGER NOT NULL,
    status             TEXT NOT NULL,
    closed_at_ms       INTEGER,
    completed_by       TEXT NOT NULL,
    PRIMARY KEY (instance_id, seq)
) WITHOUT ROWID;
CREATE INDEX user_task_by_age ON user_task (created_at_ms, instance_id, seq);
CREATE INDEX user_task_open ON user_task (created_at_ms, instance_id, seq) WHERE status = 'OPEN';

-- Boundary timers that have not fired; `position` is the timer's place in its step's definition.
CREATE TABLE timer (
    instance_id TEXT NOT NULL,
    step_seq    INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    due_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (instance_id, step_seq, position)
) WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due_at_ms);

-- Business keys held by instances in flight; empty when keys need not be unique.
CREATE TABLE business_key (
    definition_id TEXT NOT NULL,
    business_key  TEXT NOT NULL,
    instance_id   TEXT NOT NULL,
    PRIMARY KEY (definition_id, business_key)
) WITHOUT ROWID;

-- Completed instances whose next workflow has not been started yet.
CREATE TABLE chain (
    parent_id        TEXT PRIMARY KEY,
    next_workflow_id TEXT NOT NULL,
    business_key     TEXT,
    due_at_ms        INTEGER NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX chain_due ON chain (due_at_ms);
CREATE INDEX chain_by_next ON chain (next_workflow_id);

-- Every version of every definition; `source` is the author's JSON.
CREATE TABLE definition (
    id             TEXT NOT NULL,
    version        INTEGER NOT NULL,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    source         BLOB NOT NULL,
    uploaded_at_ms INTEGER NOT NULL,
    PRIMARY KEY (id, version)
);
