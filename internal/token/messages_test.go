package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/token"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func TestEachFaultOfASecretHasItsOwnMessage(t *testing.T) {
	t.Parallel()
	const (
		noToken = `secret "amperity/token" holds something that is not a token: put the token alone into it, without "Bearer" and quotation marks, or {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`
		address = `secret "amperity/token" has a token_url that is not an address: write the token endpoint that Amperity shows, for example https://app.amperity.com/api/v0/oauth2/token`
		extra   = `secret "amperity/token" has a token_url with a user, a query or a fragment: write the token endpoint alone, for example https://app.amperity.com/api/v0/oauth2/token`
		plain   = `secret "amperity/token" has a token_url that would send the client secret unencrypted: write https instead of http`
		copied  = `secret "amperity/token" has a token that cannot be one: copy it again, without "Bearer" and quotation marks`
		neither = `secret "amperity/token" has neither a token nor client credentials: write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`
	)
	at := func(url string) string {
		return `{"client_id":"id","client_secret":"cs-xSECRETx-1","token_url":"` + url + `"}`
	}
	for _, row := range []struct{ promise, secret, message string }{
		{"an empty secret", "", `secret "amperity/token" is empty: put the token into it`},
		{"a secret of white space", " \n", `secret "amperity/token" is empty: put the token into it`},
		{"a secret longer than Secrets Manager keeps", strings.Repeat("x", 64*1024+1), `secret "amperity/token" is longer than 64 KB: put nothing but the token into it`},
		{"a token longer than a header", strings.Repeat("x", 16*1024+1), noToken},
		{"a token with Bearer", "Bearer tok-xSECRETx-1", noToken},
		{"a token in quotation marks", `"tok-xSECRETx-1"`, noToken},
		{"a token cut by a line break", "tok-\nxSECRETx-1", noToken},
		{"a token with a control character", "tok-xSECRETx-1\x00", noToken},
		{"a list", `["tok-xSECRETx-1"]`, noToken},
		{"a command line", "--token=tok xSECRETx", noToken},

		{"broken JSON", `{"token":"tok-xSECRETx-1`, `secret "amperity/token" is not the JSON object that it begins like (see byte 10): write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`},
		{"JSON without quotation marks", `{token: tok-xSECRETx-1}`, `secret "amperity/token" is not the JSON object that it begins like (see byte 2): write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`},
		{"two JSON objects", `{"token":"tok-xSECRETx-1"}{}`, `secret "amperity/token" is not the JSON object that it begins like (see byte 28): write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`},
		{"JSON that is not closed", `{"token":"tok-xSECRETx-1"`, `secret "amperity/token" is not the JSON object that it begins like (see byte 26): write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`},
		{"an empty object", `{}`, neither},
		{
			"another name for the token", `{"apiKey":"tok-xSECRETx-1"}`,
			`secret "amperity/token" has unknown keys (apiKey): write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}; it has neither a token nor client credentials: write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`,
		},
		{
			"the token in place of the key", `{"tok-xSECRETx-1":"","token":"tok-xSECRETx-1"}`,
			`secret "amperity/token" has 1 unknown keys: write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`,
		},
		{
			"both forms", `{"token":"tok-xSECRETx-1","client_id":"id"}`,
			`secret "amperity/token" has token as well as client_id: keep one of the two forms, {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`,
		},
		{
			"half of the client credentials", `{"client_id":"id"}`,
			`secret "amperity/token" has no client_secret and no token_url: write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}`,
		},
		{"a key twice", `{"token":"tok-xSECRETx-1","token":"tok-xSECRETx-2"}`, `secret "amperity/token" has token twice: keep one`},
		{"a token that is no text", `{"token":{"x":"xSECRETx"}}`, `secret "amperity/token" has a token that is not text: put it in quotation marks`},
		{"no token by null", `{"token":null}`, `secret "amperity/token" has a token that is not text: put it in quotation marks`},
		{"an empty token", `{"token":""}`, copied},
		{"a token with Bearer in JSON", `{"token":"Bearer xSECRETx"}`, copied},
		{
			"an empty client id", `{"client_id":"","client_secret":"cs-xSECRETx-1","token_url":"https://app.amperity.com/api/v0/oauth2/token"}`,
			`secret "amperity/token" has a client_id that is empty, too long, or has spaces or line breaks in it: copy it again`,
		},
		{
			"a client secret with a line break", `{"client_id":"id","client_secret":"cs-xSECRETx-1\n","token_url":"https://app.amperity.com/api/v0/oauth2/token"}`,
			`secret "amperity/token" has a client_secret that is empty, too long, or has spaces or line breaks in it: copy it again`,
		},
		{"a token endpoint without a scheme", at("app.amperity.com/api/v0/oauth2/token"), address},
		{"a token endpoint with another scheme", at("ftp://app.amperity.com/"), address},
		{"a token endpoint with a space", at("https://app.amperity.com/ x"), address},
		{"an empty token endpoint", at(""), address},
		{"a token endpoint with a user", at("https://xSECRETx@app.amperity.com/"), extra},
		{"a token endpoint with a query", at("https://app.amperity.com/?xSECRETx"), extra},
		{"a token endpoint without encryption", at("http://app.amperity.com/"), plain},
		{
			"every fault at once", `{"client_id":" ","client_secret":7,"token_url":"http://h/","x":1}`,
			`secret "amperity/token" has a client_secret that is not text: put it in quotation marks; it has 1 unknown keys: write {"token":"…"} or {"client_id":"…","client_secret":"…","token_url":"…"}; it has a client_id that is empty, too long, or has spaces or line breaks in it: copy it again; it has a token_url that would send the client secret unencrypted: write https instead of http`,
		},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			err := newWorld(row.secret).fails(t)
			if strings.Contains(err.Error(), "xSECRETx") {
				t.Fatal("the message shows the secret")
			}
			check(t, "message", row.message, err.Error())
			var secret *token.SecretError
			check(t, "is a *SecretError", true, errors.As(err, &secret))
			check(t, "the operator must fix it", true, errors.Is(err, amperity.ErrUnauthorized))
			check(t, "retryable", false, retryable(err))
		})
	}
}

func TestBinaryDataIsNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	w.manager.binary = []byte("tok-xSECRETx-1")
	check(t, "message", `secret "amperity/token" holds binary data: store the token as text, for example by put-secret-value --secret-string file://token.txt`, w.fails(t).Error())
}

func TestEachAnswerOfSecretsManagerHasItsOwnMessage(t *testing.T) {
	t.Parallel()
	const tooMany = `secret "amperity/token" could not be read now, Secrets Manager has too many requests: try again (Rate exceeded)`
	const wrongName = `secret "amperity/token" has a name or ARN that Secrets Manager does not accept: correct AMPERITY_SECRET_ID (Invalid name.)`
	for _, row := range []struct {
		promise   string
		err       error
		retryable bool
		message   string
	}{
		{
			"no such secret", apiError("ResourceNotFoundException", "Secrets Manager can't find the specified secret."), false,
			`secret "amperity/token" does not exist in this account and region, or has no value yet: create it with the token in it, or correct AMPERITY_SECRET_ID (Secrets Manager can't find the specified secret.)`,
		},
		{
			"no permission", apiError("AccessDeniedException", "Access to KMS is not allowed"), false,
			`secret "amperity/token" may not be read: allow the function's role secretsmanager:GetSecretValue on it and, if it is encrypted with a key of your own, kms:Decrypt on that key (Access to KMS is not allowed)`,
		},
		{
			"no key", apiError("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."), false,
			`secret "amperity/token" cannot be decrypted: make sure that its KMS key is enabled and not scheduled for deletion, and that the function's role may use it (Secrets Manager can't decrypt the protected secret text using the provided KMS key.)`,
		},
		{
			"marked for deletion", apiError("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."), false,
			`secret "amperity/token" cannot be read in its present state: if it is scheduled for deletion, restore it, or name another one in AMPERITY_SECRET_ID (You can't perform this operation on the secret because it was marked for deletion.)`,
		},
		{"a wrong name", apiError("InvalidParameterException", "Invalid name."), false, wrongName},
		{"a name that is no name", apiError("ValidationException", "Invalid name."), false, wrongName},
		{"too many requests", apiError("ThrottlingException", "Rate exceeded"), true, tooMany},
		{"too many requests, in another word", apiError("TooManyRequestsException", "Rate exceeded"), true, tooMany},
		{"a failure of AWS", apiError("InternalServiceError", ""), true, `secret "amperity/token" could not be read now, Secrets Manager answered InternalServiceError: try again`},
		{
			"no answer", errors.New("dial tcp: lookup secretsmanager.us-east-1.amazonaws.com:\n no such host"), true,
			`secret "amperity/token" could not be read now, no answer from Secrets Manager: try again; a function in a VPC needs a way to Secrets Manager, such as an endpoint (dial tcp: lookup secretsmanager.us-east-1.amazonaws.com: no such host)`,
		},
		{
			"many words", apiError("X", strings.Repeat("é", 500)), true,
			`secret "amperity/token" could not be read now, Secrets Manager answered X: try again (` + strings.Repeat("é", 400) + `…)`,
		},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			w := newWorld("")
			w.manager.fail(row.err)
			err := w.fails(t)
			check(t, "message", row.message, err.Error())
			check(t, "retryable", row.retryable, retryable(err))
			check(t, "the operator must fix it", !row.retryable, errors.Is(err, amperity.ErrUnauthorized))
		})
	}
}

func TestErrorOfAnExpiredTokenNamesTheExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	w.manager.set(jwt("old", w.clock.Now().Add(-time.Hour)))
	check(t, "message", `secret "amperity/token" holds a token that expired at 2026-11-23T05:00:00Z: generate a new one in Amperity and put it into the secret`, w.fails(t).Error())
}

func TestErrorShowsTheTokenEndpointsResponse(t *testing.T) {
	t.Parallel()
	w := newWorld(credentials("id", "cs-xSECRETx-0"))
	check(t, "message", `secret "amperity/token" holds client credentials that its token_url refuses: get new OAuth credentials in Amperity and put them into the secret (POST /api/v0/oauth2/token: 401 Unauthorized: invalid client; check the client id and the client secret; they must be of an API key of tenant acme)`, w.fails(t).Error())

	w.endpoint.change(func(e *endpoint) { e.status = 503 })
	check(t, "message", `secret "amperity/token" has a token_url that returns no token now: try again (POST /api/v0/oauth2/token: 503 Service Unavailable: no)`, w.fails(t).Error())
}

func TestUnusableCredentialsAreNamed(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := token.New(&manager{value: credentials("id", "cs-xSECRETx-1")}, token.Config{SecretID: "amperity/token", Tenant: "", Now: c.Now})
	_, err := s.Token(t.Context())
	check(t, "message", `secret "amperity/token" cannot be used: invalid client settings: Tenant is missing: write the tenant id, as Copy tenant ID gives it in Amperity`, err.Error())
}
