package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/golden"
	"github.com/amperity-runs/amperity-runs/internal/token"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func TestEachFaultOfASecretHasItsOwnMessage(t *testing.T) {
	t.Parallel()
	at := func(url string) string {
		return `{"client_id":"id","client_secret":"cs-xSECRETx-1","token_url":"` + url + `"}`
	}
	var texts strings.Builder
	for _, row := range []struct{ promise, secret string }{
		{"an empty secret", ""},
		{"a secret of white space", " \n"},
		{"a secret longer than Secrets Manager keeps", strings.Repeat("x", 64*1024+1)},
		{"a token longer than a header", strings.Repeat("x", 16*1024+1)},
		{"a token with Bearer", "Bearer tok-xSECRETx-1"},
		{"a token in quotation marks", `"tok-xSECRETx-1"`},
		{"a token cut by a line break", "tok-\nxSECRETx-1"},
		{"a token with a control character", "tok-xSECRETx-1\x00"},
		{"a list", `["tok-xSECRETx-1"]`},
		{"a command line", "--token=tok xSECRETx"},

		{"broken JSON", `{"token":"tok-xSECRETx-1`},
		{"JSON without quotation marks", `{token: tok-xSECRETx-1}`},
		{"two JSON objects", `{"token":"tok-xSECRETx-1"}{}`},
		{"JSON that is not closed", `{"token":"tok-xSECRETx-1"`},
		{"an empty object", `{}`},
		{"another name for the token", `{"apiKey":"tok-xSECRETx-1"}`},
		{"the token in place of the key", `{"tok-xSECRETx-1":"","token":"tok-xSECRETx-1"}`},
		{"both forms", `{"token":"tok-xSECRETx-1","client_id":"id"}`},
		{"half of the client credentials", `{"client_id":"id"}`},
		{"a key twice", `{"token":"tok-xSECRETx-1","token":"tok-xSECRETx-2"}`},
		{"a token that is no text", `{"token":{"x":"xSECRETx"}}`},
		{"no token by null", `{"token":null}`},
		{"an empty token", `{"token":""}`},
		{"a token with Bearer in JSON", `{"token":"Bearer xSECRETx"}`},
		{"an empty client id", `{"client_id":"","client_secret":"cs-xSECRETx-1","token_url":"https://app.amperity.com/api/v0/oauth2/token"}`},
		{"a client secret with a line break", `{"client_id":"id","client_secret":"cs-xSECRETx-1\n","token_url":"https://app.amperity.com/api/v0/oauth2/token"}`},
		{"a token endpoint without a scheme", at("app.amperity.com/api/v0/oauth2/token")},
		{"a token endpoint with another scheme", at("ftp://app.amperity.com/")},
		{"a token endpoint with a space", at("https://app.amperity.com/ x")},
		{"an empty token endpoint", at("")},
		{"a token endpoint with a user", at("https://xSECRETx@app.amperity.com/")},
		{"a token endpoint with a query", at("https://app.amperity.com/?xSECRETx")},
		{"a token endpoint without encryption", at("http://app.amperity.com/")},
		{"every fault at once", `{"client_id":" ","client_secret":7,"token_url":"http://h/","x":1}`},
	} {
		err := newWorld(row.secret).fails(t)
		if strings.Contains(err.Error(), "xSECRETx") {
			t.Errorf("%s: the message shows the secret", row.promise)
			continue
		}
		var secret *token.SecretError
		check(t, row.promise+": is a *SecretError", true, errors.As(err, &secret))
		check(t, row.promise+": the operator must fix it", true, errors.Is(err, amperity.ErrUnauthorized))
		check(t, row.promise+": retryable", false, retryable(err))
		texts.WriteString(golden.Row(row.promise, err.Error()))
	}
	golden.Check(t, "testdata/secret.golden", texts.String())
}

func TestEachAnswerOfSecretsManagerHasItsOwnMessage(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	for _, row := range []struct {
		promise   string
		err       error
		retryable bool
	}{
		{"no such secret", apiError("ResourceNotFoundException", "Secrets Manager can't find the specified secret."), false},
		{"no permission", apiError("AccessDeniedException", "Access to KMS is not allowed"), false},
		{"no key", apiError("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."), false},
		{"marked for deletion", apiError("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."), false},
		{"a wrong name", apiError("InvalidParameterException", "Invalid name."), false},
		{"a name that is no name", apiError("ValidationException", "Invalid name."), false},
		{"too many requests", apiError("ThrottlingException", "Rate exceeded"), true},
		{"too many requests, in another word", apiError("TooManyRequestsException", "Rate exceeded"), true},
		{"a failure of AWS", apiError("InternalServiceError", ""), true},
		{"no answer", errors.New("dial tcp: lookup secretsmanager.us-east-1.amazonaws.com:\n no such host"), true},
		{"many words", apiError("X", strings.Repeat("é", 500)), true},
	} {
		w := newWorld("")
		w.manager.fail(row.err)
		err := w.fails(t)
		check(t, row.promise+": retryable", row.retryable, retryable(err))
		check(t, row.promise+": the operator must fix it", !row.retryable, errors.Is(err, amperity.ErrUnauthorized))
		texts.WriteString(golden.Row(row.promise, err.Error()))
	}
	golden.Check(t, "testdata/secretsmanager.golden", texts.String())
}

func TestErrorsOfTokensAndCredentialsNameTheCause(t *testing.T) {
	t.Parallel()
	endpoints := newWorld(credentials("id", "cs-xSECRETx-0"))
	var texts strings.Builder
	for _, row := range []struct {
		promise string
		token   func() (amperity.Token, error)
	}{
		{"binary data", func() (amperity.Token, error) {
			w := newWorld("")
			w.manager.binary = []byte("tok-xSECRETx-1")
			return w.Token(t.Context())
		}},
		{"a token that has expired", func() (amperity.Token, error) {
			w := newWorld("")
			w.manager.set(jwt("old", w.clock.Now().Add(-time.Hour)))
			return w.Token(t.Context())
		}},
		{"credentials that the token endpoint refuses", func() (amperity.Token, error) { return endpoints.Token(t.Context()) }},
		{"a token endpoint that is down", func() (amperity.Token, error) {
			endpoints.endpoint.change(func(e *endpoint) { e.status = 503 })
			return endpoints.Token(t.Context())
		}},
		{"no tenant for the credentials", func() (amperity.Token, error) {
			return token.New(&manager{value: credentials("id", "cs-xSECRETx-1")}, token.Config{SecretID: "amperity/token", Now: newClock().Now}).Token(t.Context())
		}},
	} {
		got, err := row.token()
		if err == nil || !got.IsZero() || strings.Contains(err.Error(), "xSECRETx") {
			t.Errorf("%s: a token or no error, or the message shows the secret", row.promise)
			continue
		}
		texts.WriteString(golden.Row(row.promise, err.Error()))
	}
	golden.Check(t, "testdata/tokens.golden", texts.String())
}
