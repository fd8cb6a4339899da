package amperity

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a Token prints as.
const redacted = "[redacted]"

// Token is a secret: an access token or a client secret. It prints as
// "[redacted]" with every verb of fmt, in JSON and in slog. Reveal alone
// returns the secret. The zero Token holds none. Compare tokens with Equal and
// not with ==.
type Token struct {
	// A pointer, because fmt cannot call the methods of an unexported field
	// of another struct, and would print a plain string there.
	s *string
}

// NewToken returns a Token that holds a secret.
func NewToken(s string) Token { return Token{s: &s} }

// Reveal returns the secret itself, for the code that sends it.
func (t Token) Reveal() string {
	if t.s == nil {
		return ""
	}
	return *t.s
}

// IsZero reports whether the token holds nothing.
func (t Token) IsZero() bool { return t.s == nil || *t.s == "" }

// Equal reports whether two tokens hold the same secret. How long it takes does
// not depend on where the secrets differ.
func (t Token) Equal(other Token) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String returns "[redacted]".
func (t Token) String() string { return redacted }

// GoString returns "[redacted]".
func (t Token) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON returns "[redacted]" as a JSON string.
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]".
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]" for slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// TokenSource supplies a Client with access tokens. Several goroutines may call
// its methods at the same time.
type TokenSource interface {
	// Token returns the token to send. A source should cache it. A Client
	// wraps the errors of Token in a [*TokenError]. If the credentials
	// themselves were refused, errors.Is(err, ErrUnauthorized) should be
	// true.
	Token(ctx context.Context) (Token, error)

	// Invalidate reports that the API refused a token with a 401. If the
	// source would return that token next, it must try to get another one.
	// A source that has no other returns the same token again. The client
	// then does not send the request a second time.
	Invalidate(Token)
}

// StaticTokenSource returns a source of one fixed token. It has no other token
// after a 401.
func StaticTokenSource(s string) TokenSource { return staticTokenSource{NewToken(s)} }

type staticTokenSource struct{ token Token }

// Token returns the fixed token.
func (s staticTokenSource) Token(context.Context) (Token, error) { return s.token, nil }

// Invalidate does nothing, because there is no other token.
func (s staticTokenSource) Invalidate(Token) {}
