-- KEYS: the root, the feed. Returns the epoch, the processes that are trusted without an
-- append-only file, and whether the feed is as it was left.
local root = redis.call('HMGET', KEYS[1], 'epoch', 'runs', 'feed', 'count')
redis.call('PERSIST', KEYS[1])
local whole = 0
if root[3] and redis.call('XLEN', KEYS[2]) == tonumber(root[4]) then
	whole = 1
end
return {root[1] or '', root[2] or '', whole}
