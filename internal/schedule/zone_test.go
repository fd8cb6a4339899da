package schedule

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/golden"
)

// askedZones is the environment variable that makes the test binary print
// zones, one a line, instead of running tests.
const askedZones = "AMPERITY_RUNS_TEST_ZONES"

func TestMain(m *testing.M) {
	if names := os.Getenv(askedZones); names != "" {
		for _, name := range strings.Split(names, ",") {
			loc, err := Zone(name)
			if err != nil {
				fmt.Println(err)
				continue
			}
			fmt.Println(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).In(loc).Format("-07:00"), loc)
		}
		return
	}
	os.Exit(m.Run())
}

func TestZoneIgnoresZONEINFO(t *testing.T) {
	t.Parallel()
	tokyo := goZones(t)["Asia/Tokyo"]
	wrong := []string{"America/New_York", "US/Eastern", "UTC", "Local", "localtime", "posix/America/New_York", "right/America/New_York",
		"america/new_york", "utc", "Mars/Phobos"}
	dir := t.TempDir()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range wrong {
		path := filepath.Join(dir, "zones", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, tokyo, 0o600)); err != nil {
			t.Fatal(err)
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(tokyo); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), os.WriteFile(filepath.Join(dir, "zones.zip"), archive.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	const want = `-05:00 America/New_York
-05:00 US/Eastern
+00:00 UTC
"Local" is not a time zone; write a name of the IANA database, such as America/New_York or UTC
"localtime" is not a time zone; write a name of the IANA database, such as America/New_York or UTC
"posix/America/New_York" is not a time zone; did you mean America/New_York?
"right/America/New_York" is not a time zone; did you mean America/New_York?
"america/new_york" is not a time zone; did you mean America/New_York?
"utc" is not a time zone; did you mean UTC?
"Mars/Phobos" is not a time zone; write a name of the IANA database, such as America/New_York or UTC
`
	for name, zoneinfo := range map[string]string{
		"a folder": filepath.Join(dir, "zones"), "a zip file": filepath.Join(dir, "zones.zip"),
		"nothing there": filepath.Join(dir, "none"), "not set": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The standard library reads ZONEINFO once in the life of a process.
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "ZONEINFO="+zoneinfo, askedZones+"="+strings.Join(wrong, ","))
			got, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// goZones returns the time zones of the Go toolchain by name. They are those of
// time/tzdata.
func goZones(t *testing.T) map[string][]byte {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	zones := map[string][]byte{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if zones[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(zones) < 500 {
		t.Fatalf("Go brings %d time zones: the search is broken", len(zones))
	}
	return zones
}

// TestZonesAreThoseOfGo compares the embedded zones with those of time/tzdata.
// Nothing else updates them. With -update the test rewrites them.
func TestZonesAreThoseOfGo(t *testing.T) {
	t.Parallel()
	zones := goZones(t)
	if *golden.Update {
		index, data := packZones(t, zones)
		if err := errors.Join(os.WriteFile("zones.txt", index, 0o644), os.WriteFile("zones.bin", data, 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	got := map[string][]byte{}
	for line := range strings.Lines(zoneIndex) {
		name, _, _ := strings.Cut(line, " ")
		got[name], _ = zoneFile(name)
	}
	if names, want := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(zones)); !slices.Equal(names, want) {
		t.Errorf("run \"go generate ./internal/schedule\" with the newest Go: the names are not those of Go (-want +got)\n%s", cmp.Diff(want, names))
	}
	for name, want := range zones {
		if !bytes.Equal(got[name], want) {
			t.Errorf("run \"go generate ./internal/schedule\" with the newest Go: %s is not that of Go", name)
		}
	}
}

// packZones makes the two embedded files. It compresses each zone separately,
// so that one zone can be read without the others.
func packZones(t *testing.T, zones map[string][]byte) (index, data []byte) {
	t.Helper()
	places := map[string]string{} // by content
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		file := string(zones[name])
		if places[file] == "" {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, flate.BestCompression)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(zones[name]); errors.Join(err, w.Close()) != nil {
				t.Fatal(err)
			}
			places[file] = fmt.Sprintf("%d %d", len(data), b.Len())
			data = append(data, b.Bytes()...)
		}
		index = fmt.Appendf(index, "%s %s\n", name, places[file])
	}
	return index, data
}

// TestZoneHasTheHoursOfGo compares the local times of the zones with Go's, at
// the clock changes of many years and between them.
func TestZoneHasTheHoursOfGo(t *testing.T) {
	t.Parallel()
	for name, file := range goZones(t) {
		want, err := time.LoadLocationFromTZData(name, file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Zone(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got.String() != name {
			t.Errorf("%s is called %s", name, got)
		}
		for at := time.Date(1900, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() < 2100; at = at.Add(4001 * time.Hour) {
			_, change := at.In(want).ZoneBounds()
			for _, at := range []time.Time{at, change.Add(-time.Second), change} {
				g, gotOffset := at.In(got).Zone()
				w, wantOffset := at.In(want).Zone()
				if g != w || gotOffset != wantOffset {
					t.Fatalf("%s: %v is %s, and for Go %s", name, at, at.In(got), at.In(want))
				}
			}
		}
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "America/New_York", "US/Eastern", "Asia/Calcutta", "EST", "GMT0", "Etc/GMT+12", "America/Argentina/ComodRivadavia"} {
		if loc, err := Zone(name); err != nil || loc.String() != name {
			t.Errorf("%s: %v, %v", name, loc, err)
		}
	}
}

func TestWrongZoneSuggestsTheRightOne(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, meant string }{
		// Capitals, and what is between words.
		{"america/new_york", "America/New_York"},
		{"AMERICA/NEW_YORK", "America/New_York"},
		{"America/New York", "America/New_York"},
		{"America/New-York", "America/New_York"},
		{"america/port_au_prince", "America/Port-au-Prince"},
		{"utc", "UTC"},
		{"Utc", "UTC"},
		{"gmt", "GMT"},
		{"us/eastern", "US/Eastern"},
		{"asia/calcutta", "Asia/Calcutta"},
		{"etc/gmt+5", "Etc/GMT+5"},
		{"etc/gmt-5", "Etc/GMT-5"},
		{"est", "EST"},

		// Folders of the machine's database.
		{"posix/America/New_York", "America/New_York"},
		{"right/America/New_York", "America/New_York"},
		{"posix/UTC", "UTC"},
		{"right/america/new_york", "America/New_York"},
		{"posix/Mars", ""},

		// The area left out, or another one.
		{"New_York", "America/New_York"},
		{"new york", "America/New_York"},
		{"Berlin", "Europe/Berlin"},
		{"Europe/New_York", "America/New_York"},
		{"Amercia/New_York", "America/New_York"},
		{"Louisville", ""}, // two have that name
		{"Eastern", ""},

		// Slips.
		{"America/New_Yrok", "America/New_York"},
		{"America/Chcago", "America/Chicago"},
		{"America/Gotham", "America/Godthab"},
		{"Europe/Berln", "Europe/Berlin"},
		{"Amercia/Chcago", ""},

		// What means no zone that is known.
		{"", ""},
		{"Local", ""},
		{"local", ""},
		{"localtime", ""},
		{"PST", ""},
		{"CEST", ""},
		{"+05:00", ""},
		{"UTC+1", ""},
		{"Etc/GMT+15", ""},
		// Etc/GMT+2 is two hours behind UTC.
		{"GMT+2", ""},
		{"GMT-2", ""},
		{"gmt+11", ""},
		{"Europe/GMT+1", ""},
		{"Etc/UTC+5", ""},
		{"Mars/Phobos", ""},
		{"../../etc/passwd", ""},
		{"/America/Xanadu", ""},
		{"America/", ""},
		{"America", ""},
		// A line of the index is no name.
		{"Africa/Abidjan 0 58", ""},
		{"Africa/Abidjan 0 58\nAfrica/Accra", "Africa/Accra"},
		{"Europe/Berlin\x00", "Europe/Berlin"},
		{strings.Repeat("A", 70), ""},
	} {
		loc, err := Zone(tt.name)
		var e *ZoneError
		if !errors.As(err, &e) || loc != nil {
			t.Errorf("%q: %v, %v", tt.name, loc, err)
			continue
		}
		if diff := cmp.Diff(ZoneError{Name: tt.name, Meant: tt.meant}, *e); diff != "" {
			t.Errorf("%q (-want +got)\n%s", tt.name, diff)
		}
	}
}

// BenchmarkZone is part of a cold start, once for each zone.
func BenchmarkZone(b *testing.B) {
	for b.Loop() {
		if _, err := Zone("America/New_York"); err != nil {
			b.Fatal(err)
		}
	}
}
