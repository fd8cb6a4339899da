package schedule

import (
	"fmt"
	"time"

	// The database is compiled in, here and nowhere else: neither Lambda's
	// provided.al2023 nor a bare container is sure to carry one.
	_ "time/tzdata"
)

// maxZoneName is longer than any name of the IANA database, the longest of
// which (America/Argentina/ComodRivadavia) has 32 bytes.
const maxZoneName = 64

// Zone finds a time zone by its name in the IANA time zone database, such as
// America/New_York; UTC is one. The machine's own zone ("Local") and the empty
// name are refused, since they mean something else elsewhere. The error is a
// [*ZoneError].
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" || len(name) > maxZoneName {
		return nil, &ZoneError{Name: name}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, &ZoneError{Name: name}
	}
	return loc, nil
}

// ZoneError says that a name is not that of a time zone.
type ZoneError struct {
	// Name is the name as given.
	Name string
}

func (e *ZoneError) Error() string {
	return fmt.Sprintf("%.64q is not a time zone; write a name of the IANA database, such as America/New_York or UTC", e.Name)
}
