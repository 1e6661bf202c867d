-- KEYS: the root. ARGV: the epoch that was seen, the highest claim that was seen, and
-- for how many milliseconds a claim is respected. Returns a new claim, higher than any,
-- or nothing if another node makes an epoch or has made one.
local root = redis.call('HMGET', KEYS[1], 'epoch', 'claim', 'claimed')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if (root[1] or '') ~= ARGV[1] then
	return ''
end
if root[3] and math.abs(now - tonumber(root[3])) < tonumber(ARGV[3]) then
	return ''
end
local claim = string.format('%.0f', math.max(now, tonumber(root[2] or 0) + 1, tonumber(ARGV[2]) + 1))
redis.call('HSET', KEYS[1], 'claim', claim, 'claimed', string.format('%.0f', now))
return claim
