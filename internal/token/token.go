// Package token provides Amperity access tokens from a secret in AWS Secrets
// Manager.
//
// A [Source] reads the secret on the first call. It reads the secret again
// shortly before the token expires and after a 401, so that a rotated secret
// works without a deployment. The secret holds a token, alone or as
// {"token":"…"}, or OAuth client credentials as
// {"client_id":"…","client_secret":"…","token_url":"…"}.
//
// The package does not log, and no error shows any part of the secret.
package token

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

const (
	// early is how long before the expiry of a token the secret is read again.
	early = time.Minute
	// expiryGrace is how long a token is still sent after its expiry. Our clock
	// may be ahead of Amperity's, and Amperity decides.
	expiryGrace = time.Minute
	// pause is the least time between two reads because of an expiry. Without
	// it, a token not yet renewed would cost one read per request.
	pause = 30 * time.Second
	// readTimeout bounds one read, including the SDK's retries. A function in a
	// VPC without a way to Secrets Manager would otherwise hang until it is
	// killed.
	readTimeout = 10 * time.Second
)

// SecretsManager is the part of *secretsmanager.Client that a Source uses. It
// must be safe for concurrent use.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Config configures a Source.
type Config struct {
	// SecretID is the secret's name or ARN. Required.
	SecretID string
	// Tenant is the Amperity tenant id, which the token endpoint receives.
	// Required if the secret holds OAuth client credentials.
	Tenant string
	// Now is the wall clock. Required. A monotonic clock would stop while the
	// function is frozen.
	Now func() time.Time
	// Transport sends the requests to the OAuth token endpoint; nil means the
	// client's own.
	Transport http.RoundTripper
}

// Source is an [amperity.TokenSource]. It is safe for concurrent use.
// Concurrent callers share one read of the secret.
type Source struct {
	client SecretsManager
	cfg    Config

	mu      sync.Mutex
	current *credentials   // the result of the last successful read, or nil
	refused *credentials   // the credentials that a 401 put in doubt, or nil
	given   amperity.Token // the token that Token last returned
	reading *reading       // the read in flight, or nil
	looked  time.Time      // when the last read began
	failed  bool           // the last read failed
}

var _ amperity.TokenSource = (*Source)(nil)

// credentials are the result of one read of the secret. They do not change.
type credentials struct {
	raw     amperity.Token // the whole secret, to detect a change
	static  amperity.Token
	expires time.Time // of static; zero if unknown
	oauth   *amperity.ClientCredentials
}

// reading is one read of the secret. Several callers may wait for it.
type reading struct {
	done chan struct{} // closed once the other fields are set
	got  *credentials
	err  error
	// abandoned reports whether err is due to the end of the reading caller's
	// context.
	abandoned bool
}

// New returns a Source. It does not read the secret yet.
func New(client SecretsManager, cfg Config) *Source {
	return &Source{client: client, cfg: cfg}
}

// Token returns the token to send. Its error is a *[SecretError].
func (s *Source) Token(ctx context.Context) (amperity.Token, error) {
	c, err := s.credentials(ctx, nil)
	if err != nil {
		return amperity.Token{}, err
	}
	t, err := s.use(ctx, c)
	if c.oauth != nil && errors.Is(err, amperity.ErrUnauthorized) {
		// The credentials may have been rotated since they were read.
		again, rerr := s.credentials(ctx, c)
		if rerr != nil {
			return amperity.Token{}, rerr
		}
		if !again.raw.Equal(c.raw) {
			t, err = s.use(ctx, again)
		}
	}
	if err != nil {
		return amperity.Token{}, err
	}
	s.mu.Lock()
	s.given = t
	s.mu.Unlock()
	return t, nil
}

// Invalidate reports that the token was refused. If it is the last one
// returned, the next call of Token reads the secret again.
func (s *Source) Invalidate(t amperity.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || !t.Equal(s.given) {
		return // another caller has already renewed it
	}
	s.refused = s.current
	if s.current.oauth != nil {
		s.current.oauth.Invalidate(t)
	}
}

// use returns the token of credentials.
func (s *Source) use(ctx context.Context, c *credentials) (amperity.Token, error) {
	if c.oauth != nil {
		t, err := c.oauth.Token(ctx)
		if err != nil {
			return amperity.Token{}, s.oauthError(err)
		}
		return t, nil
	}
	if !c.expires.IsZero() && s.cfg.Now().After(c.expires.Add(expiryGrace)) {
		return amperity.Token{}, s.expired(c.expires)
	}
	return c.static, nil
}

// credentials returns the last credentials, or reads the secret. It reads if
// there are none, if the caller or a 401 doubts them, or if their token is
// about to expire.
func (s *Source) credentials(ctx context.Context, doubted *credentials) (*credentials, error) {
	for {
		s.mu.Lock()
		c := s.current
		usable := c != nil && c != doubted && c != s.refused
		if usable && !s.expiring(c) {
			s.mu.Unlock()
			return c, nil
		}
		r := s.reading
		if r == nil {
			r = &reading{done: make(chan struct{})}
			s.reading, s.looked = r, s.cfg.Now()
			s.mu.Unlock()
			s.read(ctx, r)
		} else {
			s.mu.Unlock()
			select {
			case <-ctx.Done():
				return nil, s.unanswered(ctx.Err())
			case <-r.done:
			}
			if r.abandoned && ctx.Err() == nil {
				continue // the reading caller ran out of time; this caller has time left
			}
		}
		if r.err != nil && usable && s.cfg.Now().Before(c.expires) {
			return c, nil // valid for a little longer
		}
		return r.got, r.err
	}
}

// expiring reports whether to read the secret for a newer token. The caller
// holds s.mu.
func (s *Source) expiring(c *credentials) bool {
	now := s.cfg.Now()
	if c.expires.IsZero() || !now.After(c.expires.Add(-early)) {
		return false
	}
	// If the token has expired and the last read failed, each call reads again.
	return now.Sub(s.looked) >= pause || s.failed && !now.Before(c.expires)
}

// read reads the secret and wakes all waiting callers.
func (s *Source) read(ctx context.Context, r *reading) {
	defer close(r.done)
	limited, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	r.got, r.err = s.fetch(limited)
	r.abandoned = r.err != nil && ctx.Err() != nil

	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading, s.failed = nil, r.err != nil
	if r.err != nil {
		return
	}
	s.current, s.refused = r.got, nil
}
