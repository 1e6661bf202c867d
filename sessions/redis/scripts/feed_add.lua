-- KEYS: the root, the feed. ARGV: a session.
local root = redis.call('HMGET', KEYS[1], 'feed', 'count')
if not root[1] or redis.call('XLEN', KEYS[2]) ~= tonumber(root[2]) then
	redis.call('PERSIST', KEYS[1])
	return 'lost'
end
-- The first write is one that a full memory refuses. A script does not roll back, and a
-- feed whose count is wrong is lost: so a refused entry, which lacks a right, takes the
-- count back.
redis.call('HINCRBY', KEYS[1], 'count', 1)
local entry = redis.pcall('XADD', KEYS[2], '*', 's', ARGV[1])
if type(entry) == 'table' and entry.err then
	redis.call('HINCRBY', KEYS[1], 'count', -1)
end
return entry
