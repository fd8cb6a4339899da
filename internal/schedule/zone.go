package schedule

import (
	"compress/flate"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/nearest"
)

// These are the IANA time zone database of the Go toolchain. The functions use
// no other database: that of the machine or of ZONEINFO may differ.
//
// The index has a line "name offset length" for each zone, sorted by name.
// Offset and length are the place of the zone's compressed TZif file in the
// data. Aliases share a file.
//
//go:generate go test -run ^TestZonesAreThoseOfGo$ . -update
var (
	//go:embed zones.txt
	zoneIndex string
	//go:embed zones.bin
	zoneData string
)

// maxZoneName exceeds the length of every name of the IANA database. The
// longest name, America/Argentina/ComodRivadavia, has 32 bytes.
const maxZoneName = 64

// Zone finds a time zone by its name in the IANA time zone database, such as
// America/New_York or UTC. Case matters. Zone refuses the empty name and the
// machine's own zone ("Local", "localtime"), whose meaning differs between
// machines. The error is a [*ZoneError].
func Zone(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	file, ok := zoneFile(name)
	if !ok {
		return nil, &ZoneError{Name: name, Meant: meantZone(name)}
	}
	loc, err := time.LoadLocationFromTZData(name, file)
	if err != nil {
		return nil, &ZoneError{Name: name}
	}
	return loc, nil
}

// zoneFile returns the TZif file of a zone. It decompresses only this file.
func zoneFile(name string) ([]byte, bool) {
	for line := range strings.Lines(zoneIndex) {
		known, place, _ := strings.Cut(line, " ")
		if known != name {
			continue
		}
		offset, length, _ := strings.Cut(strings.TrimSpace(place), " ")
		from, err1 := strconv.Atoi(offset)
		n, err2 := strconv.Atoi(length)
		if err1 != nil || err2 != nil || from < 0 || n < 0 || from+n > len(zoneData) {
			return nil, false
		}
		file, err := io.ReadAll(flate.NewReader(strings.NewReader(zoneData[from : from+n])))
		return file, err == nil
	}
	return nil, false
}

// meantZone returns the zone that a wrong name probably means, or "".
func meantZone(name string) string {
	if len(name) > maxZoneName {
		return ""
	}
	// A machine's database repeats every zone in these two folders; right/ has
	// leap seconds.
	name = foldZone(strings.TrimPrefix(strings.TrimPrefix(name, "posix/"), "right/"))
	area, city := splitZone(name)
	var sameCity, neighbours, cities []string
	for line := range strings.Lines(zoneIndex) {
		known, _, _ := strings.Cut(line, " ")
		if foldZone(known) == name {
			return known
		}
		switch a, c := splitZone(foldZone(known)); {
		case c == city:
			sameCity = append(sameCity, known)
		case a == area && a != "":
			neighbours, cities = append(neighbours, known), append(cities, c)
		}
	}
	// A wrong digit means other hours, so it gets no suggestion: GMT+2 mostly
	// means two hours ahead of UTC, and Etc/GMT+2 is two hours behind.
	if strings.ContainsAny(city, "0123456789") {
		return ""
	}
	if len(sameCity) == 1 {
		return sameCity[0]
	}
	if meant, ok := nearest.Match(city, cities); ok && len(sameCity) == 0 {
		for i, c := range cities {
			if c == meant {
				return neighbours[i]
			}
		}
	}
	return ""
}

// foldZone removes the differences that users confuse: case, and the characters
// between words.
func foldZone(name string) string {
	return strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(name))
}

// splitZone splits "america/argentina/ushuaia" before its last part.
func splitZone(name string) (area, city string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}

// ZoneError reports a name that no time zone has.
type ZoneError struct {
	// Name is the name as given.
	Name string
	// Meant is the name that was probably meant, or empty.
	Meant string
}

func (e *ZoneError) Error() string {
	if e.Meant != "" {
		return fmt.Sprintf("%.64q is not a time zone; did you mean %s?", e.Name, e.Meant)
	}
	return fmt.Sprintf("%.64q is not a time zone; write a name of the IANA database, such as America/New_York or UTC", e.Name)
}
