-- The schema on PostgreSQL.
--
-- Times are milliseconds since the epoch, UTC. JSON is TEXT or BYTEA, never jsonb: that refuses \u0000, reorders keys
-- and expands 1e300. Ids sort as bytes (COLLATE "C"), as they do in every other store, whatever the database's locale.

-- One run of a definition. `state` is everything else that is open in it, as JSON; `variables` is a JSON object.
-- No column that a step changes is indexed, and pages are half empty at first: an update stays on its page and touches
-- no index (HOT), even when one transaction moves every instance of a page on. Measured with fillfactor 70: a quarter of
-- such updates found no room, and the table grew larger, not smaller, for it.
CREATE TABLE instance (
    id                 text COLLATE "C" PRIMARY KEY,
    definition_id      text COLLATE "C" NOT NULL,
    definition_version bigint NOT NULL,
    business_key       text COLLATE "C",
    parent_instance_id text COLLATE "C",
    started_at_ms      bigint NOT NULL,
    status             text COLLATE "C" NOT NULL,
    completed_at_ms    bigint,
    failure_reason     text,
    child_instance_id  text COLLATE "C",
    revision           bigint NOT NULL,
    state              text NOT NULL,
    variables          bytea NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX instance_by_start ON instance (started_at_ms DESC, id);
CREATE INDEX instance_by_definition ON instance (definition_id, started_at_ms DESC, id);
CREATE INDEX instance_by_key ON instance (business_key, started_at_ms DESC, id) WHERE business_key IS NOT NULL;

-- What happened: one row per command that changed anything, never updated. `events` is a JSON array.
CREATE TABLE event (
    instance_id text COLLATE "C" NOT NULL,
    revision    bigint NOT NULL,
    at_ms       bigint NOT NULL,
    actor       text NOT NULL,
    command     text NOT NULL,
    events      text NOT NULL,
    PRIMARY KEY (instance_id, revision)
);

-- Open jobs, the current delivery of each; a finished job's row is gone. `seq` is the order of claims. No primary key
-- on it: nobody looks a job up by its place, and every index costs on the busiest table there is.
CREATE TABLE job (
    seq                 bigint GENERATED ALWAYS AS IDENTITY,
    instance_id         text COLLATE "C" NOT NULL,
    step_seq            bigint NOT NULL,
    delivery            bigint NOT NULL,
    step_id             text NOT NULL,
    job_type            text COLLATE "C" NOT NULL,
    definition_id       text NOT NULL,
    definition_version  bigint NOT NULL,
    business_key        text,
    retries_remaining   bigint NOT NULL,
    created_at_ms       bigint NOT NULL,
    ready_at_ms         bigint NOT NULL,
    delayed             boolean NOT NULL,
    traceparent         text,
    ready               boolean NOT NULL,
    worker_id           text,
    lease_token         text,
    locked_at_ms        bigint,
    lease_expires_at_ms bigint
) WITH (vacuum_truncate = false, autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 2000);
CREATE UNIQUE INDEX job_of_step ON job (instance_id, step_seq);
-- What a claim reads, and nothing else: `ready` is neither delayed nor locked. The claim orders by `seq`, which only
-- this index has, so no other plan can look cheaper.
CREATE INDEX job_ready ON job (job_type, seq) WHERE ready;
CREATE INDEX job_leased ON job (lease_expires_at_ms, seq) WHERE lease_expires_at_ms IS NOT NULL;
CREATE INDEX job_delayed ON job (ready_at_ms, seq) WHERE delayed;

-- User tasks; they stay when they are closed, for the list. `seq` is the step execution's.
CREATE TABLE user_task (
    instance_id        text COLLATE "C" NOT NULL,
    seq                bigint NOT NULL,
    step_id            text NOT NULL,
    definition_id      text COLLATE "C" NOT NULL,
    definition_version bigint NOT NULL,
    business_key       text,
    created_at_ms      bigint NOT NULL,
    status             text COLLATE "C" NOT NULL,
    closed_at_ms       bigint,
    completed_by       text NOT NULL,
    PRIMARY KEY (instance_id, seq)
);
CREATE INDEX user_task_by_age ON user_task (created_at_ms, instance_id, seq);
CREATE INDEX user_task_open ON user_task (created_at_ms, instance_id, seq) WHERE status = 'OPEN';

-- Boundary timers that have not fired; `position` is the timer's place in its step's definition.
CREATE TABLE timer (
    instance_id text COLLATE "C" NOT NULL,
    step_seq    bigint NOT NULL,
    position    bigint NOT NULL,
    due_at_ms   bigint NOT NULL,
    PRIMARY KEY (instance_id, step_seq, position)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX timer_due ON timer (due_at_ms, instance_id, step_seq, position);

-- Business keys held by instances in flight; empty when keys need not be unique.
CREATE TABLE business_key (
    definition_id text COLLATE "C" NOT NULL,
    business_key  text COLLATE "C" NOT NULL,
    instance_id   text COLLATE "C" NOT NULL,
    PRIMARY KEY (definition_id, business_key)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- Completed instances whose next workflow has not been started yet.
CREATE TABLE chain (
    parent_id        text COLLATE "C" PRIMARY KEY,
    next_workflow_id text COLLATE "C" NOT NULL,
    business_key     text,
    due_at_ms        bigint NOT NULL,
    attempts         bigint NOT NULL DEFAULT 0
);
CREATE INDEX chain_due ON chain (due_at_ms, parent_id);
CREATE INDEX chain_by_next ON chain (next_workflow_id);

-- Every version of every definition; `source` is the author's JSON, `folded_name` the name in lower case for searches:
-- what lower() does depends on the locale, and in "C" it stops at ASCII.
CREATE TABLE definition (
    id             text COLLATE "C" NOT NULL,
    version        bigint NOT NULL,
    name           text NOT NULL,
    folded_name    text NOT NULL,
    description    text NOT NULL,
    source         bytea NOT NULL,
    uploaded_at_ms bigint NOT NULL,
    PRIMARY KEY (id, version)
);

-- What engines have to agree on: `business_keys` is `held` or `free`.
CREATE TABLE agreement (
    name  text PRIMARY KEY,
    value text NOT NULL
);
