-- KEYS: the root, the feed. ARGV: the length of a page, and those of a cursor, if there
-- is one: name of the feed, entry, and the beginning of the session's random part.
-- Returns the feed's name, the place before the page, and entries with their sessions.
local root = redis.call('HMGET', KEYS[1], 'feed', 'count', 'trimmed')
redis.call('PERSIST', KEYS[1])
if not root[1] or redis.call('XLEN', KEYS[2]) ~= tonumber(root[2]) then
	return {'lost'}
end
local at, from = root[3] or '0-0:', '-'
if ARGV[2] then
	local place = ARGV[3] .. ':' .. ARGV[4]
	if ARGV[2] ~= root[1] then
		return {'cursor'}
	end
	if place ~= at then
		-- What comes after an entry is only known where that entry still is. Another one
		-- may have its number after a fail-over.
		local entry = redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3])
		if not entry[1] or string.sub(entry[1][2][2], 10, 25) ~= ARGV[4] then
			return {'cursor'}
		end
	end
	at, from = place, '(' .. ARGV[3]
end
local page = {root[1], at}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ARGV[1])) do
	page[#page + 1] = entry[1]
	page[#page + 1] = entry[2][2]
end
return page
