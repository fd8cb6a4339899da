package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// HistoryError reports that a commit cannot be read from the clone.
type HistoryError struct {
	Commit string
	// Err is git's failure.
	Err error
}

func (e *HistoryError) Error() string {
	return fmt.Sprintf("commit %s is not in this clone, so its functions cannot be built: run git fetch --unshallow (%v)", e.Commit, e.Err)
}

// Unwrap returns git's failure.
func (e *HistoryError) Unwrap() error { return e.Err }

// BuildCommit builds the functions of a commit, as the commit's own Makefile
// does, and returns their folder for Function.Build. It keeps the folder below
// cache, so that each commit is built once. The root is the project's folder.
// The error is a [*HistoryError] if the clone does not have the commit.
func BuildCommit(ctx context.Context, root, commit, cache string) (string, error) {
	built := filepath.Join(cache, "functions-"+commit)
	if _, err := os.Stat(built); err == nil {
		return built, nil
	}
	if err := command(ctx, root, "git", "cat-file", "-e", commit+"^{commit}"); err != nil {
		return "", &HistoryError{Commit: commit, Err: err}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// The folder is on the cache's file system, so that the rename is atomic.
	tree, err := os.MkdirTemp(cache, "tree-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tree)
	archive := filepath.Join(tree, "tree.tar")
	if err := command(ctx, root, "git", "archive", "--output", archive, commit); err != nil {
		return "", err
	}
	if err := command(ctx, tree, "tar", "-xf", archive); err != nil {
		return "", err
	}
	if err := command(ctx, tree, "make", "build"); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(tree, "build"), built); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return built, nil
}

// command runs a program in a folder. The error carries the program's output.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// The settings of the make that runs the tests are not for the commit's.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=")
	})
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
