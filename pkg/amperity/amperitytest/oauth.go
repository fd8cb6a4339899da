package amperitytest

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// tokenMark ends every token that the server issues. It has no meaning in any
// format. Search your test's output for it to find a leak.
const tokenMark = "xSECRETx"

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`
	TokenType   string `json:"token_type"`
}

// fetchToken is POST /v0/oauth2/token, the client credentials grant.
func (s *Server) fetchToken(c *call) answer {
	form, bad := s.tokenForm(c)
	if bad.status != 0 {
		return bad
	}
	if form.Get("grant_type") != "client_credentials" {
		return problemf(http.StatusBadRequest, "grant_type %q is not client_credentials", form.Get("grant_type")).
			coded("unsupported_grant_type")
	}
	secret := amperity.NewToken(form.Get("client_secret"))
	if !slices.ContainsFunc(s.cfg.Clients, func(cl Client) bool {
		return cl.ID == form.Get("client_id") && cl.Secret.Equal(secret)
	}) {
		return problemf(http.StatusUnauthorized, "client_id and client_secret are not those of a client").
			coded("invalid_client")
	}
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g := grant{value: amperity.NewToken(s.newJWT(now)), expires: now.Add(s.cfg.TokenLifetime)}
	// Keep expired tokens for a day, so that the refusal of one names the
	// reason.
	s.accepted = slices.DeleteFunc(s.accepted, func(old grant) bool {
		return !old.expires.IsZero() && now.After(old.expires.Add(24*time.Hour))
	})
	s.accepted = append(s.accepted, g)
	return ok(http.StatusOK, tokenAnswer{
		AccessToken: g.value.Reveal(),
		ExpiresIn:   int64(s.cfg.TokenLifetime / time.Second),
		TokenType:   "Bearer",
	}).with("Cache-Control", "no-store")
}

// tokenForm parses and checks the form.
func (s *Server) tokenForm(c *call) (url.Values, answer) {
	const invalid = "invalid_request"
	switch tenant := c.Header.Get("X-Amperity-Tenant"); tenant {
	case "":
		return nil, problemf(http.StatusBadRequest, "the header X-Amperity-Tenant is missing").coded(invalid)
	case s.cfg.Tenant:
	default:
		return nil, problemf(http.StatusUnauthorized, "the client is not one of the tenant %q", tenant).coded("invalid_client")
	}
	contentType, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || contentType != "application/x-www-form-urlencoded" {
		return nil, problemf(http.StatusBadRequest, "the content type %q is not application/x-www-form-urlencoded", c.Header.Get("Content-Type")).coded(invalid)
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		// The error would quote the form.
		return nil, problemf(http.StatusBadRequest, "the form is malformed").coded(invalid)
	}
	for _, name := range []string{"grant_type", "client_id", "client_secret"} {
		if len(form[name]) != 1 {
			return nil, problemf(http.StatusBadRequest, "the form has %d values of %s, not one", len(form[name]), name).coded(invalid)
		}
	}
	return form, answer{}
}

// coded adds the error code of RFC 6749, section 5.2.
func (a answer) coded(code string) answer {
	a.code = code
	return a
}

// newJWT returns an access token in the form of a JSON Web Token, without a
// real signature. The caller holds s.mu.
func (s *Server) newJWT(now time.Time) string {
	part := func(v map[string]any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and numbers
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": "amperitytest", "tenant": s.cfg.Tenant, "jti": s.newHex(),
		"iat": now.Unix(), "exp": now.Add(s.cfg.TokenLifetime).Unix(),
	}) + "." + tokenMark
}
