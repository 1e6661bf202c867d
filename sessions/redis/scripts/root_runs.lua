-- KEYS: the root. ARGV: the epoch and the trusted processes that were seen, and those
-- that are trusted from now on.
local root = redis.call('HMGET', KEYS[1], 'epoch', 'runs')
if root[1] == ARGV[1] and root[2] == ARGV[2] then
	redis.call('HSET', KEYS[1], 'runs', ARGV[3])
	return 1
end
return 0
