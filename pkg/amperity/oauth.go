package amperity

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// ClientCredentialsConfig is what NewClientCredentials needs.
type ClientCredentialsConfig struct {
	TokenURL     string
	ClientID     string
	ClientSecret Token
	Tenant       string
	Transport    http.RoundTripper
	Now          func() time.Time
}

// ClientCredentials is a token source by OAuth client credentials.
type ClientCredentials struct{}

// NewClientCredentials makes the source.
func NewClientCredentials(cfg ClientCredentialsConfig) (*ClientCredentials, error) {
	return &ClientCredentials{}, nil
}

// Token gives the cached token or fetches one.
func (c *ClientCredentials) Token(ctx context.Context) (Token, error) {
	return Token{}, errors.ErrUnsupported
}

// Invalidate drops the cached token.
func (c *ClientCredentials) Invalidate(t Token) {}
