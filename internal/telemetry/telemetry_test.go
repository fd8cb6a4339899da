package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/telemetry"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// line logs once through a new logger and returns the decoded line without its
// time.
func line(t *testing.T, ctx context.Context, log func(context.Context, *slog.Logger), attrs ...slog.Attr) map[string]any {
	t.Helper()
	var buf bytes.Buffer
	log(ctx, telemetry.NewLogger(&buf, slog.LevelDebug, attrs...))
	if n := strings.Count(buf.String(), "\n"); n != 1 || !strings.HasSuffix(buf.String(), "\n") {
		t.Fatalf("%d lines", n)
	}
	out := map[string]any{}
	if err := json.Unmarshal(buf.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(out["time"])); err != nil {
		t.Error(err)
	}
	delete(out, "time")
	return out
}

func invocation(t *testing.T) context.Context {
	return lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "5f1c-1"})
}

func TestALineHasMessageLevelAndKeys(t *testing.T) {
	t.Parallel()
	got := line(t, t.Context(), func(ctx context.Context, l *slog.Logger) {
		l.WarnContext(ctx, "file is not routed", telemetry.Route, "clicks", "attempts", 2, "waited", 1500*time.Millisecond)
	}, slog.String("tenant", "acme"))
	check(t, "line", map[string]any{
		"level": "WARN", "msg": "file is not routed", "tenant": "acme",
		"route": "clicks", "attempts": 2.0, "waited": "1.5s",
	}, got)
}

func TestTheRequestIDComesFromTheInvocation(t *testing.T) {
	t.Parallel()
	got := line(t, invocation(t), func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "secret read") })
	check(t, "line", map[string]any{"level": "INFO", "msg": "secret read", "request_id": "5f1c-1"}, got)
}

func TestTheRequestIDStaysOutsideGroups(t *testing.T) {
	t.Parallel()
	got := line(t, invocation(t), func(ctx context.Context, l *slog.Logger) {
		l.With("a", 1).WithGroup("run").With("b", 2).WithGroup("").WithGroup("task").InfoContext(ctx, "x", "c", 3)
	})
	check(t, "line", map[string]any{
		"level": "INFO", "msg": "x", "request_id": "5f1c-1", "a": 1.0,
		"run": map[string]any{"b": 2.0, "task": map[string]any{"c": 3.0}},
	}, got)
}

// Alarms need the metrics at any log level.
func TestLinesBelowTheLevelAreWrittenForTheirMetricsOnly(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	l := telemetry.NewLogger(&buf, slog.LevelError)
	l.Warn("x", "a", 1)
	check(t, "written", "", buf.String())
	l.Info("swept", telemetry.Count("Sweeps", ""))
	if !strings.Contains(buf.String(), `"Sweeps":1`) {
		t.Errorf("the line with a metric is %q", buf.String())
	}
}

