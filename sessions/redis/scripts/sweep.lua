-- KEYS: a bucket. ARGV: a day, and when its sessions are over. Says how many days were
-- removed.
local bucket, day, over = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
if time[1] * 1000 < over or redis.call('EXISTS', bucket) == 0 then
	return 0
end
if tonumber(redis.call('HGET', bucket, 'over') or 0) < day then
	redis.call('HSET', bucket, 'over', ARGV[1])
end
local removed = 0
for _, field in ipairs(redis.call('HKEYS', bucket)) do
	if string.sub(field, 1, 1) == 'd' and tonumber(string.sub(field, 2, 9)) <= day then
		redis.call('UNLINK', bucket .. ':' .. string.sub(field, 2))
		redis.call('HDEL', bucket, field)
		removed = removed + 1
	end
end
return removed
