package loginpage

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTheLanguageIsTheOneThatTheBrowserPrefersMost(t *testing.T) {
	for _, test := range []struct{ header, want string }{
		{"", "en"},
		{"en", "en"},
		{"en-GB,en;q=0.9,de;q=0.8", "en"},
		{"de", "de"},
		{"DE-at", "de"},
		{"de-CH,fr;q=0.9", "de"},
		{"gsw", "de"}, // Swiss German is near
		{"gsw,en;q=0.5", "en"},
		{"de-AT,en;q=0.9", "de"},
		{"fr-CA,en;q=0.9", "fr"},
		{"es-MX,en;q=0.9", "es"},
		{"zh-SG,en;q=0.9", "zh-Hans"},
		{"fr-CA,fr;q=0.9,en;q=0.8", "fr"},
		{"es-419,es;q=0.9", "es"},
		{"ca,es;q=0.5", "es"},
		{"zh", "zh-Hans"},
		{"zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"},
		{"zh-Hans-SG", "zh-Hans"},
		{"zh-TW", "zh-Hans"}, // nearer than English, unless the reader knows English
		{"zh-TW,en;q=0.8", "en"},
		{"pl,de;q=0.9", "de"},
		{"pl", "en"},
		{"en;q=0.5,de;q=0.9", "de"},
		{"de;q=0,en", "en"},
		{"de;q=0", "en"},
		{"*", "en"},
		{"*;q=0.1,fr", "fr"},
		{" fr ; q=0.3 ,\tes;q=0.7", "es"},

		// what cannot be read is skipped
		{"xx-invalid-tag-that-is-wrong!,de", "de"},
		{"de;q=banana,fr", "fr"},
		{",,,;;;q=,de", "de"},
		{"\x00\xff,de", "de"},
		{"<script>alert(1)</script>", "en"},
		{"i-klingon,fr;q=0.2", "fr"},
		{"en-u-co-phonebk,de;q=0.1", "en"},
		{"x-private", "en"},
		{"root,und,mul,de", "de"},

		// what is too long is not read to its end
		{strings.Repeat("a", 10<<10), "en"},
		{strings.Repeat("a-", 5<<10) + ",de", "de"},
		{strings.Repeat("pl,", 3<<10) + "de", "en"},
		{"fr," + strings.Repeat("de;q=0.1,", 1<<10), "fr"},
		{strings.Repeat(",", 10<<10), "en"},
		{strings.Repeat("de-u-", 2<<10), "en"},
	} {
		if got := choose([]string{test.header}).tag.String(); got != test.want {
			t.Errorf("%.60q: %s, want %s", test.header, got, test.want)
		}
	}
	if got := choose(nil).tag.String(); got != "en" {
		t.Errorf("without the header: %s", got)
	}
	if got := choose([]string{"pl", "de;q=0.5,fr;q=0.6"}).tag.String(); got != "fr" {
		t.Errorf("two headers: %s", got)
	}
	if got := choose(strings.Split(strings.Repeat("pl ", 10<<10), " ")).tag.String(); got != "en" {
		t.Errorf("many headers: %s", got)
	}
}

func FuzzALanguageIsChosenWhateverTheHeaderSays(f *testing.F) {
	f.Add("de-CH,fr;q=0.9", "zh")
	f.Add("*;q=0.1", "x-private,i-klingon;q=2")
	f.Fuzz(func(t *testing.T, one, two string) {
		if choose([]string{one, two}).words.LogIn == "" {
			t.Error("no language")
		}
	})
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	places := texts(reflect.ValueOf(english))
	if len(places) < 40 {
		t.Fatalf("only %d texts in English: %v", len(places), places)
	}
	for _, kind := range kinds {
		if kind != Refusal && english.Titles[kind] == "" {
			t.Errorf("no title for %q", kind)
		}
	}
	for _, problem := range problems[1:] {
		if english.Problems[problem].Message == "" {
			t.Errorf("no message for %q", problem)
		}
	}
	for _, l := range languages {
		own := texts(reflect.ValueOf(l.words))
		for place, text := range places {
			if (own[place] == "") != (text == "") {
				t.Errorf("%s: %s is %q, in English %q", l.tag, place, own[place], text)
			}
			for _, inserted := range []string{"{wait}", "{domain}", "{n}"} {
				if strings.Contains(own[place], inserted) != strings.Contains(text, inserted) {
					t.Errorf("%s: %s: %s is missing or too much in %q", l.tag, place, inserted, own[place])
				}
			}
			if same := own[place] == text && text != ""; same && l.tag != languages[0].tag && text != "Error: " {
				t.Errorf("%s: %s is the English text %q", l.tag, place, text)
			}
			if strings.TrimSpace(own[place]) != own[place] && place != ".Error" {
				t.Errorf("%s: %s has spaces around %q", l.tag, place, own[place])
			}
		}
		if len(own) != len(places) {
			t.Errorf("%s has %d texts, want %d", l.tag, len(own), len(places))
		}
	}
}

// texts are all strings in a value, by their place in it.
func texts(v reflect.Value) map[string]string {
	found := make(map[string]string)
	var walk func(place string, v reflect.Value)
	walk = func(place string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(place+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(place+"."+key.String(), v.MapIndex(key))
			}
		case reflect.String:
			found[place] = v.String()
		}
	}
	walk("", v)
	return found
}

func TestAWaitIsSaidInWordsThatNeverPromiseTooEarly(t *testing.T) {
	const h = time.Hour
	for _, test := range []struct {
		wait time.Duration
		want string
	}{
		{-time.Second, "in a moment"},
		{0, "in a moment"},
		{1, "in 5 seconds"},
		{time.Second, "in 5 seconds"},
		{5 * time.Second, "in 5 seconds"},
		{5*time.Second + 1, "in 10 seconds"},
		{29 * time.Second, "in 30 seconds"},
		{30 * time.Second, "in 30 seconds"},
		{55 * time.Second, "in 55 seconds"},
		{56 * time.Second, "in 1 minute"},
		{time.Minute, "in 1 minute"},
		{61 * time.Second, "in 2 minutes"},
		{2 * time.Minute, "in 2 minutes"},
		{9*time.Minute + 1, "in 10 minutes"},
		{11 * time.Minute, "in 15 minutes"},
		{55 * time.Minute, "in 55 minutes"},
		{56 * time.Minute, "in about an hour"},
		{h, "in about an hour"},
		{h + 1, "in 65 minutes"},
		{90 * time.Minute, "in 90 minutes"},
		{91 * time.Minute, "in about 2 hours"},
		{24 * h, "in about 24 hours"},
		{1<<63 - 1, "in about 1000 hours"},
	} {
		if got := english.Wait.in(test.wait); got != test.want {
			t.Errorf("%v: %q, want %q", test.wait, got, test.want)
		}
	}
	for _, test := range []struct {
		words Words
		want  string
	}{
		{english, "Try again in 30 seconds."},
		{german, "Versuchen Sie es in 30 Sekunden erneut."},
		{french, "Réessayez dans 30 secondes."},
		{spanish, "Vuelva a intentarlo dentro de 30 segundos."},
		{chinese, "请在 30 秒后重试。"},
	} {
		advice := strings.ReplaceAll(test.words.Problems[Throttled].Advice, "{wait}", test.words.Wait.in(30*time.Second))
		if advice != test.want {
			t.Errorf("%q, want %q", advice, test.want)
		}
	}
}
