-- Every statement the PostgreSQL store runs; the SQLite store has the same names.
--
-- Writes are array statements: one parameter per column, each an array with one element per row, in the order of the
-- columns of stores/projections.py. One statement for fifty rows costs little more than for one. The arrays come as
-- texts (see arrays.py), hence `$1::text::bigint[]`; bytes in them are base64.

-- name: insert_instance
INSERT INTO instance (id, definition_id, definition_version, business_key, parent_instance_id, started_at_ms,
                      status, completed_at_ms, failure_reason, child_instance_id, revision, state, variables)
SELECT id, definition_id, definition_version, business_key, parent_instance_id, started_at_ms,
       status, completed_at_ms, failure_reason, child_instance_id, revision, state, decode(variables, 'base64')
FROM unnest($1::text::text[], $2::text::text[], $3::text::bigint[], $4::text::text[], $5::text::text[],
            $6::text::bigint[], $7::text::text[], $8::text::bigint[], $9::text::text[], $10::text::text[],
            $11::text::bigint[], $12::text::text[], $13::text::text[])
     AS new (id, definition_id, definition_version, business_key, parent_instance_id, started_at_ms,
             status, completed_at_ms, failure_reason, child_instance_id, revision, state, variables);

-- The revision in WHERE is a second lock: a change built on an older state finds no row, and the batch is refused.
-- name: update_instance
UPDATE instance
SET status = new.status, completed_at_ms = new.completed_at_ms, failure_reason = new.failure_reason,
    child_instance_id = new.child_instance_id, revision = new.revision, state = new.state,
    variables = decode(new.variables, 'base64')
FROM unnest($1::text::text[], $2::text::bigint[], $3::text::text[], $4::text::text[], $5::text::bigint[],
            $6::text::text[], $7::text::text[], $8::text::text[], $9::text::bigint[])
     AS new (status, completed_at_ms, failure_reason, child_instance_id, revision, state, variables, id, before)
WHERE instance.id = new.id AND instance.revision = new.before;

-- name: insert_event
INSERT INTO event (instance_id, revision, at_ms, actor, command, events)
SELECT * FROM unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[], $4::text::text[], $5::text::text[],
                     $6::text::text[]);

-- name: delete_job
DELETE FROM job USING unnest($1::text::text[], $2::text::bigint[]) AS gone (instance_id, step_seq)
WHERE job.instance_id = gone.instance_id AND job.step_seq = gone.step_seq;

-- Rows get their `seq` in the order of the arrays.
-- name: insert_job
INSERT INTO job (instance_id, step_seq, delivery, step_id, job_type, definition_id, definition_version, business_key,
                 retries_remaining, created_at_ms, ready_at_ms, delayed, traceparent, ready)
SELECT new.*, NOT new.delayed
FROM unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[], $4::text::text[], $5::text::text[],
            $6::text::text[], $7::text::bigint[], $8::text::text[], $9::text::bigint[], $10::text::bigint[],
            $11::text::bigint[], $12::text::boolean[], $13::text::text[])
     AS new (instance_id, step_seq, delivery, step_id, job_type, definition_id, definition_version, business_key,
             retries_remaining, created_at_ms, ready_at_ms, delayed, traceparent);

-- name: insert_leased_job
INSERT INTO job (instance_id, step_seq, delivery, step_id, job_type, definition_id, definition_version, business_key,
                 retries_remaining, created_at_ms, ready_at_ms, delayed, traceparent,
                 worker_id, lease_token, locked_at_ms, lease_expires_at_ms, ready)
SELECT new.*, false
FROM unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[], $4::text::text[], $5::text::text[],
            $6::text::text[], $7::text::bigint[], $8::text::text[], $9::text::bigint[], $10::text::bigint[],
            $11::text::bigint[], $12::text::boolean[], $13::text::text[], $14::text::text[], $15::text::text[],
            $16::text::bigint[], $17::text::bigint[])
     AS new (instance_id, step_seq, delivery, step_id, job_type, definition_id, definition_version, business_key,
             retries_remaining, created_at_ms, ready_at_ms, delayed, traceparent,
             worker_id, lease_token, locked_at_ms, lease_expires_at_ms);

