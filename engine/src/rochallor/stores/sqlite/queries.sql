-- Every statement the SQLite store runs; another dialect has the same names.
-- Rows of writes come in the order of the columns named here (stores/projections.py).

-- name: insert_instance
INSERT INTO instance (id, definition_id, definition_version, business_key, parent_instance_id, started_at_ms,
                      status, completed_at_ms, failure_reason, child_instance_id, revision, state, variables)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- The revision in WHERE is the lock: a change built on an older state finds no row, and the batch is refused.
-- name: update_instance
UPDATE instance
SET status = ?, completed_at_ms = ?, failure_reason = ?, child_instance_id = ?, revision = ?, state = ?, variables = ?
WHERE id = ? AND revision = ?;

-- name: insert_event
INSERT INTO event (instance_id, revision, at_ms, actor, command, events) VALUES (?, ?, ?, ?, ?, ?);

-- name: delete_job
DELETE FROM job WHERE instance_id = ? AND step_seq = ?;

-- name: insert_job
INSERT INTO job (instance_id, step_seq, delivery, step_id, job_type, definition_id, definition_version, business_key,
                 retries_remaining, created_at_ms, ready_at_ms, delayed, traceparent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_leased_job
INSERT INTO job (instance_id, step_seq, delivery, step_id, job_type, definition_id, definition_version, business_key,
                 retries_remaining, created_at_ms, ready_at_ms, delayed, traceparent,
                 worker_id, lease_token, locked_at_ms, lease_expires_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: delete_step_timers
DELETE FROM timer WHERE instance_id = ? AND step_seq = ?;

-- name: delete_timer
DELETE FROM timer WHERE instance_id = ? AND step_seq = ? AND position = ?;

-- name: insert_timer
INSERT INTO timer (instance_id, step_seq, position, due_at_ms) VALUES (?, ?, ?, ?);

-- name: insert_user_task
INSERT INTO user_task (instance_id, seq, step_id, definition_id, definition_version, business_key, created_at_ms,
                       status, closed_at_ms, completed_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: close_user_task
UPDATE user_task SET status = ?, closed_at_ms = ?, completed_by = ? WHERE instance_id = ? AND seq = ?;

-- name: delete_key
DELETE FROM business_key WHERE definition_id = ? AND business_key = ? AND instance_id = ?;

-- name: insert_key
INSERT INTO business_key (definition_id, business_key, instance_id) VALUES (?, ?, ?);

-- name: delete_chain
DELETE FROM chain WHERE parent_id = ?;

-- name: insert_chain
INSERT INTO chain (parent_id, next_workflow_id, business_key, due_at_ms) VALUES (?, ?, ?, ?);

-- name: hasten_chains
UPDATE chain SET due_at_ms = min(due_at_ms, ?) WHERE next_workflow_id = ?;

-- name: postpone_chain
UPDATE chain SET due_at_ms = ?, attempts = attempts + 1 WHERE parent_id = ?;

-- name: chain_attempts
SELECT attempts FROM chain WHERE parent_id = ?;

-- name: load_instance
SELECT state, variables FROM instance WHERE id = ?;

-- name: load_lease
SELECT worker_id, lease_token, lease_expires_at_ms
FROM job WHERE instance_id = ? AND step_seq = ? AND delivery = ? AND worker_id IS NOT NULL;

-- name: forget_keys
DELETE FROM business_key;

-- For a file whose keys were not unique until now: who started first holds the key.
-- name: adopt_keys
INSERT OR IGNORE INTO business_key (definition_id, business_key, instance_id)
SELECT definition_id, business_key, id FROM instance
WHERE business_key IS NOT NULL AND status IN ('ACTIVE', 'WAITING') AND NOT EXISTS (SELECT 1 FROM business_key)
ORDER BY started_at_ms, id;

-- name: load_key
SELECT instance_id FROM business_key WHERE definition_id = ? AND business_key = ?;

-- name: latest_version
SELECT max(version) FROM definition WHERE id = ?;

-- One type at a time: the index gives the oldest of each, the caller merges. IN (…) would sort all that wait. The CROSS
-- JOIN keeps the order of the loops, and so of the queue.
-- name: ready_jobs
SELECT seq, instance_id, step_seq, delivery, job_type, step_id, job.definition_id, job.definition_version,
       job.business_key, retries_remaining, created_at_ms, ready_at_ms, traceparent, variables, revision, state
FROM job INDEXED BY job_ready CROSS JOIN instance ON instance.id = job.instance_id
WHERE worker_id IS NULL AND delayed = 0 AND job_type = ?
ORDER BY seq LIMIT ?;

-- name: lock_job
UPDATE job SET worker_id = ?, lease_token = ?, locked_at_ms = ?, lease_expires_at_ms = ?
WHERE instance_id = ? AND step_seq = ?;

-- name: extend_lease
UPDATE job SET worker_id = ?, lease_token = ?, lease_expires_at_ms = ?
WHERE instance_id = ? AND step_seq = ? AND delivery = ? AND worker_id IS NOT NULL;

-- name: give_back
UPDATE job SET worker_id = NULL, lease_token = NULL, locked_at_ms = NULL, lease_expires_at_ms = NULL
WHERE instance_id = ? AND step_seq = ? AND lease_token = ?;

-- name: ripe_types
SELECT DISTINCT job_type FROM job WHERE delayed = 1 AND ready_at_ms <= ? ORDER BY job_type;

-- name: ripen
UPDATE job SET delayed = 0 WHERE delayed = 1 AND ready_at_ms <= ?;

-- name: due_timers
SELECT instance_id, step_seq, position FROM timer WHERE due_at_ms <= ?
ORDER BY due_at_ms, instance_id, step_seq, position LIMIT ?;

-- name: due_leases
SELECT instance_id, step_seq, delivery FROM job WHERE lease_expires_at_ms <= ?
ORDER BY lease_expires_at_ms, seq LIMIT ?;

-- name: due_chains
SELECT parent_id, next_workflow_id, business_key FROM chain WHERE due_at_ms <= ? ORDER BY due_at_ms, parent_id LIMIT ?;

-- name: next_timer
SELECT min(due_at_ms) FROM timer WHERE due_at_ms > ?;

-- name: next_lease
SELECT min(lease_expires_at_ms) FROM job WHERE lease_expires_at_ms > ?;

-- name: next_chain
SELECT min(due_at_ms) FROM chain WHERE due_at_ms > ?;

-- The first of the delayed, ripe or not.
-- name: next_ripe
SELECT min(ready_at_ms) FROM job WHERE delayed = 1;

-- name: latest_definition
SELECT id, version, name, description, source, uploaded_at_ms FROM definition WHERE id = ?
ORDER BY version DESC LIMIT 1;

-- name: definition_version
SELECT id, version, name, description, source, uploaded_at_ms FROM definition WHERE id = ? AND version = ?;

-- name: insert_definition
INSERT INTO definition (id, version, name, description, source, uploaded_at_ms) VALUES (?, ?, ?, ?, ?, ?);

-- name: replace_source
UPDATE definition SET source = ? WHERE id = ? AND version = ?;

-- `fold` is ours: lower case beyond ASCII, which SQLite's own functions do not do.
-- name: definitions
SELECT id, version, name, description, source, uploaded_at_ms FROM definition AS this
WHERE version = (SELECT max(version) FROM definition WHERE id = this.id)
  AND (?1 = '' OR instr(fold(id), ?1) OR instr(fold(name), ?1))
ORDER BY id LIMIT ?2 OFFSET ?3;

-- name: count_definitions
SELECT count(*) FROM definition AS this
WHERE version = (SELECT max(version) FROM definition WHERE id = this.id)
  AND (?1 = '' OR instr(fold(id), ?1) OR instr(fold(name), ?1));

-- name: history
SELECT instance_id, revision, at_ms, actor, command, events FROM event
WHERE instance_id = ? AND revision > ? ORDER BY revision;

-- name: instances
SELECT state, variables FROM instance
WHERE {where}
ORDER BY started_at_ms DESC, id LIMIT ? OFFSET ?;

-- name: count_instances
SELECT count(*) FROM instance WHERE {where};

-- name: user_tasks
SELECT instance_id, seq, step_id, definition_id, definition_version, business_key, status, created_at_ms,
       closed_at_ms, completed_by
FROM user_task WHERE {where}
ORDER BY created_at_ms, instance_id, seq LIMIT ? OFFSET ?;

-- name: count_user_tasks
SELECT count(*) FROM user_task WHERE {where};

-- Two arms, so that each is answered from its own index.
-- name: backlog
SELECT job_type, sum(waiting), min(oldest) FROM (
    SELECT job_type, count(*) AS waiting, min(created_at_ms) AS oldest
    FROM job WHERE worker_id IS NULL AND delayed = 0 GROUP BY job_type
    UNION ALL
    SELECT job_type, count(*), min(created_at_ms)
    FROM job WHERE delayed = 1 AND ready_at_ms <= ? GROUP BY job_type
) GROUP BY job_type ORDER BY job_type;

-- name: instance_ids
SELECT id FROM instance WHERE id > ? ORDER BY id LIMIT ?;

-- A dossier is read by `doctor` in one transaction; the ids come as a JSON array.
-- name: dossier_instances
SELECT id, status, revision, state, variables FROM instance
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id;

-- name: dossier_history
SELECT instance_id, revision, at_ms, actor, command, events FROM event
WHERE instance_id IN (SELECT value FROM json_each(?)) ORDER BY instance_id, revision;

-- name: dossier_jobs
SELECT instance_id, step_seq, delivery, job_type, retries_remaining, ready_at_ms, lease_expires_at_ms FROM job
WHERE instance_id IN (SELECT value FROM json_each(?)) ORDER BY instance_id, step_seq;

-- name: dossier_timers
SELECT instance_id, step_seq, position, due_at_ms FROM timer
WHERE instance_id IN (SELECT value FROM json_each(?)) ORDER BY instance_id, step_seq, position;

-- name: dossier_tasks
SELECT instance_id, seq, status FROM user_task
WHERE instance_id IN (SELECT value FROM json_each(?)) ORDER BY instance_id, seq;

-- From the instance to the key it holds, by the key's index; a key that is not its instance's own is a stray.
-- name: dossier_keys
SELECT own.id, held.definition_id, held.business_key
FROM instance AS own JOIN business_key AS held
  ON held.definition_id = own.definition_id AND held.business_key = own.business_key AND held.instance_id = own.id
WHERE own.id IN (SELECT value FROM json_each(?));

-- name: dossier_chains
SELECT parent_id, next_workflow_id, business_key FROM chain
WHERE parent_id IN (SELECT value FROM json_each(?)) ORDER BY parent_id;

-- name: strays
SELECT kind, owner FROM (
    SELECT 'chain' AS kind, parent_id AS owner FROM chain
    UNION SELECT 'event', instance_id FROM event
    UNION SELECT 'job', instance_id FROM job
    UNION SELECT 'timer', instance_id FROM timer
    UNION SELECT 'user_task', instance_id FROM user_task
)
WHERE owner NOT IN (SELECT id FROM instance)
UNION
SELECT 'business_key', instance_id FROM business_key AS held
WHERE NOT EXISTS (
    SELECT 1 FROM instance AS own
    WHERE own.id = held.instance_id
      AND own.definition_id = held.definition_id AND own.business_key = held.business_key
)
ORDER BY 1, 2 LIMIT ?;
