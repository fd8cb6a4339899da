// Package demo runs the functions' real handlers in one process, against the
// simulated Amperity API, with the ledger and an event bus in memory. It shows
// the inputs, the requests to Amperity and the announcements.
//
// Only the demo moves its clock, so that it prints the same each time.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/inprocess"
	"github.com/amperity-runs/amperity-runs/internal/launch"
	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/token"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

const routesFile = `version: 1
timezone: America/New_York
routes:
  - name: customers
    config_id: cg-123ABc4DE
    files: customers/**
  - name: orders
    config_id: cg-789GHi0JK
    run_mode: source
    files: orders/{yyyy}/{MM}/{dd}/*.csv.gz
`

// begin is the start of the demo's clock: 22:30 on the 21st in New York.
var begin = time.Date(2026, 11, 22, 3, 30, 0, 0, time.UTC)

// Run runs the demo and prints each scene to out. It returns an error if a
// scene has an unexpected result.
func Run(ctx context.Context, out io.Writer) error {
	s, err := newStage(out)
	if err != nil {
		return err
	}
	defer s.amperity.Close()
	for i, sc := range scenes() {
		if err := s.play(ctx, i+1, sc); err != nil {
			return fmt.Errorf("%s: %w", sc.title, err)
		}
	}
	fmt.Fprintf(out, "%d runs were started in Amperity, each once.\n", len(s.amperity.Runs()))
	return nil
}

// stage is the simulated world with the real handlers.
type stage struct {
	out      io.Writer
	clock    *clock.Manual
	amperity *amperitytest.Server
	bus      *bus
	ledger   *mortal
	handlers map[function]lambda.Handler
	requests int
	runs     int
}

func newStage(out io.Writer) (*stage, error) {
	s := &stage{out: out, clock: clock.NewManual(begin), bus: &bus{}}
	s.ledger = &mortal{Memory: ledger.NewMemory()}
	var err error
	s.amperity, err = amperitytest.New(amperitytest.Config{Now: s.clock.Now, Sleep: s.clock.Sleep, Seed: 1})
	if err != nil {
		return nil, err
	}
	tokens := token.New(secret{tokenURL: s.amperity.TokenURL()}, token.Config{
		SecretID: "amperity", Tenant: amperitytest.DefaultTenant, Now: s.clock.Now})
	client, err := amperity.New(amperitytest.DefaultTenant, tokens,
		amperity.WithBaseURL(s.amperity.URL()))
	if err != nil {
		return nil, err
	}
	routes, _, err := route.Parse("routes.yaml", []byte(routesFile), route.Options{Buckets: []string{bucket}})
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.DiscardHandler)
	writes := 0
	token := func(context.Context) string { writes++; return fmt.Sprint(writes) }
	f := inprocess.New(launch.Config{API: client, Ledger: s.ledger, Announcer: s.bus, Clock: s.clock, Logger: logger,
		Tenant: amperitytest.DefaultTenant, Token: token, Rand: func() float64 { return 0 }}, routes)
	s.handlers = map[function]lambda.Handler{
		triggers: f.Trigger,
		arrivals: f.S3Arrival,
		sweeps:   f.Sweep,
	}
	return s, nil
}

// play runs a scene and prints it.
func (s *stage) play(ctx context.Context, n int, sc scene) error {
	fmt.Fprintf(s.out, "%d. %s\n", n, sc.title)
	s.clock.Advance(10 * time.Minute)
	if sc.before != nil {
		if err := sc.before(s.amperity); err != nil {
			return err
		}
	}
	var got seen
	for i, st := range sc.steps {
		s.clock.Advance(st.after)
		fmt.Fprintf(s.out, "   %-10s %s\n", st.function, st.in)
		id := fmt.Sprintf("demo-%d-%d", n, i+1)
		if err := s.invoke(ctx, id, st, &got); err != nil {
			return err
		}
	}
	for _, r := range s.amperity.Runs()[s.runs:] {
		got.runs = append(got.runs, fmt.Sprintf("%s %s %s", r.ConfigID, r.RangeFrom, r.RangeTo))
		s.runs++
	}
	fmt.Fprintln(s.out)
	return sc.want.compare(got)
}

// invoke invokes a handler once and prints the results.
func (s *stage) invoke(ctx context.Context, id string, st step, got *seen) error {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: id})
	ctx, cancel := s.clock.WithTimeout(ctx, 50*time.Second)
	defer cancel()
	s.ledger.dies = st.dies
	answer, err := s.survive(ctx, st)
	if err != nil {
		return err
	}
	for _, r := range s.amperity.Requests()[s.requests:] {
		fmt.Fprintf(s.out, "     amperity   %s %s%s -> %s\n", r.Method, r.Path, body(r), status(r))
		got.statuses = append(got.statuses, r.Status)
		s.requests++
	}
	for _, a := range s.bus.take() {
		detail, err := a.Encode(announcement.DefaultLimit)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "     announced  %s: %s\n", a.Type, s.anonymous(gist(a)))
		got.announced = append(got.announced, a.Type)
		got.details = append(got.details, detail)
	}
	got.answer += string(answer)
	switch {
	case answer == nil:
		fmt.Fprintln(s.out, "     killed     before the ledger has the outcome")
	case st.function == triggers:
		fmt.Fprintf(s.out, "     answered   %s\n", outcome(answer))
	}
	return nil
}