-- How a batch that is one statement ends (together.py): the number of instances that moved, and an error unless it is $1.
-- A statement may be a transaction by itself, and nobody could undo it afterwards.
-- name: all_moved
SELECT CASE WHEN count(*) = $1::bigint THEN count(*)
            ELSE (count(*) || ' instances moved: ' || $2::text)::bigint  -- no number: an error, and nothing is done
       END FROM update_instance;

-- Definitions of which a start relied on another version than the newest, without asking. It may even be gone: a
-- database that takes over need not have the last upload.
-- name: superseded
SELECT used.id FROM unnest($1::text::text[], $2::text::bigint[]) AS used (id, version)
WHERE (SELECT max(version) FROM definition WHERE definition.id = used.id) IS DISTINCT FROM used.version;

-- How a batch that is one statement ends if it relied on versions.
-- name: none_superseded
SELECT CASE WHEN count(*) = 0 THEN 0 ELSE (count(*) || ' versions: ' || $1::text)::bigint END FROM superseded;

-- name: delete_step_timers
DELETE FROM timer USING unnest($1::text::text[], $2::text::bigint[]) AS gone (instance_id, step_seq)
WHERE timer.instance_id = gone.instance_id AND timer.step_seq = gone.step_seq;

-- name: delete_timer
DELETE FROM timer
USING unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[]) AS gone (instance_id, step_seq, position)
WHERE timer.instance_id = gone.instance_id AND timer.step_seq = gone.step_seq AND timer.position = gone.position;

-- name: insert_timer
INSERT INTO timer (instance_id, step_seq, position, due_at_ms)
SELECT * FROM unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[], $4::text::bigint[]);

-- name: insert_user_task
INSERT INTO user_task (instance_id, seq, step_id, definition_id, definition_version, business_key, created_at_ms,
                       status, closed_at_ms, completed_by)
SELECT * FROM unnest($1::text::text[], $2::text::bigint[], $3::text::text[], $4::text::text[], $5::text::bigint[],
                     $6::text::text[], $7::text::bigint[], $8::text::text[], $9::text::bigint[], $10::text::text[]);

-- name: close_user_task
UPDATE user_task SET status = closed.status, closed_at_ms = closed.at_ms, completed_by = closed.completed_by
FROM unnest($1::text::text[], $2::text::bigint[], $3::text::text[], $4::text::text[], $5::text::bigint[])
     AS closed (status, at_ms, completed_by, instance_id, seq)
WHERE user_task.instance_id = closed.instance_id AND user_task.seq = closed.seq;

-- name: delete_key
DELETE FROM business_key
USING unnest($1::text::text[], $2::text::text[], $3::text::text[]) AS gone (definition_id, business_key, instance_id)
WHERE business_key.definition_id = gone.definition_id AND business_key.business_key = gone.business_key
  AND business_key.instance_id = gone.instance_id;

-- In the order of keys: an engine may wait here for another that takes the same key, and must not be waited for.
-- name: insert_key
INSERT INTO business_key (definition_id, business_key, instance_id)
SELECT * FROM unnest($1::text::text[], $2::text::text[], $3::text::text[])
     AS new (definition_id, business_key, instance_id)
ORDER BY definition_id COLLATE "C", business_key COLLATE "C";

-- name: delete_chain
DELETE FROM chain WHERE parent_id = ANY($1::text::text[]);

-- name: insert_chain
INSERT INTO chain (parent_id, next_workflow_id, business_key, due_at_ms)
SELECT * FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::bigint[]);

-- A chain that another engine is starting this moment is left alone: waiting for it could end in a deadlock, and it is
-- either started or tried again soon.
-- name: hasten_chains
UPDATE chain SET due_at_ms = $1
WHERE parent_id = ANY(ARRAY(
    SELECT parent_id FROM chain WHERE next_workflow_id = ANY($2::text[]) AND due_at_ms > $1 FOR UPDATE SKIP LOCKED));

-- name: postpone_chain
UPDATE chain SET due_at_ms = $1, attempts = attempts + 1 WHERE parent_id = $2;

-- name: chain_attempts
SELECT attempts FROM chain WHERE parent_id = $1;

-- In the order of ids, so that two engines that need the same instances wait for, but never block, each other.
-- name: load_instance
SELECT id, state, variables FROM instance WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE;

