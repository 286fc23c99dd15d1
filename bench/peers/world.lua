-- The world of the load: 1,000 shops, 20 operators each.
for n = 0, 999 do
  local shop = 's' .. n
  redis.call('HSET', 'shop:' .. shop, 'operating_state', 'normal', 'qualification', 'enterprise',
    'frozen', '0', 'withdrawal_frozen', '0')
  redis.call('HSET', 'account:' .. shop, 'balance', '900000000000000', 'held', '0', 'frozen', '0')
  redis.call('HSET', 'operator:' .. shop .. ':main', 'kind', 'MAIN', 'frozen', '0')
  for o = 0, 18 do
    redis.call('HSET', 'operator:' .. shop .. ':sub' .. o, 'kind', 'SUB', 'frozen', '0',
      'enabled', '1', 'per_payout', '50000', 'daily', '900000000000000')
  end
end
return 1000
