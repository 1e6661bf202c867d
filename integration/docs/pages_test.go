package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// block is a fenced block of a page. Its info string has two words: the language and
// the name under which a test executes it.
type block struct {
	place      string // page:line
	lang, name string
	text       string
}

// allBlocks are the blocks of all pages.
func allBlocks(t *testing.T) []block {
	t.Helper()
	var blocks []block
	for _, page := range repo.Pages(t) {
		var b *block
		for i, line := range strings.Split(page.Text, "\n") {
			info, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
			switch {
			case fence && b == nil:
				b = &block{place: fmt.Sprintf("%s:%d", page.Name, i+1)}
				b.lang, b.name, _ = strings.Cut(info, " ")
			case fence:
				blocks = append(blocks, *b)
				b = nil
			case b != nil:
				b.text += line + "\n"
			}
		}
		if b != nil {
			t.Fatalf("%s: the block does not end", b.place)
		}
	}
	return blocks
}

// section is the text from a heading to the next one of its level, or to the end of the
// page.
func section(t *testing.T, heading string) string {
	t.Helper()
	for _, page := range repo.Pages(t) {
		if _, text, found := strings.Cut(page.Text, "\n"+heading+"\n"); found {
			text, _, _ = strings.Cut(text, "\n"+strings.Repeat("#", strings.Count(heading, "#"))+" ")
			return text
		}
	}
	t.Fatalf("no page has %q", heading)
	return ""
}

var (
	link       = regexp.MustCompile(`!?\[[^\]]*\]\(([^)\s]+)\)`)
	notInID    = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
	inlineCode = regexp.MustCompile("`[^`\n]*`")
)

// prose is a page without its blocks.
func prose(text string) string {
	var lines strings.Builder
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// anchors are the ids that GitHub gives to the headings of a page.
func anchors(text string) map[string]bool {
	ids := make(map[string]bool)
	for line := range strings.Lines(prose(text)) {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		id := strings.ReplaceAll(notInID.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-")
		for n, first := 1, id; ids[id]; n++ {
			id = fmt.Sprintf("%s-%d", first, n)
		}
		ids[id] = true
	}
	return ids
}

// Every link of every page of the repository leads to a file that is there, and to a
// heading in it.
func TestDocsLinks(t *testing.T) {
	texts := make(map[string]string)
	if err := filepath.WalkDir(repo.Path("."), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			page, err := filepath.Rel(repo.Path("."), name)
			if err != nil {
				return err
			}
			page = filepath.ToSlash(page)
			texts[page] = repo.Read(t, page)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	links := 0
	for page, text := range texts {
		for _, match := range link.FindAllStringSubmatch(inlineCode.ReplaceAllString(prose(text), "code"), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			links++
			name, anchor, _ := strings.Cut(match[1], "#")
			target := page
			if name != "" {
				target = path.Join(path.Dir(page), name)
			}
			if _, err := os.Stat(repo.Path(target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, match[1])
			} else if anchor != "" && !anchors(texts[target])[anchor] {
				t.Errorf("%s links to %s, which has no such heading", page, match[1])
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
}

// Each page of the docs is in the table of the README.
func TestDocsAreInTheREADME(t *testing.T) {
	readme := repo.Read(t, "README.md")
	for _, page := range repo.Pages(t)[1:] {
		if !strings.Contains(readme, "]("+page.Name+")") {
			t.Errorf("the README does not link to %s", page.Name)
		}
	}
	if size := len(readme); size >= 12_000 {
		t.Errorf("the README has %d bytes: it stays below 12,000", size)
	}
}