-- A statement of its own after load_instance: while that waited for a lock, a lease may have changed.
-- name: load_lease
SELECT job.instance_id, job.step_seq, job.delivery, worker_id, lease_token, lease_expires_at_ms
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS wanted (instance_id, step_seq, delivery)
JOIN job ON job.instance_id = wanted.instance_id AND job.step_seq = wanted.step_seq
        AND job.delivery = wanted.delivery
WHERE worker_id IS NOT NULL;

-- Lease and instance as they were at one moment, nothing locked.
-- name: load_reported
SELECT instance.id, wanted.step_seq, wanted.delivery, worker_id, lease_token, lease_expires_at_ms, state, variables
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS wanted (instance_id, step_seq, delivery)
JOIN instance ON instance.id = wanted.instance_id
LEFT JOIN job ON job.instance_id = wanted.instance_id AND job.step_seq = wanted.step_seq
             AND job.delivery = wanted.delivery;

-- name: agreed_keys
SELECT value FROM agreement WHERE name = 'business_keys';

-- name: agree_keys
INSERT INTO agreement (name, value) VALUES ('business_keys', $1) ON CONFLICT (name) DO UPDATE SET value = $1;

-- Engines at work wait: a key must not be adopted while its instance is being completed.
-- name: lock_keys
LOCK TABLE business_key IN SHARE ROW EXCLUSIVE MODE;

-- name: forget_keys
DELETE FROM business_key;

-- For a database whose keys were not unique until now: who started first holds the key.
-- name: adopt_keys
INSERT INTO business_key (definition_id, business_key, instance_id)
SELECT DISTINCT ON (definition_id, business_key) definition_id, business_key, id FROM instance
WHERE business_key IS NOT NULL AND status IN ('ACTIVE', 'WAITING')
ORDER BY definition_id, business_key, started_at_ms, id
ON CONFLICT DO NOTHING;

-- name: load_key
SELECT held.definition_id, held.business_key, held.instance_id
FROM unnest($1::text[], $2::text[]) AS wanted (definition_id, business_key)
JOIN business_key AS held
  ON held.definition_id = wanted.definition_id AND held.business_key = wanted.business_key;

-- name: latest_version
SELECT wanted.id, (SELECT max(version) FROM definition WHERE definition.id = wanted.id)
FROM unnest($1::text[]) AS wanted (id);

-- Per type the oldest, from the index; $7 says which of the requests gets the first of them, the second … LIMIT is a
-- literal and each type has its own inner scan: `IN (…)` would sort all that wait, and with `LIMIT $n` a generic plan
-- expects a tenth of the table. FOR UPDATE checks `ready` again on the newest row, so no job is given away twice. With
-- the variables as they are at this moment if they are light ($8), and the types of which more was looked at than handed out. `turns` is
-- read once there, and would be for every job if it stood in the list of columns.
-- name: claim_jobs
WITH turns AS MATERIALIZED (
    SELECT $7::text::bigint[] AS list
), oldest AS MATERIALIZED (
    SELECT job.*, row_number() OVER (ORDER BY job.seq) AS place,
           turns.list[row_number() OVER (ORDER BY job.seq)] AS turn
    FROM turns CROSS JOIN unnest($1::text[], $2::bigint[]) AS wanted (job_type, after)
    CROSS JOIN LATERAL (
        SELECT seq, instance_id, step_seq, job_type FROM job
        WHERE job.ready AND job.job_type = wanted.job_type AND job.seq > wanted.after
        ORDER BY job.seq LIMIT {limit} FOR UPDATE SKIP LOCKED
    ) AS job
)
UPDATE job
SET worker_id = ($3::text[])[oldest.turn], lease_token = ($4::text[])[oldest.turn], locked_at_ms = $6,
    lease_expires_at_ms = ($5::bigint[])[oldest.turn], ready = false
FROM oldest JOIN instance ON instance.id = oldest.instance_id
WHERE job.instance_id = oldest.instance_id AND job.step_seq = oldest.step_seq
  AND oldest.turn IS NOT NULL
RETURNING oldest.place, job.seq, job.instance_id, job.step_seq, job.delivery, job.job_type, job.step_id,
          job.definition_id, job.definition_version, job.business_key, job.retries_remaining, job.created_at_ms,
          job.ready_at_ms, job.traceparent,
          CASE WHEN octet_length(instance.variables) <= $8 THEN instance.variables END,
          instance.revision, instance.state, octet_length(instance.variables),
          (SELECT array_agg(DISTINCT job_type) FROM oldest WHERE turn IS NULL);

