package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"
)

// maxValue bounds one value of a line, in bytes; more is cut and ends in "…".
// A line then stays far below the 256 KB that CloudWatch Logs takes.
const maxValue = 8 * 1024

// replace bounds a value, or redacts it, by its type. slog has resolved
// LogValuers, amperity.Token among them, before.
func replace(_ []string, a slog.Attr) (out slog.Attr) {
	defer func() {
		// A value that cannot print itself shall not cost the line.
		if recover() != nil {
			out = slog.String(a.Key, "[cannot be printed]")
		}
	}()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(clip(a.Value.String()))
	case slog.KindDuration:
		// "1.5s" instead of nanoseconds.
		a.Value = slog.StringValue(a.Value.Duration().String())
	case slog.KindAny:
		if _, ok := a.Value.Any().(counted); ok {
			return slog.Attr{} // a Count that is not an attribute of the line itself
		}
		a.Value = printed(a.Value.Any())
	}
	return a
}

// printed is what is written of a value that is no basic type.
func printed(v any) slog.Value {
	switch v := v.(type) {
	case nil, time.Time, slog.Level, *slog.Source:
		return slog.AnyValue(v)
	case error:
		return slog.StringValue(clip(v.Error()))
	case []byte:
		return size(len(v))
	case json.RawMessage:
		return size(len(v))
	case http.Header, *http.Request, *http.Response:
		return slog.StringValue(redacted)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return slog.StringValue(clip(fmt.Sprintf("[%T: not JSON]", v)))
	}
	if buf.Len() > maxValue {
		return slog.StringValue(clip(buf.String()))
	}
	return slog.AnyValue(json.RawMessage(bytes.TrimSpace(buf.Bytes())))
}

const redacted = "[redacted]"

// size stands for a body, which is not written.
func size(n int) slog.Value { return slog.StringValue(fmt.Sprintf("[%d bytes]", n)) }

// clip cuts s between two characters at maxValue.
func clip(s string) string {
	if len(s) <= maxValue {
		return s
	}
	n := maxValue
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
