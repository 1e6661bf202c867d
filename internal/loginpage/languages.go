package loginpage

import (
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
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
	name  string // the tag as text
	words Words
}

// languages are all there are. The first one is for everyone else.
var languages = []locale{
	{language.English, language.English.String(), english},
	{language.German, language.German.String(), german},
	{language.French, language.French.String(), french},
	{language.Spanish, language.Spanish.String(), spanish},
	{language.SimplifiedChinese, language.SimplifiedChinese.String(), chinese},
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

// choose returns the language that suits the Accept-Language of a request best. Most
// browsers of a site send one of a few.
func choose(header []string) *locale {
	if len(header) != 1 || len(header[0]) > longestRemembered {
		return match(header)
	}
	chosen.Lock()
	l, known := chosen.recent.Get(header[0])
	chosen.Unlock()
	if known {
		return l
	}
	l = match(header)
	chosen.Lock()
	defer chosen.Unlock()
	chosen.recent.Add(strings.Clone(header[0]), l)
	return l
}

// chosen are the languages that were chosen for recent headers.
var chosen = struct {
	sync.Mutex
	recent *simplelru.LRU[string, *locale]
}{recent: newChosen()}

func newChosen() *simplelru.LRU[string, *locale] {
	recent, _ := simplelru.NewLRU[string, *locale](mostRemembered, nil) // an error only for a size that is not positive
	return recent
}

const (
	mostRemembered    = 500
	longestRemembered = 200
)

// match looks through the preferences. What cannot be read is skipped.
func match(header []string) *locale {
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
	return &languages[index]
}
