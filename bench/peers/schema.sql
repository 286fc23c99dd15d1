-- What a user would build on PostgreSQL instead: the rows that deciding about a
-- small payout takes, as a DBA would lay them out. No history of rules, no
-- hash chain, no events, no expiry: in all that it has less to do than Bursar.
CREATE TABLE shops (
    shop text PRIMARY KEY,
    operating_state text NOT NULL,
    qualification text NOT NULL,
    frozen boolean NOT NULL DEFAULT false,
    withdrawal_frozen boolean NOT NULL DEFAULT false
);

CREATE TABLE accounts (
    shop text PRIMARY KEY REFERENCES shops,
    balance numeric(20, 2) NOT NULL,
    held numeric(20, 2) NOT NULL DEFAULT 0,
    frozen numeric(20, 2) NOT NULL DEFAULT 0
);

CREATE TABLE operators (
    shop text NOT NULL REFERENCES shops,
    operator text NOT NULL,
    kind text NOT NULL,
    frozen boolean NOT NULL DEFAULT false,
    PRIMARY KEY (shop, operator)
);

CREATE TABLE grants (
    shop text NOT NULL,
    operator text NOT NULL,
    enabled boolean NOT NULL,
    per_payout numeric(20, 2),
    daily numeric(20, 2),
    PRIMARY KEY (shop, operator),
    FOREIGN KEY (shop, operator) REFERENCES operators
);

CREATE TABLE orders (
    shop text NOT NULL,
    order_id text NOT NULL,
    app text NOT NULL,
    payment_method text NOT NULL,
    placed_at timestamptz NOT NULL,
    status text NOT NULL,
    deposit_presale boolean NOT NULL,
    local_life boolean NOT NULL,
    cross_border boolean NOT NULL,
    paid numeric(20, 2) NOT NULL,
    items text[] NOT NULL,
    source_time timestamptz NOT NULL,
    PRIMARY KEY (shop, order_id)
);

-- The running use of a limit: how much, or when last.
CREATE TABLE meters (
    limit_id text NOT NULL,
    scope text NOT NULL,
    window_start date NOT NULL,
    used numeric(20, 2) NOT NULL,
    last timestamptz NOT NULL,
    PRIMARY KEY (limit_id, scope, window_start)
);

CREATE TABLE payouts (
    shop text NOT NULL,
    payout bigint GENERATED ALWAYS AS IDENTITY,
    order_id text NOT NULL,
    operator text NOT NULL,
    payout_type text NOT NULL,
    item text NOT NULL,
    amount numeric(20, 2) NOT NULL,
    state text NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    PRIMARY KEY (shop, payout)
);
CREATE INDEX ON payouts (shop, order_id);

-- Every decision, by the caller's request id, with what was asked.
CREATE TABLE decisions (
    shop text NOT NULL,
    request_id text NOT NULL,
    content text NOT NULL,
    receipt text NOT NULL,
    PRIMARY KEY (shop, request_id)
);
