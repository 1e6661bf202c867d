-- KEYS: the root, the feed. ARGV: a day, when its sessions are over, and how many
-- entries to remove at most. Says how many were. An entry stays until it and those
-- before it are over.
local day, over = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local root = redis.call('HMGET', KEYS[1], 'feed', 'count')
if time[1] * 1000 < over or not root[1] or redis.call('XLEN', KEYS[2]) ~= tonumber(root[2]) then
	return 0
end
local removed, id, session = 0, nil, nil
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[3])) do
	if tonumber(string.sub(entry[2][2], 1, 8)) > day then
		break
	end
	removed, id, session = removed + 1, entry[1], entry[2][2]
end
if removed > 0 then
	local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
	redis.call('HSET', KEYS[1], 'trimmed', id .. ':' .. string.sub(session, 10, 25))
	redis.call('HINCRBY', KEYS[1], 'count', -removed)
	local trimmed = redis.pcall('XTRIM', KEYS[2], 'MINID', ms .. '-' .. string.format('%.0f', sequence + 1))
	if type(trimmed) == 'table' and trimmed.err then -- as in feed_add
		redis.call('HINCRBY', KEYS[1], 'count', removed)
		return trimmed
	end
end
return removed
