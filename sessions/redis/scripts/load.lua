if past then
	return say('over')
end
if not generation then
	return say('damaged')
end
return say(state())
