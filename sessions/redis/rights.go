package redis

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// tryRights tells at the start which rights the user of Redis lacks, in place of the first
// refresh or revocation that needs them. It tries what scripts call, with the keys that
// there are, and changes nothing. Each master has users of its own. The caller holds
// making.
func (e *engine) tryRights(ctx context.Context) error {
	if e.allowed.Load() {
		return nil
	}
	e.allowed.Store(true) // unless this call, or one of a session meanwhile, finds otherwise
	err := e.tryScripts(ctx)
	if err != nil {
		e.allowed.Store(false)
	}
	return err
}

func (e *engine) tryScripts(ctx context.Context) error {
	masters, err := e.clients.byMaster(ctx, append([]string{e.keys.root}, e.keys.buckets[:]...))
	if err != nil {
		return err
	}
	var commands, keys []string
	for master, names := range masters {
		for _, name := range []string{names[0], names[len(names)-1]} { // one of them may be the root
			refused, err := scriptTrial.Eval(ctx, master, e.trialKeys(name), e.trialOf(name)).StringSlice()
			commands = append(commands, refused...)
			if err := noteRefusal(err, name, &commands, &keys); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(names, chunk) {
			pipe := master.Pipeline()
			answers := make([]*goredis.Cmd, len(part))
			for i, name := range part {
				answers[i] = scriptTrial.EvalSha(ctx, pipe, e.trialKeys(name), "keys")
			}
			_, _ = pipe.Exec(ctx) // each answer has its error
			for i, name := range part {
				if err := noteRefusal(answers[i].Err(), name, &commands, &keys); err != nil {
					return err
				}
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	switch {
	case len(commands) > 0:
		return unsuitable("%s", mayNotRun(commands...))
	case len(keys) > 0:
		return unsuitable("its user may not read and write %d of its %d keys, such as %s: add ~{%s:* to the rules of that user", len(keys), buckets+1, keys[0], e.keys.prefix)
	}
	return nil
}

// trialKeys are the keys of a script, with records whose day no session has.
func (e *engine) trialKeys(name string) []string {
	if name == e.keys.root {
		return []string{e.keys.root, e.keys.feed}
	}
	return []string{name, name + ":" + trialDay + trialEpoch}
}

const (
	trialDay   = "00010101"
	trialEpoch = "0000000000000000"
)

func (e *engine) trialOf(name string) string {
	if name == e.keys.root {
		return "root"
	}
	return "bucket"
}

// noteRefusal notes the command or the key that a user may not use. It returns any other
// error.
func noteRefusal(err error, key string, commands, keys *[]string) error {
	switch {
	case err == nil, goredis.HasErrorPrefix(err, "NOSCRIPT"): // which a user with the right is told
		return nil
	case !forbidden(err):
		return err
	case commandIn(err) != "":
		*commands = append(*commands, commandIn(err))
	default:
		*keys = append(*keys, key)
	}
	return nil
}

// forbidden tells whether Redis does not let the user run a command or use a key, or a
// script of ours do so for the user.
func forbidden(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.HasPrefix(text, "NOPERM") || strings.Contains(text, "The user executing the script can't") ||
		strings.Contains(text, "ACL failure in script") // Redis 7.2 and Valkey
}

// commandIn is the command that Redis says a user may not run, or nothing.
func commandIn(err error) string {
	if found := commandInText.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return ""
}

var commandInText = regexp.MustCompile(`to run the '([A-Za-z|]{1,32})' command`)

// mayNotRun is what to do about commands that a user may not run.
func mayNotRun(commands ...string) string {
	slices.Sort(commands)
	commands = slices.Compact(commands)
	rules := make([]string, len(commands))
	for i, command := range commands {
		commands[i] = strings.ReplaceAll(strings.ToUpper(command), "|", " ")
		rules[i] = "+" + strings.ToLower(command)
	}
	return "its user may not run " + strings.Join(commands, ", ") + ": add " + strings.Join(rules, " ") +
		" to the rules of that user, which sessions/redis/README.md has"
}

// rightsMissing is an error of Redis that says which right is missing, in our words.
func rightsMissing(err error) error {
	if command := commandIn(err); command != "" {
		return errors.New(mayNotRun(command))
	}
	return errors.New("its user lacks a right: see sessions/redis/README.md for the rules of a user (" + firstLine(err.Error()) + ")")
}
