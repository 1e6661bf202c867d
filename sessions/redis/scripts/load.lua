if not generation then
	return say('damaged')
end
return say(state())
