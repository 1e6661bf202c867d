-- ARGV: '1' to end the session, '2' once the feed has it.
if not generation then
	generation, answer, made, ended = '0', '', '0', '0'
end
if ended >= ARGV[5] then
	return say(ended)
end
ended = ARGV[5]
keep()
return ended
