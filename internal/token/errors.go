package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// SecretError reports that there is no token, what is wrong with the secret,
// and what to do. It shows no part of the secret.
//
// It has no Unwrap, because a response of the token endpoint or of AWS must not
// count as one of Amperity's workflow API.
type SecretError struct {
	// SecretID is the secret's name or ARN as configured.
	SecretID string
	// Faults lists everything that is wrong, and what to do. It has at least
	// one.
	Faults []string
	// Retryable reports whether a retry can help. Otherwise the operator must
	// fix something.
	Retryable bool
	// Cause is the bounded error text of AWS or the token endpoint, or empty.
	Cause string
	// Err is the underlying error, or nil if the fault is in the secret.
	Err error
}

// Error returns `secret "name" is empty: …; … (cause)`.
func (e *SecretError) Error() string {
	text := fmt.Sprintf("secret %q %s", e.SecretID, strings.Join(e.Faults, "; it "))
	if e.Cause != "" {
		text += " (" + e.Cause + ")"
	}
	return text
}

// Is reports whether the error is amperity.ErrUnauthorized, which needs the
// operator, or the end of a context.
func (e *SecretError) Is(target error) bool {
	switch target {
	case amperity.ErrUnauthorized:
		return !e.Retryable
	case context.Canceled, context.DeadlineExceeded:
		return errors.Is(e.Err, target)
	}
	return false
}

// faults collects the faults of a secret. Each is a clause whose subject is the
// secret, with the remedy after a colon.
type faults struct{ list []string }

func (f *faults) problemf(format string, args ...any) {
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// unanswered returns the error of a read without an answer.
func (s *Source) unanswered(err error) error {
	f := &faults{}
	f.problemf("could not be read now, no answer from Secrets Manager: try again; a function in a VPC needs a way to Secrets Manager, such as an endpoint")
	return &SecretError{SecretID: s.cfg.SecretID, Faults: f.list, Retryable: true, Cause: clip(err.Error()), Err: err}
}

// expired returns the error of a token past its own expiry.
func (s *Source) expired(at time.Time) error {
	f := &faults{}
	f.problemf("holds a token that expired at %s: generate a new one in Amperity and put it into the secret", at.UTC().Format(time.RFC3339))
	return &SecretError{SecretID: s.cfg.SecretID, Faults: f.list}
}

// oauthError returns the error of a token endpoint that returned no token.
func (s *Source) oauthError(err error) error {
	f := &faults{}
	if none, ok := errors.AsType[*amperity.TokenError](err); ok {
		err = none.Err // the text of TokenError repeats "no access token"
	}
	refused := errors.Is(err, amperity.ErrUnauthorized) || errors.Is(err, amperity.ErrRejected)
	if refused {
		f.problemf("holds client credentials that its token_url refuses: get new OAuth credentials in Amperity and put them into the secret")
	} else {
		f.problemf("has a token_url that returns no token now: try again")
	}
	return &SecretError{SecretID: s.cfg.SecretID, Faults: f.list, Retryable: !refused, Cause: clip(err.Error()), Err: err}
}

// maxCause bounds the texts of other systems, in runes.
const maxCause = 400

// clip puts a text of another system on one line of at most maxCause runes.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxCause {
		return string(r[:maxCause]) + "…"
	}
	return s
}
