package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMemory(t *testing.T) {
	t.Parallel()
	got, err := parseMemory("Name:\tbootstrap\nVmPeak:\t 1234 kB\nVmHWM:\t   12400 kB\nVmRSS:\t   12300 kB\nRssAnon:\t    4100 kB\nRssFile:\t    8200 kB\nThreads:\t5\n")
	if err != nil {
		t.Fatal(err)
	}
	want := memory{Peak: 12400 * 1024, Resident: 12300 * 1024, File: 8200 * 1024}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseMemory(f *testing.F) {
	f.Add("VmHWM:\t12400 kB\nVmRSS:\t12300 kB\nRssFile:\t8200 kB\n")
	f.Add("VmHWM:\nVmRSS\nRssFile:12")
	f.Add("VmHWM:\t99999999999999999999 kB\n")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMemory(s); err != nil && m != (memory{}) {
			t.Errorf("figures beside an error: %+v", m)
		}
	})
}

func TestReadMemoryOfThisProcess(t *testing.T) {
	t.Parallel()
	m, err := readMemory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if m.Resident < 1<<20 || m.File > m.Resident {
		t.Errorf("cannot be: %+v", m)
	}
}
