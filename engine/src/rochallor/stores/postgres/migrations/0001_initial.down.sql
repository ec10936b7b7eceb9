-- Everything goes, with all that was ever stored.
DROP TABLE agreement, definition, chain, business_key, timer, user_task, job, event, instance;
