package amperitytest

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const goodForm = "grant_type=client_credentials&client_id=client-1&client_secret=" + goodSecret

func fetch(form string) request {
	return request{method: "POST", path: tokenPath, body: form, header: map[string]string{
		"X-Amperity-Tenant": "acme", "Content-Type": "application/x-www-form-urlencoded",
		"Authorization": "-", "amperity-tenant": "-", "api-version": "-",
	}}
}

// mustFetch returns a fetched access token.
func mustFetch(t *testing.T, s *Server) string {
	t.Helper()
	r := send(t, s, fetch(goodForm))
	token, _ := r.object(t)["access_token"].(string)
	if r.status != 200 || token == "" {
		t.Fatalf("status %d", r.status)
	}
	return token
}

func statusWith(t *testing.T, s *Server, token string) int {
	t.Helper()
	return send(t, s, request{header: map[string]string{"Authorization": "Bearer " + token}}).status
}

func TestFetchedTokenIsAcceptedUntilItExpires(t *testing.T) {
	t.Parallel()
	s, clock := setup(t, func(c *Config) { c.TokenLifetime = time.Minute })
	r := send(t, s, fetch(goodForm))
	v := r.object(t)
	token, _ := v["access_token"].(string)
	delete(v, "access_token")
	if diff := cmp.Diff(map[string]any{"expires_in": 60.0, "token_type": "Bearer"}, v); diff != "" {
		t.Error(diff)
	}
	if r.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
	if got := statusWith(t, s, token); got != 200 {
		t.Errorf("immediately: %d", got)
	}
	clock.Advance(time.Minute - 1)
	if got := statusWith(t, s, token); got != 200 {
		t.Errorf("at last: %d", got)
	}
	clock.Advance(1)
	if got := statusWith(t, s, token); got != 401 {
		t.Errorf("expired: %d", got)
	}
	if got := statusWith(t, s, mustFetch(t, s)); got != 200 {
		t.Errorf("a new one: %d", got)
	}
}

func TestFetchedTokenIsAJWT(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	first, second := mustFetch(t, s), mustFetch(t, s)
	if first == second {
		t.Error("the same token twice")
	}
	parts := strings.Split(first, ".")
	if len(parts) != 3 || parts[2] != tokenMark {
		t.Fatalf("%d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal("the claims are not base64url")
	}
	var claims struct {
		Tenant   string
		Iat, Exp int64
	}
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal("the claims are not JSON")
	}
	now := clock.Now().Unix()
	if claims.Tenant != "acme" || claims.Iat != now || claims.Exp != now+3600 {
		t.Errorf("claims %+v", claims)
	}
}

func TestRevokedTokensAreRefused(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	fetched := mustFetch(t, s)
	s.ExpireTokens()
	if a, b := statusWith(t, s, goodToken), statusWith(t, s, fetched); a != 401 || b != 401 {
		t.Errorf("after ExpireTokens: %d %d", a, b)
	}
	if got := statusWith(t, s, mustFetch(t, s)); got != 200 {
		t.Errorf("fetched after it: %d", got)
	}
	fetched = mustFetch(t, s)
	tokens := s.cfg.Tokens
	tokens[0].Expires = clock.Now().Add(time.Minute)
	s.SetTokens(tokens...)
	if a, b := statusWith(t, s, goodToken), statusWith(t, s, fetched); a != 200 || b != 401 {
		t.Errorf("after SetTokens: %d %d", a, b)
	}
	clock.Advance(time.Minute)
	if got := statusWith(t, s, goodToken); got != 401 {
		t.Errorf("past its Expires: %d", got)
	}
}

func TestTokenEndpointReturnsOAuthErrorCodes(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	for form, want := range map[string]string{
		"grant_type=x&client_id=x&client_secret=x":                  "unsupported_grant_type",
		"grant_type=client_credentials&client_id=x&client_secret=x": "invalid_client",
		"grant_type=client_credentials":                             "invalid_request",
	} {
		if got := send(t, s, fetch(form)).object(t)["error"]; got != want {
			t.Errorf("%s: %v", form, got)
		}
	}
}

func TestExpiredTokensAreDroppedInTheEnd(t *testing.T) {
	t.Parallel()
	s, clock := setup(t)
	for range 50 {
		mustFetch(t, s)
		clock.Advance(time.Hour)
	}
	if got := len(s.accepted); got > 27 {
		t.Errorf("%d tokens are kept", got)
	}
}

func TestDefaultCredentialsAreAccepted(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Now: newClock().Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r := request{header: map[string]string{"Authorization": "Bearer " + DefaultToken, "amperity-tenant": DefaultTenant}}
	if got := send(t, s, r).status; got != 200 {
		t.Errorf("the default token: %d", got)
	}
	f := fetch("grant_type=client_credentials&client_id=" + DefaultClientID + "&client_secret=" + DefaultClientSecret)
	f.header["X-Amperity-Tenant"] = DefaultTenant
	if got := send(t, s, f).status; got != 200 {
		t.Errorf("the default client: %d", got)
	}
	// A Config with a client has no default token.
	strict, _ := setup(t, func(c *Config) { c.Tokens = nil })
	if got := statusWith(t, strict, DefaultToken); got != 401 {
		t.Errorf("the default token beside a client: %d", got)
	}
}