func TestACountMakesAMetricOfTheLine(t *testing.T) {
	t.Parallel()
	dimensions := func(sets ...[]any) []any {
		var out []any
		for _, s := range sets {
			out = append(out, s)
		}
		return out
	}
	for _, row := range []struct {
		promise string
		with    []slog.Attr
		attrs   []any
		want    []any // dimensions; nil: no metric
	}{
		{"by outcome", nil, []any{telemetry.Count("Launches", "started"), "outcome", "started"}, dimensions([]any{"outcome"})},
		{"an outcome that is not in the line is added", nil, []any{telemetry.Count("Launches", "started")}, dimensions([]any{"outcome"})},
		{
			"by outcome and reason", nil,
			[]any{"outcome", "held", "reason", "too_old", telemetry.Count("Launches", "held")},
			dimensions([]any{"outcome"}, []any{"outcome", "reason"}),
		},
		{
			"by function too", []slog.Attr{slog.String("function", "acme-trigger")},
			[]any{"outcome", "held", "reason", "too_old", telemetry.Count("Launches", "held")},
			dimensions([]any{"function", "outcome"}, []any{"function", "outcome", "reason"}),
		},
		{"an empty function is none", []slog.Attr{slog.String("function", "")}, []any{telemetry.Count("Launches", "started")}, dimensions([]any{"outcome"})},
		{"an empty reason is none", nil, []any{telemetry.Count("Launches", "started"), "reason", ""}, dimensions([]any{"outcome"})},
		{"without an outcome", nil, []any{telemetry.Count("Launches", "")}, dimensions([]any{})},
		{"without an outcome, by function", []slog.Attr{slog.String("function", "f")}, []any{telemetry.Count("Launches", "")}, dimensions([]any{"function"})},
		{"no count, no metric", nil, []any{"outcome", "held", "reason", "too_old"}, nil},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			got := line(t, t.Context(), func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "launch", row.attrs...) }, row.with...)
			aws, _ := got["_aws"].(map[string]any)
			if row.want == nil {
				check(t, "metric", map[string]any(nil), aws)
				check(t, "count", nil, got["Launches"])
				return
			}
			if ms, _ := aws["Timestamp"].(float64); ms < 1.6e12 {
				t.Errorf("timestamp %v is not in milliseconds", aws["Timestamp"])
			}
			check(t, "directives", []any{map[string]any{
				"Namespace": "AmperityRuns", "Dimensions": row.want,
				"Metrics": []any{map[string]any{"Name": "Launches", "Unit": "Count"}},
			}}, aws["CloudWatchMetrics"])
			check(t, "count", 1.0, got["Launches"])
			// CloudWatch drops a metric whose dimension is not a member of the
			// line.
			for _, set := range row.want {
				for _, name := range set.([]any) {
					if s, _ := got[name.(string)].(string); s == "" {
						t.Errorf("dimension %v is not in the line", name)
					}
				}
			}
		})
	}
}

func TestACountInAnOpenGroupStaysAMetric(t *testing.T) {
	t.Parallel()
	got := line(t, t.Context(), func(ctx context.Context, l *slog.Logger) {
		l.WithGroup("run").InfoContext(ctx, "x", "outcome", "started", "reason", "y", telemetry.Count("Launches", "started"))
	})
	check(t, "outcome", "started", got["outcome"])
	check(t, "group", map[string]any{"outcome": "started", "reason": "y"}, got["run"])
	aws, _ := got["_aws"].(map[string]any)
	directives, _ := aws["CloudWatchMetrics"].([]any)
	if len(directives) != 1 {
		t.Fatalf("%d directives", len(directives))
	}
	check(t, "dimensions", []any{[]any{"outcome"}}, directives[0].(map[string]any)["Dimensions"])
}

func TestACountOnALoggerIsLeftOut(t *testing.T) {
	t.Parallel()
	got := line(t, t.Context(), func(ctx context.Context, l *slog.Logger) {
		l.With(telemetry.Count("Launches", "started")).InfoContext(ctx, "x")
	})
	check(t, "line", map[string]any{"level": "INFO", "msg": "x"}, got)
}

// secretError is an error that prints its token carelessly.
type secretError struct {
	Token amperity.Token
	inner struct{ token amperity.Token }
}

func (e secretError) Error() string { return fmt.Sprintf("bad %v %+v %#v", e.Token, e.inner, e.inner) }

