-- ARGV: '1' to end the session, '2' once the feed has it.
-- A session that is over is ended too: a clock that was ahead can go back, and whoever was
-- told that the session is revoked must be right.
if not generation then
	generation, answer, made, ended = '0', '', '0', '0'
end
if ended >= ARGV[5] then
	return say(ended)
end
ended = ARGV[5]
keep()
return ended
