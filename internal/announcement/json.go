package announcement

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// encode returns v as JSON in UTF-8, without escaping "<", ">" and "&".
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	// A run's strings are passed on unchanged, and may not be UTF-8.
	return bytes.ToValidUTF8(bytes.TrimSuffix(buf.Bytes(), []byte("\n")), []byte("\uFFFD")), nil
}

// readable reports whether EventBridge processes the valid JSON at depth levels
// in a detail: it nests at most maxDepth levels, and every integer fits 64
// bits.
//
// Source: EventBridge API reference, PutEvents.
func readable(valid []byte, depth int) bool {
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case c == '"':
			for i++; valid[i] != '"'; i++ {
				if valid[i] == '\\' {
					i++ // an escaped character does not end the string
				}
			}
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}', c == ']':
			depth--
		case c == '-', '0' <= c && c <= '9':
			number := valid[i : i+bytes.IndexAny(valid[i:], ",}]")]
			i += len(number) - 1
			if _, err := strconv.ParseInt(string(bytes.TrimSpace(number)), 10, 64); err != nil && !bytes.ContainsAny(number, ".eE") {
				return false
			}
		}
	}
	return true
}

// member is one field of a JSON object with its unchanged value.
type member struct {
	key   string
	value json.RawMessage
}

// members returns the fields of a JSON object in their order, or nil for other
// JSON.
func members(object []byte) []member {
	dec := json.NewDecoder(bytes.NewReader(object))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var out []member
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil
		}
		m := member{key: key}
		if err := dec.Decode(&m.value); err != nil {
			return nil
		}
		out = append(out, m)
	}
	return out
}

// object is the reverse of members.
func object(ms []member) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(text(m.key))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// text returns s as a JSON string.
func text(s string) json.RawMessage {
	out, err := encode(s)
	if err != nil {
		return json.RawMessage(`""`) // no string makes encoding/json fail
	}
	return out
}

// The fields of a reduced run: those that Amperity documents, without the long
// ones.
const (
	keptOfRun   = " id state type name tenant created_at ended_at principal_id principal_name principal_email launched_version current_version warn_after_ms "
	keptOfError = " attribution type message "
)

// BoundedRun returns the run if its JSON has at most limit bytes and
// EventBridge processes it in a detail. It measures the JSON as encoding/json
// writes it, with "<" as \u003c. Otherwise it returns the run without its
// task_instances, or with its well-known fields only, whatever their size, and
// cut is true. It never returns nil.
func BoundedRun(run *amperity.Run, limit int) (bounded *amperity.Run, cut bool) {
	for i, smaller := range []func() *amperity.Run{
		func() *amperity.Run { return run },
		func() *amperity.Run { return withoutTasks(run) },
	} {
		r := smaller()
		if raw, err := json.Marshal(r); err == nil && len(raw) <= limit && readable(raw, 1) {
			return r, i > 0
		}
	}
	return reduced(run), true
}

// withoutTasks returns the run without its task_instances. The other fields
// keep their values and order. A run that cannot be encoded is returned
// unchanged.
func withoutTasks(run *amperity.Run) *amperity.Run {
	raw, err := run.MarshalJSON()
	if err != nil {
		return run
	}
	rest := slices.DeleteFunc(members(raw), func(m member) bool { return m.key == "task_instances" })
	out := new(amperity.Run)
	if err := json.Unmarshal(object(rest), out); err != nil {
		return run // impossible: all of it was JSON
	}
	return out
}

// reduced returns the run with its well-known fields only, and cuts their
// texts.
func reduced(run *amperity.Run) *amperity.Run {
	raw, err := encode(run)
	if err != nil {
		raw = nil // not JSON: keep nothing of it
	}
	all := members(raw)
	kept := scalars(all, keptOfRun)
	if len(kept) == 0 {
		kept = []member{{"id", text(shorten(run.ID, maxName))}}
	}
	for _, m := range slices.Backward(all) {
		if m.key == "error" {
			kept = append(kept, member{"error", object(scalars(members(m.value), keptOfError))})
			break
		}
	}
	out := new(amperity.Run)
	if err := json.Unmarshal(object(kept), out); err != nil {
		return &amperity.Run{ID: shorten(run.ID, maxName)} // impossible: all of it was JSON
	}
	return out
}

// scalars returns the members named in kept (between spaces) that are a string,
// a number, a bool or null. If several have one name, the last one counts, as
// in every decoder.
func scalars(ms []member, kept string) []member {
	var out []member
	for _, m := range ms {
		if !strings.Contains(kept, " "+m.key+" ") || strings.Contains(m.key, " ") {
			continue
		}
		out = slices.DeleteFunc(out, func(o member) bool { return o.key == m.key })
		var s string
		switch {
		case json.Unmarshal(m.value, &s) == nil && m.value[0] == '"':
			out = append(out, member{m.key, text(shorten(s, maxName))})
		case len(m.value) <= maxNumber && m.value[0] != '{' && m.value[0] != '[':
			out = append(out, m)
		}
	}
	return out
}

// maxNumber bounds a number of a reduced run, in bytes. Any integer of that
// length fits 64 bits.
const maxNumber = 18
