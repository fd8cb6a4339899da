package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// result is one line of the results file.
type result struct {
	// Key stands for the changed file.
	Key   string `json:"key"`
	Place string `json:"place"`
	// Source stands for all code that is not a test, Tests for the tests and
	// the stages.
	Source string `json:"source"`
	Tests  string `json:"tests"`
	verdict
}

// results are those of earlier runs.
type results struct {
	path          string
	source, tests string
	known         map[string]result
}

// readResults reads the results file, if there is one.
func readResults(path, root string, stages []stage) (*results, error) {
	r := &results{path: path, known: map[string]result{}}
	var err error
	if r.source, r.tests, err = hashes(root, stages); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var known result
		if err := json.Unmarshal(line, &known); err != nil {
			return nil, fmt.Errorf("%s:%d: %w; remove the line to judge its mutant again", path, i+1, err)
		}
		r.known[known.Key] = known
	}
	return r, nil
}

// of returns the verdict on a key, if it still holds. A caught mutant stays so
// when tests change. A survivor is judged again.
func (r *results) of(key string) (verdict, bool) {
	known, ok := r.known[key]
	return known.verdict, ok && known.Source == r.source && (known.Tests == r.tests || known.Verdict == caught || known.Verdict == timedOut)
}

// add appends a verdict to the file.
func (r *results) add(key, place string, v verdict) error {
	known := result{Key: key, Place: place, Source: r.source, Tests: r.tests, verdict: v}
	r.known[key] = known
	line, err := json.Marshal(known)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// keyOf stands for the changed file of a mutant.
func keyOf(m mutant) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", m.File)
	h.Write(m.text())
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// hashes stand for the Go files of the tree: the code, and the tests with the
// stages. This tool itself counts for neither.
func hashes(root string, stages []stage) (source, tests string, err error) {
	code, test := sha256.New(), sha256.New()
	fmt.Fprintf(test, "%v\n", stages)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if name == "test/mutate" || name == "build" || name != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h := code
		if strings.HasPrefix(name, "test/") || strings.HasSuffix(name, "_test.go") {
			h = test
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
		return nil
	})
	return hex.EncodeToString(code.Sum(nil)[:8]), hex.EncodeToString(test.Sum(nil)[:8]), err
}

// row is a mutant with its verdict.
type row struct {
	mutant
	verdict
}

// writeTable writes the rows as Markdown, and how many there are of each
// verdict.
func writeTable(w io.Writer, rows []row) error {
	var b strings.Builder
	counts := map[string]int{}
	b.WriteString("| mutant | operator | change | verdict | by |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		change := "`" + cell(r.Was) + "` → `" + cell(r.Becomes) + "`"
		if r.Operator == drop {
			change = "without `" + cell(r.Was) + "`"
		}
		if r.Name != "" {
			change = cell(r.Why)
		}
		said, by := r.Verdict, r.Stage
		if r.Test != "" {
			by += ": " + cell(r.Test)
		}
		if said == survived && r.Equivalent != "" {
			said, by = "equivalent", cell(r.Equivalent)
		}
		counts[said]++
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(r.place()), r.Operator, change, said, by)
	}
	b.WriteString("\n")
	for _, said := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s: %d of %d\n", said, counts[said], len(rows))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell fits a text into one cell of a table.
func cell(text string) string { return strings.NewReplacer("|", `\|`, "`", "'").Replace(oneLine(text)) }

// oneLine shortens a text to one line.
func oneLine(text string) string {
	const most = 120
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		text = string(r[:most-1]) + "…"
	}
	return text
}
