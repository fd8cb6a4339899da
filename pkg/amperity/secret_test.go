package amperity

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"
)

// everyPrint calls look with every form in which a value can be printed.
func everyPrint(t *testing.T, v any, look func(how, text string)) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10.3v", "%p"} {
		look(verb, fmt.Sprintf(verb, v))
	}
	if text, err := json.Marshal(v); err == nil {
		look("json", string(text))
	}
	if text, err := xml.Marshal(v); err == nil {
		look("xml", string(text))
	}
	if err, ok := v.(error); ok {
		for err != nil {
			look("Error", err.Error())
			err = errors.Unwrap(err)
		}
	}
	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var line bytes.Buffer
		slog.New(handler(&line)).Info("m", "value", v)
		look("slog", line.String())
	}
}

func TestNoValuePrintsASecret(t *testing.T) {
	t.Parallel()
	token := NewToken(testToken)
	echo := strings.ReplaceAll(`{"message":"bad Bearer T","request_id":"T","trace_id":"T"}`, "T", testToken)
	oauth, err := NewClientCredentials(ClientCredentialsConfig{
		TokenURL: "https://app.amperity.com/api/v0/oauth2/token", ClientID: "id", ClientSecret: token, Tenant: "acme", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	oauth.keep(token, time.Hour, nil, false)
	client := newTestClient(t, DefaultBaseURL)

	// Errors of requests whose responses echo the token.
	failure := func(handle func(*conn)) error {
		_, err := newTestClient(t, listen(t, handle).url).StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
		if err == nil {
			t.Error("no error")
		}
		return err
	}
	half := "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.xSECRETxSECRETx"
	values := map[string]any{
		"Token":             token,
		"*Token":            &token,
		"a struct of Token": struct{ T Token }{token},
		"a struct of token": struct{ t Token }{token},
		"a slice of Token":  []Token{token},
		"a map of Token":    map[string]Token{"a": token},
		"StaticTokenSource": StaticTokenSource(testToken),
		"*Client":           client,
		"Client":            *client,
		"a struct of Client": struct{ c *Client }{
			client,
		},
		"*ClientCredentials":        oauth,
		"a ClientCredentialsConfig": ClientCredentialsConfig{ClientSecret: token},
		"a scrubber":                scrubber{token},
		"a request":                 request{scrub: scrubber{token}},
		"the error of an echo":      failure(answering(400, "", echo)),
		"the error of an echo to a redirect": failure(answering(307,
			"Location: https://"+testToken+".example/\n", "")),
		"the error of a long echo":      failure(answering(500, "", strings.Repeat("Bearer "+testToken+" ", 20000))),
		"the error of an HTML echo":     failure(answering(200, "", "<pre>Authorization: Bearer "+testToken+"</pre>")),
		"the error of an echo as a run": failure(answering(200, "", `{"authorization":"Bearer `+testToken+`"}`)),
		"the error of an echo of the head": failure(func(c *conn) {
			c.read()
			c.write("HTTP/1.1 200 OK\nAuthorization Bearer %s\n\n", testToken)
		}),
		"the error of an echo as a status": failure(func(c *conn) { c.read(); c.write("HTTP/1.1 Bearer-%s\n\n", testToken) }),
		"a transport's error with the token": func() error {
			e := request{scrub: scrubber{token}}.cause(t.Context(), &url.Error{Op: "Post", URL: "https://" + testToken, Err: errors.New("sent " + testToken)}, true)
			return &TransportError{Err: e}
		}(),
		"a piece of the token": func() error {
			return errors.New(scrubber{NewToken(half)}.clean("it ends in "+half[20:], maxMessage))
		}(),
		"the error of an unusable token": func() error {
			c, err := New("acme", StaticTokenSource(testToken+" "))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"})
			return err
		}(),
		"the fault of a URL": func() error {
			_, err := New("acme", nil, WithBaseURL("https://user:"+testToken+"@example.com/\x7f"), WithBaseURL("https://user:"+testToken+"@example.com/"))
			return err
		}(),
	}
	for name, v := range values {
		if v == nil {
			t.Errorf("%s is nil", name)
		}
		everyPrint(t, v, func(how, text string) {
			noSecret(t, name+" by "+how, text)
			// Its bytes must not appear as hexadecimal or decimal
			// numbers either.
			for _, form := range []string{"%x", "%X", "%v"} {
				bytes := strings.Trim(fmt.Sprintf(form, []byte("xSECRETx")), "[]")
				if strings.Contains(text, bytes) {
					t.Errorf("%s by %s shows the bytes of a secret", name, how)
				}
			}
		})
	}
}

func TestTokenKeepsItsSecret(t *testing.T) {
	t.Parallel()
	token := NewToken(testToken)
	if token.Reveal() != testToken || token.IsZero() || !token.Equal(NewToken(testToken)) || token.Equal(NewToken("other-xSECRETx")) || token.Equal(Token{}) {
		t.Error("the token does not hold its secret")
	}
	if zero := (Token{}); zero.Reveal() != "" || !zero.IsZero() || !zero.Equal(NewToken("")) || !NewToken("").IsZero() {
		t.Error("the zero token holds something")
	}
	for how, text := range map[string]string{"%v": fmt.Sprint(token), "%#v": fmt.Sprintf("%#v", token), "%d": fmt.Sprintf("%d", token), "%x": fmt.Sprintf("%x", token), "String": token.String(), "GoString": token.GoString()} {
		if text != "[redacted]" {
			t.Errorf("%s is not [redacted]", how)
		}
	}
	if text, err := token.MarshalText(); err != nil || string(text) != "[redacted]" {
		t.Error("MarshalText is not [redacted]")
	}
	if text, err := json.Marshal(token); err != nil || string(text) != `"[redacted]"` {
		t.Error("JSON is not [redacted]")
	}
}

func TestCleanReturnsReadableText(t *testing.T) {
	t.Parallel()
	scrub := scrubber{NewToken(testToken), Token{}}
	for _, row := range []struct {
		name, text string
		limit      int
		want       string
	}{
		{"plain text", "config_id is not known", 100, "config_id is not known"},
		{"text that is not ASCII", "naïve “Käse” 日本", 100, "naïve “Käse” 日本"},
		{"line ends and tabs", " a\r\n\tb\x00c ", 100, "a b c"},
		{"escape sequences", "\x1b[31mred\x1b[0m", 100, "[31mred [0m"},
		{"invisible characters", "a\u200b\u202eb", 100, "a b"},
		{"bytes that are not UTF-8", "a\xff\xfeb", 100, "a b"},
		{"more than the limit", "äbcdef", 3, "äbc…"},
		{"exactly the limit", "äbc", 3, "äbc"},
		{"the token", "Bearer " + testToken + "!", 100, "Bearer [redacted]!"},
		{"the token, cut by a limit", "Bearer " + testToken, 12, "Bearer [reda…"},
		{"the token, twice", testToken + testToken, 100, "[redacted][redacted]"},
		{"the end of the token", "…" + testToken[2:], 100, "…[redacted]"},
	} {
		got := scrub.clean(row.text, row.limit)
		noSecret(t, row.name, got)
		if got != row.want {
			t.Errorf("%s: another text", row.name)
		}
	}
}