-- Leases of jobs that were claimed a moment ago, for whom they are after all; nobody, where the worker is NULL. The last
-- parameter is what they were claimed with: a lease that somebody else has by now stays theirs.
-- name: claim_anew
UPDATE job
SET worker_id = lease.worker_id, lease_token = lease.token, lease_expires_at_ms = lease.expires_at_ms,
    locked_at_ms = CASE WHEN lease.worker_id IS NOT NULL THEN job.locked_at_ms END, ready = lease.worker_id IS NULL
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])
     AS lease (worker_id, token, expires_at_ms, instance_id, step_seq)
WHERE job.instance_id = lease.instance_id AND job.step_seq = lease.step_seq AND job.lease_token = ANY($6::text[]);

-- name: read_claimed
SELECT id, variables, revision, state FROM instance WHERE id = ANY($1::text[]);

-- name: extend_lease
UPDATE job SET worker_id = $1, lease_token = $2, lease_expires_at_ms = $3
WHERE instance_id = $4 AND step_seq = $5 AND delivery = $6 AND worker_id IS NOT NULL;

-- name: give_back
UPDATE job SET worker_id = NULL, lease_token = NULL, locked_at_ms = NULL, lease_expires_at_ms = NULL, ready = true
FROM unnest($1::text[], $2::bigint[], $3::text[]) AS back (instance_id, step_seq, lease_token)
WHERE job.instance_id = back.instance_id AND job.step_seq = back.step_seq AND job.lease_token = back.lease_token
RETURNING job.job_type;

-- In the order of the queue, so that two engines that do this at once never block each other. Rows are found again by
-- their place in the table: locked rows do not move.
-- name: ripen
WITH ripe AS (
    UPDATE job SET delayed = false, ready = true
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM job WHERE delayed AND ready_at_ms <= $1 ORDER BY ready_at_ms, seq FOR UPDATE))
    RETURNING job_type
)
SELECT DISTINCT job_type FROM ripe ORDER BY job_type;

-- name: due_timers
SELECT instance_id, step_seq, position FROM timer WHERE due_at_ms <= $1
ORDER BY due_at_ms, instance_id, step_seq, position LIMIT $2;

-- name: due_leases
SELECT instance_id, step_seq, delivery FROM job WHERE lease_expires_at_ms <= $1
ORDER BY lease_expires_at_ms, seq LIMIT $2;

-- name: due_chains
SELECT parent_id, next_workflow_id, business_key FROM chain WHERE due_at_ms <= $1
ORDER BY due_at_ms, parent_id LIMIT $2;

-- All three in one round trip.
-- name: next_due
SELECT least((SELECT min(due_at_ms) FROM timer WHERE due_at_ms > $1),
             (SELECT min(lease_expires_at_ms) FROM job WHERE lease_expires_at_ms > $1),
             (SELECT min(due_at_ms) FROM chain WHERE due_at_ms > $1));

-- The first of the delayed, ripe or not.
-- name: next_ripe
SELECT min(ready_at_ms) FROM job WHERE delayed;

-- Uploads of one id take turns; the lock ends with the transaction.
-- name: lock_definition
SELECT pg_advisory_xact_lock(hashtextextended($1, 0));

-- name: latest_definition
SELECT id, version, name, description, source, uploaded_at_ms FROM definition WHERE id = $1
ORDER BY version DESC LIMIT 1;

-- name: definition_version
SELECT id, version, name, description, source, uploaded_at_ms FROM definition WHERE id = $1 AND version = $2;

-- name: insert_definition
INSERT INTO definition (id, version, name, description, source, uploaded_at_ms, folded_name)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: replace_source
UPDATE definition SET source = $1 WHERE id = $2 AND version = $3;

-- An id is ASCII, so lower() serves for it.
-- name: definitions
SELECT id, version, name, description, source, uploaded_at_ms FROM definition AS this
WHERE version = (SELECT max(version) FROM definition WHERE id = this.id)
  AND (strpos(lower(id), $1) > 0 OR strpos(folded_name, $1) > 0)
ORDER BY id LIMIT $2 OFFSET $3;

-- name: count_definitions
SELECT count(*) FROM definition AS this
WHERE version = (SELECT max(version) FROM definition WHERE id = this.id)
  AND (strpos(lower(id), $1) > 0 OR strpos(folded_name, $1) > 0);

