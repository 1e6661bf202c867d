-- KEYS: a bucket. ARGV: a claim, its epoch, '1' to end all earlier epochs, and how many
-- epochs to keep at most.
local claim, found = tonumber(ARGV[1]), {}
local fields = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], 'e' .. ARGV[2], ARGV[1])
for i = 1, #fields, 2 do
	local made = string.match(fields[i], '^e%x+$') and tonumber(fields[i + 1]) or claim
	if made < claim then
		found[#found + 1] = {made, fields[i]}
	end
end
table.sort(found, function(a, b) return a[1] > b[1] end)
for i = 1, #found do
	if ARGV[3] == '1' or i >= tonumber(ARGV[4]) then
		redis.call('HDEL', KEYS[1], found[i][2])
	end
end
return 1
