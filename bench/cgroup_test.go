package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hierarchy is a folder with files like those of control groups. It returns
// how to write to it and how to read all of it.
func hierarchy(t *testing.T, files ...string) (root string, read func() map[string]string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, func() map[string]string {
		all := map[string]string{}
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			name, _ := filepath.Rel(root, path)
			if len(text) > 0 {
				all[name] = string(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
}

func TestCgroupWritesTheFilesOfItsVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		files  []string
		report string // of version 2: whether it is frozen
		want   map[string]string
	}{
		{"version 1", []string{"cpu/tasks", "freezer/tasks"}, "", map[string]string{
			"cpu/g/cpu.shares": "262144", "cpu/g/cpu.cfs_period_us": "20000", "cpu/g/cpu.cfs_quota_us": "2894", "freezer/g/freezer.state": "FROZEN",
		}},
		{"version 2", []string{"cgroup.controllers"}, "populated 1\nfrozen 1\n", map[string]string{
			"cgroup.subtree_control": "+cpu", "g/cpu.weight": "10000", "g/cpu.max": "2894 20000", "g/cgroup.freeze": "1", "g/cgroup.events": "populated 1\nfrozen 1\n",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root, read := hierarchy(t, tt.files...)
			g, err := newCgroup(root, "g")
			if err != nil {
				t.Fatal(err)
			}
			if tt.report != "" {
				if err := g.write("cgroup.events", tt.report); err != nil {
					t.Fatal(err)
				}
			}
			if err := g.limit(256); err != nil {
				t.Fatal(err)
			}
			if err := g.freeze(true); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, read()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCgroupIsRemoved(t *testing.T) {
	t.Parallel()
	root, _ := hierarchy(t, "cpu/tasks", "freezer/tasks")
	g, err := newCgroup(root, "g")
	if err != nil {
		t.Fatal(err)
	}
	// The kernel's files are no hindrance.
	if err := os.Remove(g.path("cpu.shares")); err != nil {
		t.Fatal(err)
	}
	if err := g.remove(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range g.dirs() {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s exists: %v", dir, err)
		}
	}
	if err := g.remove(); err != nil {
		t.Errorf("a group without folders: %v", err)
	}
}

func TestCgroupNeedsTheControllers(t *testing.T) {
	t.Parallel()
	root, _ := hierarchy(t, "cpu/tasks")
	if _, err := newCgroup(root, "g"); err == nil {
		t.Error("a group without a freezer")
	}
	if _, err := os.Stat(filepath.Join(root, "cpu", "g")); !os.IsNotExist(err) {
		t.Errorf("half a group remains: %v", err)
	}
}
