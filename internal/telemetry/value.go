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

// maxValue bounds one value of a line, in bytes. A longer value is cut and ends
// in "…". A line then stays far below the 256 KB that CloudWatch Logs accepts.
const maxValue = 8 * 1024

// replace bounds or redacts a value by its type. slog has already resolved
// LogValuers such as amperity.Token.
func replace(_ []string, a slog.Attr) (out slog.Attr) {
	defer func() {
		// A value whose method panics must not lose the line.
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
			return slog.Attr{} // a Count outside the attributes of the line
		}
		a.Value = printed(a.Value.Any())
	}
	return a
}

// printed returns the text or JSON of a value that is not a basic type.
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

// size replaces a body, which is not written.
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
