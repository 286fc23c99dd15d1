-- What a user would build on Redis instead: the published rows of the
-- small-payout policy as one script. May it, and hold it if so; amounts in
-- cents. No history of rules, no hash chain, no events, no expiry: in all that
-- it has less to do than Bursar.
--
-- redis-benchmark can only put one random number into a command, so who asks
-- for what follows from ARGV[1]; the facts come as a caller would send them.
local number = tonumber(ARGV[1])
local shop = 's' .. (number % 1000)
local operator = 'sub' .. (math.floor(number / 1000) % 19)
local denied = math.floor(number / 19000) % 20 == 0
local amount = denied and 60000 or 1 + math.floor(number / 380000) % 50
local request, order = 'r' .. ARGV[1], 'o' .. ARGV[1]
local channel, kind, item = ARGV[2], ARGV[3], ARGV[4]
local app, method, status = ARGV[5], ARGV[6], ARGV[7]
local presale, local_life, cross_border = ARGV[8], ARGV[9], ARGV[10]
local paid, items = ARGV[11], ARGV[12]

-- Idempotency.
local content = table.concat({operator, order, amount, channel, kind, item}, '|')
local decision = 'decision:' .. shop .. ':' .. request
local known = redis.call('HMGET', decision, 'content', 'receipt')
if known[1] then
  if known[1] ~= content then return redis.error_reply('request id used for something else') end
  return known[2]
end

local time = redis.call('TIME')
local now = tonumber(time[1])
local day = math.floor((now + 8 * 3600) / 86400)
local s = redis.call('HMGET', 'shop:' .. shop, 'operating_state', 'qualification', 'frozen', 'withdrawal_frozen')
if not s[1] then return redis.error_reply('no such shop') end
local o = redis.call('HMGET', 'operator:' .. shop .. ':' .. operator, 'kind', 'frozen', 'enabled', 'per_payout', 'daily')
if not o[1] then return redis.error_reply('no such operator') end
local account = redis.call('HMGET', 'account:' .. shop, 'balance', 'held', 'frozen')

-- An order that comes along; the newest source time wins.
local order_key = 'order:' .. shop .. ':' .. order
local source = redis.call('HGET', order_key, 'source_time')
if not source or tonumber(source) < now then
  redis.call('HSET', order_key, 'app', app, 'payment_method', method, 'placed_at', now, 'status', status,
    'deposit_presale', presale, 'local_life', local_life, 'cross_border', cross_border,
    'paid', paid, 'items', items, 'source_time', now)
end
local r = redis.call('HMGET', order_key, 'app', 'payment_method', 'placed_at', 'status', 'deposit_presale',
  'local_life', 'cross_border', 'paid', 'items')

local reasons = {}
local function require_that(rule, holds) if not holds then reasons[#reasons + 1] = rule end end

-- Conditions.
require_that('app-supported', r[1] == 'douyin' or r[1] == 'douyin_huoshan')
require_that('paid-online', r[2] == 'online')
require_that('order-age', tonumber(r[3]) > now - 365 * 86400)
require_that('status-allowed', r[4] == 'preparing' or r[4] == 'partially_shipped' or r[4] == 'shipped'
  or r[4] == 'completed' or (r[4] == 'closed' and r[5] == '1'))
require_that('settlement-opened', account[1])
require_that('channel-allowed', channel == 'shop_pc_after_sales' or channel == 'shop_pc_order_detail'
  or channel == 'service_desk_pc')
require_that('no-local-life', r[6] == '0')
require_that('no-cross-border', r[7] == '0')
require_that('shop-operating', s[1] == 'normal')
require_that('shop-qualified', s[2] ~= 'individual')
require_that('operator-granted', o[1] == 'MAIN' or o[3] == '1')
require_that('withdrawal-open', s[4] == '0')
require_that('shop-open', s[3] == '0')
require_that('operator-open', o[2] == '0')
require_that('item-of-order', item == '' or string.find(',' .. r[9] .. ',', ',' .. item .. ',', 1, true))

-- Limits that count.
local scope = shop .. ':' .. order
local keys = {
  'meter:order-count:' .. scope, 'meter:order-total:' .. scope, 'meter:order-interval:' .. scope,
  'meter:order-paid:' .. scope, 'meter:shop-daily:' .. shop .. ':' .. day,
  'meter:operator-daily:' .. shop .. ':' .. operator .. ':' .. day,
  'meter:processing:' .. scope .. ':' .. kind .. ':' .. item .. ':' .. amount,
}
local used = redis.call('MGET', unpack(keys))
local function use(at) return tonumber(used[at] or 0) end
require_that('no-repeat', use(7) < 1)
require_that('order-count', use(1) + 1 <= 5)
require_that('order-total', use(2) + amount <= 50000)
require_that('order-interval', use(3) <= now - 60)
require_that('order-paid', use(4) + amount <= tonumber(r[8]))
require_that('shop-daily', use(5) + amount <= 1500000)
require_that('operator-per-payout', o[1] ~= 'SUB' or amount <= tonumber(o[4]))
require_that('operator-daily', o[1] ~= 'SUB' or use(6) + amount <= tonumber(o[5]))
local available = tonumber(account[1]) - tonumber(account[2]) - tonumber(account[3])
require_that('settlement-balance', amount <= available)

-- Only when all agree is anything held.
local payout = ''
if #reasons == 0 then
  redis.call('INCRBY', keys[1], 1)
  redis.call('INCRBY', keys[2], amount)
  redis.call('SET', keys[3], now)
  redis.call('INCRBY', keys[4], amount)
  redis.call('INCRBY', keys[5], amount)
  redis.call('INCRBY', keys[6], amount)
  redis.call('HINCRBY', 'account:' .. shop, 'held', amount)
  payout = shop .. ':' .. redis.call('INCR', 'payouts')
  redis.call('HSET', 'payout:' .. payout, 'order', order, 'operator', operator, 'type', kind, 'item', item,
    'amount', amount, 'state', 'AUTHORIZED', 'create_time', now, 'expire_time', now + 1800)
  redis.call('RPUSH', 'payouts:' .. shop, payout)
end
local receipt = cjson.encode({
  decision = payout == '' and 'DENY' or 'ALLOW', payout = payout, request_id = request, order = order,
  amount = amount, reasons = reasons, decide_time = now,
  max_amount = math.min(50000, tonumber(r[8]), tonumber(o[4]), available),
})
redis.call('HSET', decision, 'content', content, 'receipt', receipt)
return receipt
