package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// The secret has one of three forms. White space around it is allowed:
//
//	<token>
//	{"token": "<token>"}
//	{"client_id": "…", "client_secret": "…", "token_url": "https://…"}

// Keys of the JSON forms.
const (
	keyToken        = "token"
	keyClientID     = "client_id"
	keyClientSecret = "client_secret"
	keyTokenURL     = "token_url"
)

const (
	// maxSecret is the largest secret that Secrets Manager keeps, in bytes.
	maxSecret = 64 * 1024
	// maxToken is the size that fits into a header of most servers, in bytes.
	maxToken = 16 * 1024
)

// bothForms shows the two valid JSON objects.
const bothForms = `{"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`

// parse parses a secret's text into credentials. It adds faults to f. The
// result is valid only if there are none.
func (s *Source) parse(text string, f *faults) *credentials {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\uFEFF")) // some editors write this mark first
	switch {
	case text == "":
		f.problemf("is empty: put the token into it")
	case len(text) > maxSecret:
		f.problemf("is longer than 64 KB: put nothing but the token into it")
	case text[0] == '{':
		return s.parseObject(text, f)
	case !isToken(text):
		f.problemf(`holds something that is not a token: put the token alone into it, without "Bearer" and quotation marks, or %s`, bothForms)
	default:
		return fixed(text)
	}
	return nil
}

// parseObject parses the two JSON forms.
func (s *Source) parseObject(text string, f *faults) *credentials {
	values, ok := object(text, f)
	if !ok {
		return nil
	}
	_, hasToken := values[keyToken]
	var there, missing []string
	for _, key := range []string{keyClientID, keyClientSecret, keyTokenURL} {
		if _, ok := values[key]; ok {
			there = append(there, key)
		} else {
			missing = append(missing, key)
		}
	}
	switch {
	case hasToken && len(there) > 0:
		f.problemf("has %s as well as %s: keep one of the two forms, %s", keyToken, strings.Join(there, ", "), bothForms)
	case !hasToken && len(there) == 0:
		f.problemf("has neither a token nor client credentials: write %s", bothForms)
	case !hasToken && len(missing) > 0:
		f.problemf("has no %s: write %s", strings.Join(missing, " and no "), bothForms)
	}
	if v := values[keyToken]; hasToken && v != nil && !isToken(*v) {
		f.problemf(`has a token that cannot be one: copy it again, without "Bearer" and quotation marks`)
	}
	for _, key := range []string{keyClientID, keyClientSecret} {
		if v := values[key]; v != nil && (*v == "" || len(*v) > maxToken || strings.ContainsFunc(*v, blank)) {
			f.problemf("has a %s that is empty, too long, or has spaces or line breaks in it: copy it again", key)
		}
	}
	if v := values[keyTokenURL]; v != nil {
		checkTokenURL(*v, f)
	}
	if len(f.list) > 0 {
		return nil
	}
	if hasToken {
		return fixed(*values[keyToken])
	}
	oauth, err := amperity.NewClientCredentials(amperity.ClientCredentialsConfig{
		TokenURL:     *values[keyTokenURL],
		ClientID:     *values[keyClientID],
		ClientSecret: amperity.NewToken(*values[keyClientSecret]),
		Tenant:       s.cfg.Tenant,
		Transport:    s.cfg.Transport,
		Now:          s.cfg.Now,
	})
	if err != nil {
		f.problemf("cannot be used: %v", err)
		return nil
	}
	return &credentials{oauth: oauth}
}

// object parses a JSON object into its known keys and their strings. A value
// that is not a string is nil. It returns false if the text is not an object.
func object(text string, f *faults) (map[string]*string, bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	broken := func() (map[string]*string, bool) {
		// The decoder's own error quotes the text.
		f.problemf("is not the JSON object that it begins like (see byte %d): write %s", dec.InputOffset()+1, bothForms)
		return nil, false
	}
	if _, err := dec.Token(); err != nil {
		return broken()
	}
	values := map[string]*string{}
	var unknown, hidden int
	var names []string
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return broken()
		}
		key, _ := t.(string)
		var value any
		if err := dec.Decode(&value); err != nil {
			return broken()
		}
		switch key {
		case keyToken, keyClientID, keyClientSecret, keyTokenURL:
			if _, twice := values[key]; twice {
				f.problemf("has %s twice: keep one", key)
			}
			values[key] = nil
			if v, ok := value.(string); ok {
				values[key] = &v
			} else {
				f.problemf("has a %s that is not text: put it in quotation marks", key)
			}
		default:
			unknown++
			if harmless(key) {
				names = append(names, key)
			} else {
				hidden++
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return broken()
	}
	if _, err := dec.Token(); err != io.EOF {
		return broken()
	}
	switch {
	case unknown > 0 && hidden == 0:
		f.problemf("has unknown keys (%s): write %s", strings.Join(names, ", "), bothForms)
	case unknown > 0:
		// A key may be a secret pasted into the wrong place.
		f.problemf("has %d unknown keys: write %s", unknown, bothForms)
	}
	return values, true
}

// harmless reports whether an unknown key may be shown. It accepts only common
// names of such fields.
func harmless(key string) bool {
	folded := strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(key))
	return len(key) <= 20 && slices.Contains([]string{
		"token", "accesstoken", "apitoken", "apikey", "key", "value", "secret", "password", "username", "user", "name", "bearer",
		"clientid", "clientsecret", "tokenurl", "tokenendpoint", "url", "tenant", "tenantid", "expires", "expiresin", "tokentype",
		"description", "comment", "version",
	}, folded)
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// isToken reports whether s is valid after "Bearer" in a header.
//
// Source: RFC 6750, section 2.1, b64token.
func isToken(s string) bool {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~+/=", r)) {
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}

// checkTokenURL lets the client check the address, which the other fields do not
// change.
func checkTokenURL(s string, f *faults) {
	_, err := amperity.NewClientCredentials(amperity.ClientCredentialsConfig{
		TokenURL: s, ClientID: "any", ClientSecret: amperity.NewToken("any"), Tenant: "any"})
	var config *amperity.ConfigError
	if errors.As(err, &config) {
		for _, p := range config.Problems {
			f.problemf("has a token_url that %s", p.Message)
		}
	}
}

func fixed(token string) *credentials {
	return &credentials{static: amperity.NewToken(token), expires: expiry(token)}
}

// expiry returns the expiry of a JWT, or zero for any other token. It does not
// check the signature. Amperity does that, and the expiry only saves a 401.
//
// Source: RFC 7519, section 4.1.4, "exp": seconds since 1970.
func expiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal(payload, &claims) != nil {
		return time.Time{}
	}
	var exp float64
	if raw := bytes.TrimSpace(claims["exp"]); json.Unmarshal(raw, &exp) != nil || exp <= 0 || exp > math.MaxInt32*8 {
		return time.Time{}
	}
	return time.Unix(int64(exp), 0)
}
