package amperity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// object is a decoded JSON object. Its values are still encoded. Its methods
// return a field's value, or zero if the field has another type than
// documented: by Amperity's versioning rules a client must tolerate the
// unexpected.
//
// It is a map and not a struct with tags, because encoding/json ignores case
// when it matches tags.
type object map[string]json.RawMessage

// decodeObject decodes the object in data. It returns nil without an error for
// null. what names the object in the error.
func decodeObject(what string, data []byte) (object, error) {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil, nil
	}
	if !isObject(data) {
		return nil, fmt.Errorf("%s must be a JSON object", what)
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("%s must be a JSON object: %w", what, err)
	}
	return o, nil
}

// isObject reports whether data begins as a JSON object does.
func isObject(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == '{'
}

func (o object) text(name string) string {
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return ""
	}
	return s
}

// time returns an RFC 3339 timestamp, in UTC.
func (o object) time(name string) time.Time {
	t, err := time.Parse(time.RFC3339, o.text(name))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// milliseconds returns a duration. It is zero for a negative number, and for
// one that no duration can hold.
func (o object) milliseconds(name string) time.Duration {
	value := bytes.TrimSpace(o[name])
	ms, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(string(value), 64)
		if ferr != nil || !(f >= 0 && f <= math.MaxInt64/float64(time.Millisecond)/2) {
			return 0
		}
		ms = int64(f)
	}
	if ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func (o object) array(name string) []json.RawMessage {
	var elements []json.RawMessage
	if json.Unmarshal(o[name], &elements) != nil {
		return nil
	}
	return elements
}

func (o object) runError(name string) *RunError {
	var e RunError
	if !isObject(o[name]) || e.UnmarshalJSON(o[name]) != nil {
		return nil
	}
	return &e
}
