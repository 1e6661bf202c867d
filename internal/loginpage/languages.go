package loginpage

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Words are the texts of one language.
type Words struct {
	Username, Password, Remember string // labels of the form

	LogIn, LogOut, LogInAgain             string // buttons and links
	Continue, Cancel, TryAgain, GoToLogin string

	LoggedInAs string // above the name
	Missing    string // before the missing scopes
	Error      string // at the beginning of the document's title

	Titles   map[Kind]string // in the document's title; none for Refusal
	Leads    map[Kind]string // below the heading; none for Refusal
	Problems map[Problem]Text
	Wait     WaitWords
}

// Text is what is wrong, and what the user can do about it. {wait} and {domain} are
// replaced.
type Text struct{ Message, Advice string }

type locale struct {
	tag   language.Tag
	words Words
}

// languages are all there are. The first one is for everyone else.
var languages = []locale{
	{language.English, english},
	{language.German, german},
	{language.French, french},
	{language.Spanish, spanish},
	{language.SimplifiedChinese, chinese},
}

var matcher = language.NewMatcher(tags())

func tags() (tags []language.Tag) {
	for _, l := range languages {
		tags = append(tags, l.tag)
	}
	return tags
}

// No browser sends as many, and none of these lengths.
const (
	mostPreferences   = 16
	longestPreference = 64
)

// choose returns the language that suits the Accept-Language of a request best. What
// cannot be read is skipped.
func choose(header []string) locale {
	type preference struct {
		tag    language.Tag
		weight float32
	}
	var preferences []preference
	rest, more := strings.Join(header[:min(len(header), mostPreferences)], ","), true
	for n := 0; more && n < mostPreferences; n++ {
		var one string
		one, rest, more = strings.Cut(rest, ",")
		if len(one) > longestPreference {
			continue
		}
		read, weights, err := language.ParseAcceptLanguage(one)
		if err != nil {
			continue
		}
		for i, tag := range read {
			preferences = append(preferences, preference{tag, weights[i]})
		}
	}
	slices.SortStableFunc(preferences, func(a, b preference) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return 0
	})
	wanted := make([]language.Tag, len(preferences))
	for i, p := range preferences {
		wanted[i] = p.tag
	}
	_, index, _ := matcher.Match(wanted...)
	return languages[index]
}
