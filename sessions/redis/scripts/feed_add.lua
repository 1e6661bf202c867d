-- KEYS: the root, the feed. ARGV: a session.
local root = redis.call('HMGET', KEYS[1], 'feed', 'count')
if not root[1] or redis.call('XLEN', KEYS[2]) ~= tonumber(root[2]) then
	redis.call('PERSIST', KEYS[1])
	return 'lost'
end
redis.call('HINCRBY', KEYS[1], 'count', 1)
return redis.call('XADD', KEYS[2], '*', 's', ARGV[1])
