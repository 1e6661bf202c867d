-- What the scripts of one session have in common. KEYS: the bucket, and the records of
-- its sessions that end on one day. ARGV: epoch, day, the time at which the session is
-- over, and the random part of its ID. Times are milliseconds since 1970.
local bucket, records = KEYS[1], KEYS[2]
local epoch, day, over, random = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

-- kept is how long records stay that are written when their session is over.
local kept = 7 * 24 * 3600 * 1000

-- say returns what was read. PERSIST changes nothing, and is refused by a replica.
local function say(what)
	redis.call('PERSIST', bucket)
	return what
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', bucket, 'e' .. epoch, 'over', 'd' .. day .. epoch)
if not known[1] then
	if redis.call('EXISTS', bucket) == 0 then
		return say('lost')
	end
	return say('other')
end
if tonumber(known[2] or 0) >= tonumber(day) then
	return say('over')
end
local past = now >= over -- by a clock that may be ahead, and go back

local generation, answer, made, ended = '0', '', '0', '0'
local record = redis.call('HGET', records, random)
if record then
	generation, answer, made, ended = string.match(record, '^(%d+):(%x*):(%d+):([012])$')
	if not generation or (ended == '0' and (generation == '0' or #answer ~= 32)) then
		generation = nil
	end
elseif known[3] and redis.call('EXISTS', records) == 0 then
	-- There were records, and Redis has removed them when they were over by its clock:
	-- that is for good, whatever its clock says now.
	return say('over')
end

local function state()
	local age = 0
	if generation ~= '0' then
		age = math.abs(now - tonumber(made)) -- a clock that went back lengthens no grace
	end
	return generation .. ':' .. answer .. ':' .. string.format('%.0f', age) .. ':' .. ended
end

-- keep writes the record. The first write is one that a full memory refuses.
local function keep()
	if not known[3] then
		redis.call('HSET', bucket, 'd' .. day .. epoch, '')
	end
	redis.call('HSET', records, random, generation .. ':' .. answer .. ':' .. made .. ':' .. ended)
	if not known[3] then
		redis.call('PEXPIREAT', records, past and now + kept or over)
	end
end
