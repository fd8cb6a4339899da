package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A README is read on one page. Details belong into docs.
func TestREADMEHasAtMost12KB(t *testing.T) {
	t.Parallel()
	const most = 12 << 10
	if n := len(read(t, "README.md")); n > most {
		t.Errorf("the README has %d bytes, and at most %d are allowed", n, most)
	}
}

// The words of the project stand in bold, with their meaning, before the
// README uses them.
func TestREADMEIntroducesItsWords(t *testing.T) {
	t.Parallel()
	text := prose(t, "README.md")
	text = strings.ReplaceAll(text, "amperity-runs", "")
	text = regexp.MustCompile("(?s)`[^`]*`|<!--.*?-->|\\]\\([^)]*\\)").ReplaceAllString(text, "")
	for word, forms := range map[string]string{
		"run": "runs?", "route": "routes?", "window": "windows?", "launch": "launch(es)?",
		"ledger": "ledger", "sweep": "sweep", "blocked": "blocked", "hold": "holds?|held",
	} {
		at := regexp.MustCompile(`(?i)\b(` + forms + `)\b`).FindStringIndex(text)
		if at == nil {
			t.Errorf("the README does not have the word %q", word)
			continue
		}
		if !strings.HasSuffix(text[:at[0]], "**") || !strings.HasPrefix(text[at[1]:], "**") {
			line := text[strings.LastIndex(text[:at[0]], "\n")+1:]
			line, _, _ = strings.Cut(line, "\n")
			t.Errorf("the README uses the word %q before it introduces it in bold: %q", word, line)
		}
	}
}

// The parts stand in the order in which a newcomer needs them.
func TestPartsOfTheREADME(t *testing.T) {
	t.Parallel()
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(prose(t, "README.md"), -1) {
		got = append(got, m[1])
	}
	want := []string{"Limits", "Try it", "Why", "Routes and schedules", "Deploy", "Operate", "More"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// scenes are the paragraphs of the demo's output.
func scenes(text string) []string { return strings.Split(strings.TrimSpace(text), "\n\n") }

// The README shows some scenes of the demo, whole and in their order.
func TestScenesInTheREADMEAreReal(t *testing.T) {
	t.Parallel()
	all := scenes(output(t, "go", "run", "./cmd/amperity-runs", "demo"))
	found := false
	for _, b := range blocks(t) {
		if b.Before != "<!-- demo output -->" {
			continue
		}
		found = true
		last, shown := -1, scenes(b.Text)
		for _, s := range shown {
			i := slices.Index(all, s)
			if i <= last {
				t.Errorf("%s: the demo does not write, or not in this place\n%s\nit writes\n%s", b.Place(), s, strings.Join(all, "\n\n"))
			}
			last = i
		}
		if len(shown) < 2 {
			t.Errorf("%s: it shows %d scenes", b.Place(), len(shown))
		}
	}
	if !found {
		t.Error("the README shows no scene of the demo")
	}
}

// A terminal without bracketed paste hands the rest of a pasted block to the
// command that reads the terminal. So that command is the last of its block.
func TestPastedBlocksReadNoFurtherLines(t *testing.T) {
	t.Parallel()
	reads := regexp.MustCompile(`^(read\b|cat\s*>[^<]*$)`)
	found := 0
	for _, b := range blocks(t) {
		lines := b.Lines()
		for i, line := range lines {
			if b.Word != "sh" || !reads.MatchString(line) {
				continue
			}
			found++
			if i < len(lines)-1 {
				t.Errorf("%s: %q reads the lines below it", b.Place(), line)
			}
		}
	}
	if found == 0 {
		t.Error("no block reads the terminal: the search is broken")
	}
}
