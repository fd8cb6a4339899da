package amperity

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every way of printing a Token shows.
const redacted = "[redacted]"

// Token is a secret: an access token or a client secret. It prints as "[redacted]" with every verb of fmt, in JSON
// and in slog; Reveal alone gives the text. It holds a pointer, because fmt cannot call the methods of an unexported
// field of another struct and would print a plain string there.
//
// The zero Token holds nothing. Compare tokens with Equal, not with ==.
type Token struct{ s *string }

// NewToken wraps a secret.
func NewToken(s string) Token { return Token{&s} }

// Reveal gives the secret itself, for the one place that sends it.
func (t Token) Reveal() string {
	if t.s == nil {
		return ""
	}
	return *t.s
}

// IsZero reports whether the token holds nothing.
func (t Token) IsZero() bool { return t.s == nil || *t.s == "" }

// Equal reports whether two tokens hold the same secret; it takes the same time wherever they differ.
func (t Token) Equal(other Token) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String gives "[redacted]".
func (t Token) String() string { return redacted }

// GoString gives "[redacted]".
func (t Token) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON gives "[redacted]" as a JSON string.
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText gives "[redacted]".
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue gives "[redacted]" to slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// TokenSource gives access tokens to a Client. It must be safe for use by several goroutines.
type TokenSource interface {
	// Token gives the token to send, cached where the source can. Its errors come back to the caller in a
	// *TokenError; where the credentials themselves were refused, errors.Is(err, ErrUnauthorized) should hold.
	Token(ctx context.Context) (Token, error)

	// Invalidate tells the source that the API refused this token (401). If it is the one that the source would give
	// next, the next call of Token must try to get another. A source that has no other gives the same again; the
	// client then does not send the request a second time.
	Invalidate(Token)
}

// StaticTokenSource is a source of one fixed token, which a 401 cannot renew.
func StaticTokenSource(s string) TokenSource { return staticTokenSource{NewToken(s)} }

type staticTokenSource struct{ token Token }

// Token gives the fixed token.
func (s staticTokenSource) Token(context.Context) (Token, error) { return s.token, nil }

// Invalidate does nothing: there is no other token.
func (s staticTokenSource) Invalidate(Token) {}
