-- KEYS: the root, the feed. ARGV: a claim, its epoch, the processes that are trusted
-- without an append-only file, and the name of a new feed, or nothing to keep the one
-- that is there. Says whether the claim was still the newest.
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[1] then
	return 0
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'runs', ARGV[3])
if ARGV[4] ~= '' then
	redis.call('HSET', KEYS[1], 'feed', ARGV[4], 'count', 0)
	redis.call('UNLINK', KEYS[2])
	redis.call('HDEL', KEYS[1], 'trimmed')
end
redis.call('HDEL', KEYS[1], 'claimed')
return 1
