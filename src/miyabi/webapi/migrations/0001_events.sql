-- What happened in the environment. Rows are added and never changed.

CREATE TABLE events (
    id              uuid PRIMARY KEY,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    type            text NOT NULL,
    message         text NOT NULL,
    data            jsonb,
    -- The name of the key that the event came with.
    author          text NOT NULL,
    -- What makes a repeated request the same request, and a digest of what was asked with it.
    idempotency_key text,
    request_digest  bytea
);

-- The order of the list, and of the list of one type: newest first.
CREATE INDEX events_newest ON events (occurred_at DESC, id DESC);
CREATE INDEX events_newest_of_type ON events (type, occurred_at DESC, id DESC);

CREATE UNIQUE INDEX events_idempotency ON events (author, idempotency_key) WHERE idempotency_key IS NOT NULL;
