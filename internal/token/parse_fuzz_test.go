package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/token"
)

func FuzzSecretIsAcceptedOrItsFaultsAreNamedWithoutShowingIt(f *testing.F) {
	for _, seed := range []string{
		"tok-xSECRETx-1", "\uFEFF tok-xSECRETx-1\r\n", `{"token":"tok-xSECRETx-1"}`, `{"token":1}`, `{"token":"a","token":"b","x":[{}]}`,
		`{"client_id":"id","client_secret":"cs-xSECRETx-1","token_url":"https://app.amperity.com/api/v0/oauth2/token"}`,
		`{"client_id":"","client_secret":" ","token_url":"http://u@h/?#"}`, `{`, `{}`, `[]`, "", "a.eyJleHAiOjF9.xSECRETx",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		w := newWorld(secret)
		w.endpoint.err = errors.New("no network")
		got, err := w.Token(t.Context())
		if err == nil {
			// An accepted token goes into a header unchanged.
			if text := got.Reveal(); text == "" || strings.ContainsAny(text, " \t\r\n\x00\"") || !strings.Contains(secret, text) && !strings.Contains(secret, `\`) {
				t.Error("the token is none, or not in the secret")
			}
			return
		}
		var fault *token.SecretError
		if !errors.As(err, &fault) || len(fault.Faults) == 0 {
			t.Fatalf("the error is a %T", err)
		}
		if len(err.Error()) > 4000 {
			t.Errorf("the message has %d bytes", len(err.Error()))
		}
		if strings.Contains(err.Error(), "xSECRETx") {
			t.Error("the message shows the secret")
		}
	})
}