-- name: read_instance
SELECT state, variables FROM instance WHERE id = $1;

-- name: history
SELECT instance_id, revision, at_ms, actor, command, events FROM event
WHERE instance_id = $1 AND revision > $2 ORDER BY revision;

-- name: instances
SELECT state, variables FROM instance
WHERE {where}
ORDER BY started_at_ms DESC, id LIMIT $1 OFFSET $2;

-- name: count_instances
SELECT count(*) FROM instance WHERE {where};

-- name: user_tasks
SELECT instance_id, seq, step_id, definition_id, definition_version, business_key, status, created_at_ms,
       closed_at_ms, completed_by
FROM user_task WHERE {where}
ORDER BY created_at_ms, instance_id, seq LIMIT $1 OFFSET $2;

-- name: count_user_tasks
SELECT count(*) FROM user_task WHERE {where};

-- Two arms, so that each is answered from its own index.
-- name: backlog
SELECT job_type, sum(waiting)::bigint, min(oldest) FROM (
    SELECT job_type, count(*) AS waiting, min(created_at_ms) AS oldest FROM job WHERE ready GROUP BY job_type
    UNION ALL
    SELECT job_type, count(*), min(created_at_ms) FROM job WHERE delayed AND ready_at_ms <= $1 GROUP BY job_type
) AS waiting GROUP BY job_type ORDER BY job_type;

-- name: instance_ids
SELECT id FROM instance WHERE id > $1 ORDER BY id LIMIT $2;

-- Dead rows are what slows claims down, so this is throughput. Not truncating the file, which would lock the table.
-- An estimate; -1 as long as nobody has looked.
-- name: job_rows
SELECT reltuples::float8 FROM pg_class WHERE oid = 'job'::regclass;

-- name: vacuum_jobs
VACUUM (TRUNCATE false, SKIP_LOCKED) job;

-- One engine at a time; the lock goes with its connection if the engine dies.
-- name: try_vacuum_lock
SELECT pg_try_advisory_lock(1382376301, 2);

-- name: leave_vacuum_lock
SELECT pg_advisory_unlock(1382376301, 2);

-- name: database_time
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8;

-- name: notify
SELECT pg_notify($1, $2);

-- A dossier is read by `doctor` in one transaction.
-- name: dossier_instances
SELECT id, status, revision, state, variables FROM instance WHERE id = ANY($1::text[]) ORDER BY id;

-- name: dossier_history
SELECT instance_id, revision, at_ms, actor, command, events FROM event
WHERE instance_id = ANY($1::text[]) ORDER BY instance_id, revision;

-- name: dossier_jobs
SELECT instance_id, step_seq, delivery, job_type, retries_remaining, ready_at_ms, lease_expires_at_ms FROM job
WHERE instance_id = ANY($1::text[]) ORDER BY instance_id, step_seq;

-- name: dossier_timers
SELECT instance_id, step_seq, position, due_at_ms FROM timer
WHERE instance_id = ANY($1::text[]) ORDER BY instance_id, step_seq, position;

-- name: dossier_tasks
SELECT instance_id, seq, status FROM user_task WHERE instance_id = ANY($1::text[]) ORDER BY instance_id, seq;

-- No index leads from an instance to its key. Keys are held by instances in flight only, so the table is small.
-- name: dossier_keys
SELECT instance_id, definition_id, business_key FROM business_key
WHERE instance_id = ANY($1::text[]) ORDER BY instance_id, definition_id, business_key;

-- name: dossier_chains
SELECT parent_id, next_workflow_id, business_key FROM chain WHERE parent_id = ANY($1::text[]) ORDER BY parent_id;

-- name: strays
SELECT kind, owner FROM (
    SELECT 'business_key' AS kind, instance_id AS owner FROM business_key
    UNION SELECT 'chain', parent_id FROM chain
    UNION SELECT 'event', instance_id FROM event
    UNION SELECT 'job', instance_id FROM job
    UNION SELECT 'timer', instance_id FROM timer
    UNION SELECT 'user_task', instance_id FROM user_task
) AS owned
WHERE NOT EXISTS (SELECT 1 FROM instance WHERE instance.id = owner)
ORDER BY kind, owner LIMIT $1;