// outcome returns the trigger's result in a few words.
func outcome(answer []byte) string {
	var res record.Result
	if json.Unmarshal(answer, &res) != nil {
		return string(answer)
	}
	text := string(res.Outcome)
	if res.Recorded != "" {
		text += ", and nothing done: it is " + string(res.Recorded)
	}
	return text
}

// survive invokes a handler that may die.
func (s *stage) survive(ctx context.Context, st step) (answer []byte, err error) {
	defer func() {
		if why := recover(); why != nil {
			if _, dies := why.(death); !dies {
				panic(why)
			}
		}
	}()
	return s.handlers[st.function].Invoke(ctx, []byte(st.payload(s.clock.Now())))
}

// death is the panic that ends a simulated process.
type death struct{}

// mortal is a ledger whose process dies instead of a write.
type mortal struct {
	*ledger.Memory
	// dies is a prefix of keys. The process dies instead of writing an item
	// with this prefix, or never if it is empty.
	dies string
}

func (m *mortal) Put(ctx context.Context, token string, items ...ledger.Item) error {
	for _, item := range items {
		if m.dies != "" && strings.HasPrefix(item.Key, m.dies) {
			m.dies = ""
			panic(death{})
		}
	}
	return m.Memory.Put(ctx, token, items...)
}

// status returns the status of the response to a request.
func status(r amperitytest.Request) string {
	if r.Status == 0 {
		return "no answer"
	}
	return fmt.Sprint(r.Status)
}

// body returns the query or body of a request. It returns nothing for the token
// endpoint, whose form contains the client's secret.
func body(r amperitytest.Request) string {
	if r.Query != "" {
		return "?" + r.Query
	}
	if r.Body == "" || strings.HasSuffix(r.Path, "/oauth2/token") {
		return ""
	}
	return " " + r.Body
}

// anonymous replaces the simulator's address, whose port differs each time.
func (s *stage) anonymous(text string) string {
	return strings.ReplaceAll(text, s.amperity.URL(), "https://app.amperity.com/api")
}

// gist returns an announcement in one line. docs/events describes the whole
// JSON.
func gist(a announcement.Announcement) string {
	d := a.Detail
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	add("reason", d.Reason)
	add("launch_key", d.LaunchKey)
	if d.Run != nil {
		add("run", d.Run.ID+" ("+string(d.Run.State)+")")
	}
	if d.Error != nil {
		add("error", d.Error.Message)
	}
	return strings.Join(parts, " ")
}

// bus is an event bus in memory.
type bus struct {
	mu   sync.Mutex
	held []announcement.Announcement
}

func (b *bus) Announce(_ context.Context, as ...announcement.Announcement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = append(b.held, as...)
	return nil
}

func (b *bus) take() []announcement.Announcement {
	b.mu.Lock()
	defer b.mu.Unlock()
	as := b.held
	b.held = nil
	return as
}

// secret is a Secrets Manager with one secret, the simulator's public OAuth
// client.
type secret struct{ tokenURL string }

func (s secret) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	value, err := json.Marshal(map[string]string{
		"client_id":     amperitytest.DefaultClientID,
		"client_secret": amperitytest.DefaultClientSecret,
		"token_url":     s.tokenURL,
	})
	text := string(value)
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, err
}

// seen has the results of a scene, or the expected ones.
type seen struct {
	answer    string
	statuses  []int
	runs      []string
	announced []announcement.DetailType
	details   [][]byte
}

func (want seen) compare(got seen) error {
	var errs []error
	check := func(what string, want, got any) {
		if w, g := fmt.Sprint(want), fmt.Sprint(got); w != g {
			errs = append(errs, fmt.Errorf("%s: %s instead of %s", what, g, w))
		}
	}
	check("answers of Amperity", want.statuses, got.statuses)
	check("runs started", want.runs, got.runs)
	check("events announced", want.announced, got.announced)
	if !strings.Contains(got.answer, want.answer) {
		errs = append(errs, fmt.Errorf("answer: %s lacks %s", got.answer, want.answer))
	}
	return errors.Join(errs...)
}

// notFound is Amperity's response to an unknown config id.
func notFound(configID string) amperitytest.Fault {
	return amperitytest.Fault{Method: http.MethodPost, ConfigID: configID, Kind: amperitytest.Status, Status: http.StatusNotFound,
		Body: `{"status":404,"message":"No such configuration","request_id":"r-404"}`}
}

// noAnswer makes Amperity start the run and break the connection.
func noAnswer(configID string) amperitytest.Fault {
	return amperitytest.Fault{Method: http.MethodPost, ConfigID: configID, Kind: amperitytest.Reset, Applied: true}
}
