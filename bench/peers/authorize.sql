-- The published rows of the small-payout policy as one function: may it, and
-- hold it if so. Returns a receipt with every reason. The account's row is
-- locked first; everything else is the shop's own and thereby locked too.
CREATE FUNCTION authorize(
    p_shop text, p_request text, p_operator text, p_order text, p_amount numeric,
    p_channel text, p_type text, p_item text,
    p_app text, p_method text, p_placed timestamptz, p_status text, p_presale boolean,
    p_local boolean, p_cross boolean, p_paid numeric, p_items text[], p_source timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := now();
    v_day date := (v_now AT TIME ZONE 'Asia/Shanghai')::date;
    v_ever date := DATE '2000-01-01';
    v_content text := concat_ws('|', p_operator, p_order, p_amount, p_channel, p_type, p_item);
    v_order_scope text := p_shop || '/' || p_order;
    v_operator_scope text := p_shop || '/' || p_operator;
    v_reasons text[] := '{}';
    v_decision decisions;
    v_account accounts;
    v_shop shops;
    v_operator operators;
    v_grant grants;
    v_order orders;
    v_meter meters;
    v_bound numeric;
    v_requested numeric;
    v_payout bigint;
    v_receipt text;
BEGIN
    SELECT * INTO v_account FROM accounts WHERE shop = p_shop FOR UPDATE;

    -- Idempotency.
    SELECT * INTO v_decision FROM decisions WHERE shop = p_shop AND request_id = p_request;
    IF FOUND THEN
        IF v_decision.content <> v_content THEN
            RAISE EXCEPTION 'request id % was used for something else', p_request;
        END IF;
        RETURN v_decision.receipt;
    END IF;

    SELECT * INTO v_shop FROM shops WHERE shop = p_shop;
    IF NOT FOUND THEN RAISE EXCEPTION 'no shop %', p_shop; END IF;
    SELECT * INTO v_operator FROM operators WHERE shop = p_shop AND operator = p_operator;
    IF NOT FOUND THEN RAISE EXCEPTION 'no operator %', p_operator; END IF;
    SELECT * INTO v_grant FROM grants WHERE shop = p_shop AND operator = p_operator;

    -- An order that comes along; the newest source time wins.
    INSERT INTO orders AS known VALUES (
        p_shop, p_order, p_app, p_method, p_placed, p_status, p_presale, p_local, p_cross,
        p_paid, p_items, p_source
    ) ON CONFLICT (shop, order_id) DO UPDATE SET
        app = excluded.app, payment_method = excluded.payment_method,
        placed_at = excluded.placed_at, status = excluded.status,
        deposit_presale = excluded.deposit_presale, local_life = excluded.local_life,
        cross_border = excluded.cross_border, paid = excluded.paid, items = excluded.items,
        source_time = excluded.source_time
    WHERE known.source_time < excluded.source_time
    RETURNING * INTO v_order;
    IF NOT FOUND THEN
        SELECT * INTO v_order FROM orders WHERE shop = p_shop AND order_id = p_order;
    END IF;

    -- Conditions.
    IF v_order.app NOT IN ('douyin', 'douyin_huoshan') THEN v_reasons := v_reasons || 'app-supported'::text; END IF;
    IF v_order.payment_method <> 'online' THEN v_reasons := v_reasons || 'paid-online'::text; END IF;
    IF v_order.placed_at <= v_now - interval '12 months' THEN v_reasons := v_reasons || 'order-age'::text; END IF;
    IF NOT (v_order.status IN ('preparing', 'partially_shipped', 'shipped', 'completed')
            OR (v_order.status = 'closed' AND v_order.deposit_presale)) THEN
        v_reasons := v_reasons || 'status-allowed'::text;
    END IF;
    IF v_account.shop IS NULL THEN v_reasons := v_reasons || 'settlement-opened'::text; END IF;
    IF p_channel NOT IN ('shop_pc_after_sales', 'shop_pc_order_detail', 'service_desk_pc') THEN
        v_reasons := v_reasons || 'channel-allowed'::text;
    END IF;
    IF v_order.local_life THEN v_reasons := v_reasons || 'no-local-life'::text; END IF;
    IF v_order.cross_border THEN v_reasons := v_reasons || 'no-cross-border'::text; END IF;
    IF v_shop.operating_state <> 'normal' THEN v_reasons := v_reasons || 'shop-operating'::text; END IF;
    IF v_shop.qualification = 'individual' THEN v_reasons := v_reasons || 'shop-qualified'::text; END IF;
    IF v_operator.kind <> 'MAIN' AND v_grant.enabled IS NOT TRUE THEN
        v_reasons := v_reasons || 'operator-granted'::text;
    END IF;
    IF v_shop.withdrawal_frozen THEN v_reasons := v_reasons || 'withdrawal-open'::text; END IF;
    IF v_shop.frozen THEN v_reasons := v_reasons || 'shop-open'::text; END IF;
    IF v_operator.frozen THEN v_reasons := v_reasons || 'operator-open'::text; END IF;
    IF p_item <> '' AND NOT p_item = ANY (v_order.items) THEN v_reasons := v_reasons || 'item-of-order'::text; END IF;
    IF EXISTS (
        SELECT FROM payouts WHERE shop = p_shop AND order_id = p_order AND payout_type = p_type
            AND item = p_item AND amount = p_amount AND state = 'PROCESSING'
    ) THEN
        v_reasons := v_reasons || 'no-repeat'::text;
    END IF;

    -- Limits that count.
    FOR v_meter IN
        SELECT * FROM meters WHERE (limit_id, scope, window_start) IN (
            ('order-count', v_order_scope, v_ever), ('order-total', v_order_scope, v_ever),
            ('order-interval', v_order_scope, v_ever), ('order-paid', v_order_scope, v_ever),
            ('shop-daily', p_shop, v_day), ('operator-daily', v_operator_scope, v_day)
        ) ORDER BY limit_id, scope FOR UPDATE
    LOOP
        v_requested := p_amount;
        CASE v_meter.limit_id
            WHEN 'order-count' THEN v_bound := 5; v_requested := 1;
            WHEN 'order-total' THEN v_bound := 500;
            WHEN 'order-paid' THEN v_bound := v_order.paid;
            WHEN 'shop-daily' THEN v_bound := 15000;
            WHEN 'operator-daily' THEN v_bound := v_grant.daily;
            WHEN 'order-interval' THEN
                v_bound := CASE WHEN v_meter.last > v_now - interval '60 seconds' THEN 0 ELSE 1 END;
                v_requested := 1;
                v_meter.used := 0;
        END CASE;
        IF v_meter.used + v_requested > v_bound THEN v_reasons := v_reasons || v_meter.limit_id; END IF;
    END LOOP;
    -- What the first payout of a window may exceed already.
    IF p_amount > 500 AND NOT 'order-total' = ANY (v_reasons) THEN v_reasons := v_reasons || 'order-total'::text; END IF;
    IF p_amount > v_order.paid AND NOT 'order-paid' = ANY (v_reasons) THEN v_reasons := v_reasons || 'order-paid'::text; END IF;
    IF v_operator.kind = 'SUB' AND p_amount > v_grant.per_payout THEN v_reasons := v_reasons || 'operator-per-payout'::text; END IF;
    IF v_operator.kind = 'SUB' AND p_amount > v_grant.daily AND NOT 'operator-daily' = ANY (v_reasons) THEN
        v_reasons := v_reasons || 'operator-daily'::text;
    END IF;
    IF v_account.balance - v_account.held - v_account.frozen < p_amount THEN
        v_reasons := v_reasons || 'settlement-balance'::text;
    END IF;

    -- Only when all agree is anything held.
    IF v_reasons = '{}' THEN
        INSERT INTO meters AS m VALUES
            ('order-count', v_order_scope, v_ever, 1, v_now),
            ('order-total', v_order_scope, v_ever, p_amount, v_now),
            ('order-interval', v_order_scope, v_ever, 1, v_now),
            ('order-paid', v_order_scope, v_ever, p_amount, v_now),
            ('shop-daily', p_shop, v_day, p_amount, v_now),
            ('operator-daily', v_operator_scope, v_day, p_amount, v_now)
        ON CONFLICT (limit_id, scope, window_start)
        DO UPDATE SET used = m.used + excluded.used, last = excluded.last;
        UPDATE accounts SET held = held + p_amount WHERE shop = p_shop;
        INSERT INTO payouts (shop, order_id, operator, payout_type, item, amount, state, create_time, expire_time)
        VALUES (p_shop, p_order, p_operator, p_type, p_item, p_amount, 'AUTHORIZED', v_now, v_now + interval '30 minutes')
        RETURNING payout INTO v_payout;
    END IF;
    v_receipt := json_build_object(
        'decision', CASE WHEN v_payout IS NULL THEN 'DENY' ELSE 'ALLOW' END,
        'payout', v_payout, 'request_id', p_request, 'order', p_order, 'amount', p_amount,
        'reasons', v_reasons, 'decide_time', v_now, 'max_amount', least(
            500, v_order.paid, v_grant.per_payout, v_account.balance - v_account.held - v_account.frozen)
    );
    INSERT INTO decisions VALUES (p_shop, p_request, v_content, v_receipt);
    RETURN v_receipt;
END $$;

-- The world of the load: 1,000 shops, 20 operators each.
INSERT INTO shops SELECT 's' || n, 'normal', 'enterprise' FROM generate_series(0, 999) n;
INSERT INTO accounts SELECT 's' || n, 900000000000000 FROM generate_series(0, 999) n;
INSERT INTO operators SELECT 's' || n, 'main', 'MAIN' FROM generate_series(0, 999) n;
INSERT INTO operators SELECT 's' || n, 'sub' || o, 'SUB' FROM generate_series(0, 999) n, generate_series(0, 18) o;
INSERT INTO grants SELECT shop, operator, true, 500, 900000000000000 FROM operators WHERE kind = 'SUB';
VACUUM ANALYZE;
