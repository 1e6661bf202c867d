-- Calls what the other scripts call, so that it changes nothing. KEYS: the root and the
-- feed, or a bucket and records that no session can have. ARGV: 'root', 'bucket', or
-- 'keys' to try no more than the keys. Returns what Redis refuses to run.
local hash, other, calls = KEYS[1], KEYS[2], {}
if ARGV[1] ~= 'keys' then
	calls = {
		{'TIME'}, {'EXISTS', hash}, {'PERSIST', hash}, {'HGET', hash, 'trial'}, {'HMGET', hash, 'trial'},
		{'HGETALL', hash}, {'HKEYS', hash}, {'HEXISTS', hash, 'trial'}, {'HDEL', hash, 'trial'},
		{'HSET', hash, 'trial', '', 'without a value'}, {'HINCRBY', hash, 'trial', 'not a number'},
	}
end
if ARGV[1] == 'root' then
	calls[#calls + 1] = {'XLEN', other}
	calls[#calls + 1] = {'XRANGE', other, '+', '-'}
	calls[#calls + 1] = {'XADD', other, 'not an ID', 'trial', ''}
	calls[#calls + 1] = {'XTRIM', other, 'MINID', '0'}
elseif ARGV[1] == 'bucket' then
	calls[#calls + 1] = {'PEXPIREAT', other, '1'}
	calls[#calls + 1] = {'UNLINK', other}
end
local refused = {}
for _, call in ipairs(calls) do
	local answer = redis.pcall(unpack(call))
	local text = type(answer) == 'table' and answer.err or ''
	if string.find(text, 'NOPERM', 1, true) or string.find(text, 'The user executing the script', 1, true)
		or string.find(text, 'ACL failure in script', 1, true) or string.find(text, 'command called from script', 1, true) then
		refused[#refused + 1] = call[1]
	end
end
return refused
