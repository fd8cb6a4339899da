// Package token gives Amperity access tokens out of a secret in AWS Secrets
// Manager.
//
// A [Source] reads the secret when a token is first asked for, and again when
// the token is about to expire and after a 401, so that a rotated secret is
// used without a deployment. The secret holds a token, alone or as
// {"token":"…"}, or OAuth client credentials as
// {"client_id":"…","client_secret":"…","token_url":"…"}.
//
// Nothing here logs, and no error shows any part of the secret.
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
	// early is how long before its expiry a token is looked for anew.
	early = time.Minute
	// late is how long after its expiry a token is still sent: our clock may
	// be ahead of Amperity's, which has the last word.
	late = time.Minute
	// pause is the least time between two readings for a token's expiry, so
	// that a token which nobody has renewed yet costs no reading per request.
	pause = 30 * time.Second
	// patience bounds one reading, the SDK's retries included. A function in a
	// VPC without a way to Secrets Manager would hang until it is killed.
	patience = 10 * time.Second
)

// SecretsManager is what a Source needs of *secretsmanager.Client. It must be
// safe for use by several goroutines.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Config is what New needs besides the client.
type Config struct {
	// SecretID is the secret's name or ARN. Required.
	SecretID string
	// Tenant is the Amperity tenant id, which the token endpoint is told.
	// Required where the secret holds OAuth client credentials.
	Tenant string
	// Now is the wall clock; required. A monotonic clock would stand still
	// while the function is frozen.
	Now func() time.Time
	// Transport carries the requests to the OAuth token endpoint; nil for the
	// client's own.
	Transport http.RoundTripper
}

// Source is an [amperity.TokenSource]. It is safe for use by several
// goroutines; however many ask at once, the secret is read once.
type Source struct {
	client SecretsManager
	cfg    Config

	mu      sync.Mutex
	current *credentials   // what was read last; nil before
	refused *credentials   // what a 401 has put in doubt; nil if nothing
	given   amperity.Token // what Token gave last
	reading *reading       // the reading that goes on; nil if none
	looked  time.Time      // when a reading began last
	failed  bool           // it did
}

var _ amperity.TokenSource = (*Source)(nil)

// credentials are what one reading of the secret gave. They do not change.
type credentials struct {
	raw     amperity.Token // the secret as it is, to tell whether it changed
	static  amperity.Token
	expires time.Time // of static; zero if it does not say
	oauth   *amperity.ClientCredentials
}

// reading is one reading of the secret that several may wait for.
type reading struct {
	done chan struct{} // closed when the rest is set
	got  *credentials
	err  error
	// abandoned tells that err is due to the end of the reader's own context.
	abandoned bool
}

// New makes a source. It reads nothing yet.
func New(client SecretsManager, cfg Config) *Source {
	return &Source{client: client, cfg: cfg}
}

// Token gives the token to send. Its errors are a *[SecretError].
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

// Invalidate tells that the token was refused: if it is the one given last, the
// next call of Token reads the secret again.
func (s *Source) Invalidate(t amperity.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || !t.Equal(s.given) {
		return // somebody has renewed it already
	}
	s.refused = s.current
	if s.current.oauth != nil {
		s.current.oauth.Invalidate(t)
	}
}

// use makes a token of credentials.
func (s *Source) use(ctx context.Context, c *credentials) (amperity.Token, error) {
	if c.oauth != nil {
		t, err := c.oauth.Token(ctx)
		if err != nil {
			return amperity.Token{}, s.oauthError(err)
		}
		return t, nil
	}
	if !c.expires.IsZero() && s.cfg.Now().After(c.expires.Add(late)) {
		return amperity.Token{}, s.expired(c.expires)
	}
	return c.static, nil
}

// credentials gives what was read last, or reads anew: if nothing was read yet,
// if what was read is doubted (by the caller, or by a 401), or if the token in
// it is about to expire.
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
				continue // the reader ran out of time, this caller has not
			}
		}
		if r.err != nil && usable && s.cfg.Now().Before(c.expires) {
			return c, nil // good for a little while yet
		}
		return r.got, r.err
	}
}

// expiring tells whether the secret should be looked at for a newer token. s.mu
// is held.
func (s *Source) expiring(c *credentials) bool {
	now := s.cfg.Now()
	if c.expires.IsZero() || !now.After(c.expires.Add(-early)) {
		return false
	}
	// A token that is good no more is worth a reading each time, until one comes
	// about.
	return now.Sub(s.looked) >= pause || s.failed && !now.Before(c.expires)
}

// read reads the secret and tells everybody who waits for it.
func (s *Source) read(ctx context.Context, r *reading) {
	defer close(r.done)
	limited, cancel := context.WithTimeout(ctx, patience)
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
