package token_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/clock"
	"github.com/amperity-runs/amperity-runs/internal/token"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// manager is Secrets Manager with one secret.
type manager struct {
	mu     sync.Mutex
	value  string // AWSCURRENT
	binary []byte
	err    error
	wait   func(context.Context) error // before answering

	reads int
	ids   []string
}

func (m *manager) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	m.mu.Lock()
	m.reads++
	m.ids = append(m.ids, aws.ToString(in.SecretId))
	wait := m.wait
	m.mu.Unlock()
	if in.VersionId != nil || in.VersionStage != nil {
		return nil, fmt.Errorf("a version is asked for, so rotation would not be seen")
	}
	if wait != nil {
		if err := wait(ctx); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	if m.binary != nil {
		return &secretsmanager.GetSecretValueOutput{SecretBinary: m.binary}, nil
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(m.value)}, nil
}

// set rotates the secret.
func (m *manager) set(value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.value, m.err = value, nil
}

func (m *manager) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *manager) readings() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}

func apiError(code, message string) error {
	return &smithy.OperationError{ServiceID: "Secrets Manager", OperationName: "GetSecretValue", Err: &smithy.GenericAPIError{Code: code, Message: message}}
}

func newClock() *clock.Manual {
	return clock.NewManual(time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC))
}

// jwt returns a token with an expiry. The name distinguishes tokens.
func jwt(name string, expires time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, name, expires.Unix())) + ".xSECRETx"
}

// credentials is the OAuth form of the secret.
func credentials(id, secret string) string {
	return fmt.Sprintf(`{"client_id":%q,"client_secret":%q,"token_url":"https://app.amperity.com/api/v0/oauth2/token"}`, id, secret)
}

// endpoint is the OAuth token endpoint, as a transport. It accepts one client
// secret and returns numbered tokens.
type endpoint struct {
	mu     sync.Mutex
	secret string
	status int // if not 0, the status of every response
	err    error

	requests int
	tenants  []string
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests++
	e.tenants = append(e.tenants, r.Header.Get("X-Amperity-Tenant"))
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/json"}},
			Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
	switch {
	case e.err != nil:
		return nil, e.err
	case e.status != 0:
		return answer(e.status, `{"status":`+fmt.Sprint(e.status)+`,"message":"no"}`)
	case form.Get("client_secret") != e.secret:
		return answer(401, `{"status":401,"message":"invalid client"}`)
	}
	return answer(200, fmt.Sprintf(`{"access_token":"tok-xSECRETx-%d","expires_in":3600,"token_type":"Bearer"}`, e.requests))
}

func (e *endpoint) change(f func(*endpoint)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e)
}

// world is a source and its surroundings.
type world struct {
	*token.Source
	manager  *manager
	endpoint *endpoint
	clock    *clock.Manual
}

func newWorld(secret string) *world {
	w := &world{manager: &manager{value: secret}, endpoint: &endpoint{secret: "cs-xSECRETx-1"}, clock: newClock()}
	w.Source = token.New(w.manager, token.Config{SecretID: "amperity/token", Tenant: "acme", Now: w.clock.Now, Transport: w.endpoint})
	return w
}

// gives calls Token and compares the result with the wanted token, without
// showing either.
func (w *world) gives(t *testing.T, want string) amperity.Token {
	t.Helper()
	got, err := w.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Reveal() != want {
		t.Errorf("another token than wanted")
	}
	return got
}

// fails calls Token and returns its error.
func (w *world) fails(t *testing.T) error {
	t.Helper()
	got, err := w.Token(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	if !got.IsZero() {
		t.Error("a token beside an error")
	}
	return err
}

// retryable reports whether a retry can help.
func retryable(err error) bool {
	secret, ok := errors.AsType[*token.SecretError](err)
	return ok && secret.Retryable
}
