-- ARGV: the generation before, the next one, and the name of the exchange.
if past then
	return say('over')
end
if not generation then
	return say('damaged')
end
if ended ~= '0' or generation ~= ARGV[5] then
	return say(state())
end
generation, answer, made = ARGV[6], ARGV[7], string.format('%.0f', now)
keep()
return state()