func TestATokenIsRedactedWhereverItStands(t *testing.T) {
	t.Parallel()
	token := amperity.NewToken("tok-xSECRETx-1")
	type holder struct {
		Public amperity.Token
		Ptr    *amperity.Token
		Any    any
		List   []amperity.Token
		Map    map[string]amperity.Token
		Keys   map[amperity.Token]int
		hidden amperity.Token
	}
	h := holder{token, &token, token, []amperity.Token{token}, map[string]amperity.Token{"k": token}, map[amperity.Token]int{token: 1}, token}
	careless := secretError{Token: token}
	careless.inner.token = token
	for _, row := range []struct {
		promise string
		log     func(context.Context, *slog.Logger)
	}{
		{"as an attribute", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "v", token) }},
		{"as an attribute by pointer", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "v", &token) }},
		{"as a logger's attribute", func(ctx context.Context, l *slog.Logger) { l.With("v", token).InfoContext(ctx, "x") }},
		{"in a group", func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "x", slog.Group("v", "token", token, slog.Group("w", "token", token)))
		}},
		{"in an open group", func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("g").With("v", token).InfoContext(ctx, "x", "w", token)
		}},
		{"in a struct", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "v", h) }},
		{"in a struct by pointer", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "v", &h) }},
		{"in a list", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "v", []any{token, h}) }},
		{"in an error", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "error", careless) }},
		{"in a wrapped error", func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "x", "error", fmt.Errorf("reading %v: %w", token, careless))
		}},
		{"in joined errors", func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "x", "error", errors.Join(careless, careless))
		}},
		{"in a formatted message", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, fmt.Sprintf("%+v %#v %s", h, h, token)) }},
		{"in a header", func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "x", "v", http.Header{"Authorization": {"Bearer " + token.Reveal()}})
		}},
		{"in a request", func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "x", "v", &http.Request{Header: http.Header{"Authorization": {"Bearer " + token.Reveal()}}})
		}},
		{"in a response", func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "x", "v", &http.Response{Header: http.Header{"X": {token.Reveal()}}})
		}},
		{"in a body", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "v", []byte(token.Reveal())) }},
		{"in a JSON body", func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "x", "v", json.RawMessage(`"`+token.Reveal()+`"`))
		}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			row.log(t.Context(), telemetry.NewLogger(&buf, slog.LevelDebug))
			if strings.Contains(buf.String(), "xSECRETx") {
				t.Error("the line shows the token")
			}
			if !json.Valid(buf.Bytes()) {
				t.Error("the line is not JSON")
			}
		})
	}
}

// broken cannot be printed.
type broken struct{ error }

func TestEveryValueIsPrintedInBounds(t *testing.T) {
	t.Parallel()
	var nilError *broken
	const most = 8 * 1024
	for _, row := range []struct {
		promise string
		value   any
		want    any
	}{
		{"a text as it is", "a <b> & c\n", "a <b> & c\n"},
		{"a text up to its bound", strings.Repeat("x", most), strings.Repeat("x", most)},
		{"a longer text is cut", strings.Repeat("x", most+1), strings.Repeat("x", most) + "…"},
		{"a character is not cut apart", strings.Repeat("x", most-1) + "ä", strings.Repeat("x", most-1) + "…"},
		{"an error by its text", errors.New("no <answer>"), "no <answer>"},
		{"a long error is cut", errors.New(strings.Repeat("e", most+1)), strings.Repeat("e", most) + "…"},
		{"an error that cannot be printed", nilError, "[cannot be printed]"},
		{"a list", []string{"a<b", "c"}, []any{"a<b", "c"}},
		{"a struct by its JSON form", struct {
			A int `json:"a"`
		}{1}, map[string]any{"a": 1.0}},
		{"a long list is cut", make([]int, most), "[" + strings.Repeat("0,", most/2)[:most-1] + "…"},
		{"a body by its size", []byte("body"), "[4 bytes]"},
		{"a JSON body by its size", json.RawMessage("{}"), "[2 bytes]"},
		{"a header not at all", http.Header{}, "[redacted]"},
		{"what has no JSON form by its type", func() {}, "[func(): not JSON]"},
		{"nothing", nil, nil},
		{"a time", time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC), "2026-11-22T05:00:00Z"},
		{"a level", slog.LevelWarn, "WARN"},
		{"a truth", true, true},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			got := line(t, t.Context(), func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "x", "v", row.value) })
			check(t, "value", row.want, got["v"])
		})
	}
}

func TestDerivedLoggersDoNotChangeTheirParent(t *testing.T) {
	t.Parallel()
	got := line(t, t.Context(), func(ctx context.Context, l *slog.Logger) {
		g := l.WithGroup("g")
		_ = g.With("a", 1)
		_ = g.With("b", 2)
		g.With("c", 3).InfoContext(ctx, "x")
	})
	check(t, "line", map[string]any{"level": "INFO", "msg": "x", "g": map[string]any{"c": 3.0}}, got)
}
