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

// The IANA time zone database, as the Go toolchain brings it. The functions use
// no other: the one of the machine, or of ZONEINFO, may differ.
//
// The index has a line "name offset length" for each zone, sorted by name.
// Offset and length say where the zone's compressed TZif file is in the data.
// Aliases share one.
//
//go:generate go test -run ^TestZonesAreThoseOfGo$ . -update
var (
	//go:embed zones.txt
	zoneIndex string
	//go:embed zones.bin
	zoneData string
)

// maxZoneName is longer than any name of the IANA database, the longest of
// which (America/Argentina/ComodRivadavia) has 32 bytes.
const maxZoneName = 64

// Zone finds a time zone by its name in the IANA time zone database, such as
// America/New_York; UTC is one. Capitals count. The machine's own zone ("Local",
// "localtime") and the empty name are refused, since they mean something else
// elsewhere. The error is a [*ZoneError].
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

// zoneFile returns the TZif file of a zone. It decompresses this zone alone.
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

// meantZone returns the zone that a wrong name most likely means, or "".
func meantZone(name string) string {
	if len(name) > maxZoneName {
		return ""
	}
	// Machines have every zone in these folders again, in right with leap seconds.
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
	// A wrong digit changes the hours of a zone: it is no misspelling. GMT+2 mostly
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

// foldZone removes the differences that users confuse: capitals, and the signs
// between words.
func foldZone(name string) string {
	return strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(name))
}

// splitZone splits "america/argentina/ushuaia" before its last part.
func splitZone(name string) (area, city string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}

// ZoneError says that a name is not that of a time zone.
type ZoneError struct {
	// Name is the name as given.
	Name string
	// Meant is the name that was most likely meant, or empty.
	Meant string
}

func (e *ZoneError) Error() string {
	if e.Meant != "" {
		return fmt.Sprintf("%.64q is not a time zone; did you mean %s?", e.Name, e.Meant)
	}
	return fmt.Sprintf("%.64q is not a time zone; write a name of the IANA database, such as America/New_York or UTC", e.Name)
}
