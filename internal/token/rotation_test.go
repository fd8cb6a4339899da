package token_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/token"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// deployment is a client whose tokens come from a secret, and an Amperity that
// accepts one static token and one OAuth client at a time.
type deployment struct {
	client    *amperity.Client
	simulator *amperitytest.Server
	manager   *manager
}

func deploy(t *testing.T, secret string, cfg amperitytest.Config) *deployment {
	t.Helper()
	d := &deployment{manager: &manager{value: secret}}
	c := newClock()
	cfg.Now, cfg.RateLimit = c.Now, -1
	var err error
	if d.simulator, err = amperitytest.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.simulator.Close)
	source := token.New(d.manager, token.Config{SecretID: "amperity/token", Tenant: amperitytest.DefaultTenant, Now: c.Now})
	d.client, err = amperity.New(amperitytest.DefaultTenant, source, amperity.WithBaseURL(d.simulator.URL()))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) start(t *testing.T) error {
	t.Helper()
	_, err := d.client.StartRun(t.Context(), amperity.RunRequest{ConfigID: "cg-123ABc4DE", RangeFrom: "2026-11-22", RangeTo: "2026-11-23"})
	return err
}

// statuses returns the statuses of the requests so far.
func (d *deployment) statuses() []int {
	var out []int
	for _, r := range d.simulator.Requests() {
		out = append(out, r.Status)
	}
	return out
}

func accepted(value string) amperitytest.Token {
	return amperitytest.Token{Value: amperity.NewToken(value)}
}

func TestARotatedTokenIsUsedAfterOneRefusal(t *testing.T) {
	t.Parallel()
	d := deploy(t, "tok-xSECRETx-1", amperitytest.Config{Tokens: []amperitytest.Token{accepted("tok-xSECRETx-1")}})
	for range 2 {
		if err := d.start(t); err != nil {
			t.Fatal(err)
		}
	}
	d.simulator.SetTokens(accepted("tok-xSECRETx-2"))
	d.manager.set(`{"token":"tok-xSECRETx-2"}`)
	for range 2 {
		if err := d.start(t); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "answers", []int{201, 201, 401, 201, 201}, d.statuses())
	check(t, "runs", 4, len(d.simulator.Runs()))
	check(t, "readings", 2, d.manager.readings())
}

func TestUnrenewedTokenIsSentOncePerLaunch(t *testing.T) {
	t.Parallel()
	d := deploy(t, "tok-xSECRETx-1", amperitytest.Config{Tokens: []amperitytest.Token{accepted("tok-xSECRETx-2")}})
	for range 2 {
		if err := d.start(t); !errors.Is(err, amperity.ErrUnauthorized) || !amperity.NotProcessed(err) {
			t.Errorf("error is %v", err)
		}
	}
	check(t, "answers", []int{401, 401}, d.statuses())
	// The next launch finds the renewed token.
	d.manager.set("tok-xSECRETx-2")
	if err := d.start(t); err != nil {
		t.Error(err)
	}
}

func TestRotatedClientCredentialsStartTheRun(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", amperitytest.Config{Clients: []amperitytest.Client{
		{ID: "id-1", Secret: amperity.NewToken("cs-xSECRETx-1")},
		{ID: "id-2", Secret: amperity.NewToken("cs-xSECRETx-2")},
	}})
	secret := func(n int) string {
		return fmt.Sprintf(`{"client_id":"id-%d","client_secret":"cs-xSECRETx-%d","token_url":%q}`, n, n, d.simulator.TokenURL())
	}
	d.manager.set(secret(1))
	if err := d.start(t); err != nil {
		t.Fatal(err)
	}
	d.simulator.ExpireTokens()
	d.manager.set(secret(2))
	if err := d.start(t); err != nil {
		t.Fatal(err)
	}
	check(t, "runs", 2, len(d.simulator.Runs()))
	check(t, "readings", 2, d.manager.readings())
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	t.Parallel()
	d := deploy(t, `{"token":""}`, amperitytest.Config{})
	err := d.start(t)
	var none *amperity.TokenError
	if !errors.As(err, &none) || !errors.Is(err, amperity.ErrUnauthorized) || !amperity.NotProcessed(err) {
		t.Errorf("error is %v", err)
	}
	check(t, "requests", 0, len(d.simulator.Requests()))
}
