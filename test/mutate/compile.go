package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// compiler finds out which mutants compile. It checks types in this process,
// which is faster than a build by far.
type compiler struct {
	root     string
	set      *token.FileSet
	importer types.Importer
	// files has the names of each package's files, by its folder.
	files map[string][]string
	paths map[string]string
	// parsed has the unchanged files.
	parsed map[string]*ast.File
}

// newCompiler reads what the packages import from the build cache.
func newCompiler(root string, folders []string) (*compiler, error) {
	args := []string{"list", "-export", "-deps", "-json=Dir,ImportPath,GoFiles,Export"}
	for _, f := range folders {
		args = append(args, "./"+f)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &stderr)
	}
	exports := map[string]string{}
	c := &compiler{root: root, set: token.NewFileSet(), files: map[string][]string{}, paths: map[string]string{}, parsed: map[string]*ast.File{}}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			Dir, ImportPath, Export string
			GoFiles                 []string
		}
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		for _, f := range folders {
			if p.Dir == filepath.Join(root, f) {
				c.files[f], c.paths[f] = p.GoFiles, p.ImportPath
			}
		}
	}
	for _, f := range folders {
		if len(c.files[f]) == 0 {
			return nil, fmt.Errorf("%s: no Go files; correct the list of packages in test/mutate/stages.go", f)
		}
		for _, name := range c.files[f] {
			path := f + "/" + name
			source, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				return nil, err
			}
			if c.parsed[path], err = parser.ParseFile(c.set, path, source, parser.SkipObjectResolution); err != nil {
				return nil, err
			}
		}
	}
	c.importer = importer.ForCompiler(c.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	return c, nil
}

// check returns why a mutant does not compile, or nil.
func (c *compiler) check(m mutant) error {
	changed, err := parser.ParseFile(c.set, m.File, m.text(), parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, name := range c.files[m.pkg()] {
		path := m.pkg() + "/" + name
		if path == m.File {
			files = append(files, changed)
		} else {
			files = append(files, c.parsed[path])
		}
	}
	config := types.Config{Importer: c.importer}
	_, err = config.Check(c.paths[m.pkg()], c.set, files, nil)
	return err
}
