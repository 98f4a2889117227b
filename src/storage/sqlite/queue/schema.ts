/** Tables of QueueService. Times are milliseconds since the Unix epoch; NULL is never or none. */
export const queueSchema = `
CREATE TABLE queue_marks (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  next_tube INTEGER NOT NULL,
  next_key INTEGER NOT NULL,
  next_fence INTEGER NOT NULL
) STRICT;

CREATE TABLE tubes (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  temporary INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  next_id INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  paused_until INTEGER,
  settings TEXT NOT NULL
) STRICT;

-- The payload comes last, so that reading the other columns does not read it.
CREATE TABLE tasks (
  key INTEGER PRIMARY KEY,
  tube INTEGER NOT NULL,
  id INTEGER NOT NULL,
  buried INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ready_at INTEGER NOT NULL,
  expires_at INTEGER,
  ttr INTEGER,
  attempts INTEGER NOT NULL,
  size INTEGER NOT NULL,
  group_name TEXT,
  dedup_key TEXT,
  reason TEXT,
  format TEXT NOT NULL,
  attributes TEXT,
  payload ANY NOT NULL
) STRICT;

CREATE TABLE dedup_keys (
  tube INTEGER NOT NULL,
  key TEXT NOT NULL,
  id INTEGER NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (tube, key)
) STRICT;

CREATE TABLE kept_leases (
  token TEXT PRIMARY KEY,
  tube INTEGER NOT NULL,
  id INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  deadline INTEGER,
  session TEXT NOT NULL
) STRICT;

CREATE TABLE kept_sessions (
  id TEXT PRIMARY KEY,
  ttl INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
`;

/** What was left of each at the stop; NULL: it has no end, or that is not known. */
export const keptTimesSchema = `
ALTER TABLE kept_leases ADD COLUMN left_ms INTEGER;
ALTER TABLE kept_sessions ADD COLUMN left_ms INTEGER;
`;
