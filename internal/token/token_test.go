package token_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

func TestThreeFormsOfTheSecretGiveAToken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ promise, secret, token string }{
		{"the token alone", "tok-xSECRETx-1", "tok-xSECRETx-1"},
		{"with a line break as editors leave it", "\n tok-xSECRETx-1\r\n", "tok-xSECRETx-1"},
		{"with a byte order mark", "\uFEFFtok-xSECRETx-1", "tok-xSECRETx-1"},
		{"with every character that a token may have", "Az09-._~+/xSECRETx==", "Az09-._~+/xSECRETx=="},
		{"as JSON", `{"token":"tok-xSECRETx-1"}`, "tok-xSECRETx-1"},
		{"as JSON with space", "\uFEFF {\n  \"token\" : \"tok-xSECRETx-1\"\n}\n", "tok-xSECRETx-1"},
		{"as client credentials", credentials("id", "cs-xSECRETx-1"), "tok-xSECRETx-1"},
		{"the longest", strings.Repeat("x", 16*1024-8) + "xSECRETx", strings.Repeat("x", 16*1024-8) + "xSECRETx"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			w := newWorld(row.secret)
			w.gives(t, row.token)
			check(t, "secret asked for", []string{"amperity/token"}, w.manager.ids)
		})
	}
}

func TestSecretIsReadOnceUntilARefusalOrExpiry(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"tok-xSECRETx-1", credentials("id", "cs-xSECRETx-1")} {
		w := newWorld(secret)
		for range 3 {
			w.gives(t, "tok-xSECRETx-1")
			w.clock.Advance(10 * time.Minute)
		}
		check(t, "readings", 1, w.manager.readings())
	}
}

func TestTokenEndpointReceivesTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(credentials("id", "cs-xSECRETx-1"))
	w.gives(t, "tok-xSECRETx-1")
	check(t, "tenants", []string{"acme"}, w.endpoint.tenants)
}

func TestRefusedTokenCausesOneRead(t *testing.T) {
	t.Parallel()
	w := newWorld("tok-xSECRETx-1")
	refused := w.gives(t, "tok-xSECRETx-1")
	w.manager.set("tok-xSECRETx-2")
	w.gives(t, "tok-xSECRETx-1") // no caller has invalidated the token yet
	w.Invalidate(refused)
	check(t, "readings before the next token", 1, w.manager.readings())
	w.gives(t, "tok-xSECRETx-2")
	w.gives(t, "tok-xSECRETx-2")
	check(t, "readings", 2, w.manager.readings())
}

func TestRotationMayChangeTheFormOfTheSecret(t *testing.T) {
	t.Parallel()
	w := newWorld("tok-xSECRETx-0")
	w.Invalidate(w.gives(t, "tok-xSECRETx-0"))
	w.manager.set(credentials("id", "cs-xSECRETx-1"))
	w.Invalidate(w.gives(t, "tok-xSECRETx-1"))
	w.manager.set(`{"token":"tok-xSECRETx-9"}`)
	w.gives(t, "tok-xSECRETx-9")
}

func TestUnchangedSecretReturnsTheSameToken(t *testing.T) {
	t.Parallel()
	w := newWorld("tok-xSECRETx-1")
	for n := range 3 {
		// The client sees the same token and does not send the request again.
		w.Invalidate(w.gives(t, "tok-xSECRETx-1"))
		check(t, "readings", n+1, w.manager.readings())
	}
}

func TestInvalidatingAnOldTokenChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld("tok-xSECRETx-1")
	w.Invalidate(amperity.NewToken("tok-xSECRETx-1")) // before the first read
	old := w.gives(t, "tok-xSECRETx-1")
	w.manager.set("tok-xSECRETx-2")
	w.Invalidate(old)
	w.gives(t, "tok-xSECRETx-2")
	w.Invalidate(old) // a slower, earlier request
	w.gives(t, "tok-xSECRETx-2")
	check(t, "readings", 2, w.manager.readings())
}

func TestUnreadableSecretAfterARefusalIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld("tok-xSECRETx-1")
	w.Invalidate(w.gives(t, "tok-xSECRETx-1"))
	w.manager.fail(apiError("ThrottlingException", "Rate exceeded"))
	if err := w.fails(t); !retryable(err) {
		t.Errorf("error is %v", err)
	}
	w.manager.set("tok-xSECRETx-2")
	w.gives(t, "tok-xSECRETx-2")
}

func TestTokenIsReadAgainShortlyBeforeItExpires(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	first := jwt("first", w.clock.Now().Add(time.Hour))
	second := jwt("second", w.clock.Now().Add(2*time.Hour))
	w.manager.set(first)
	w.gives(t, first)
	w.clock.Advance(59 * time.Minute)
	w.gives(t, first)
	check(t, "readings a minute before", 1, w.manager.readings())
	w.clock.Advance(time.Second)
	w.gives(t, first) // not rotated yet, and valid for 59 s
	check(t, "readings within the minute", 2, w.manager.readings())
	w.clock.Advance(29 * time.Second)
	w.gives(t, first)
	check(t, "readings within half a minute", 2, w.manager.readings())
	w.manager.set(second)
	w.clock.Advance(time.Second)
	w.gives(t, second)
	check(t, "readings after the rotation", 3, w.manager.readings())
	w.clock.Advance(58 * time.Minute)
	w.gives(t, second)
	check(t, "readings in the end", 3, w.manager.readings())
}

func TestValidTokenSurvivesAFailedRead(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	first := jwt("first", w.clock.Now().Add(time.Hour))
	w.manager.set(first)
	w.gives(t, first)
	w.clock.Advance(59*time.Minute + time.Second)
	w.manager.fail(apiError("InternalServiceError", ""))
	before := w.manager.readings()
	w.gives(t, first)
	after := w.manager.readings()
	check(t, "it was read", true, after > before)
	w.gives(t, first)
	w.clock.Advance(29 * time.Second)
	w.gives(t, first)
	check(t, "readings for half a minute after one failed", after, w.manager.readings())
	w.clock.Advance(time.Second)
	w.gives(t, first)
	check(t, "it was read again", true, w.manager.readings() > after)
	w.clock.Advance(29 * time.Second)
	if err := w.fails(t); !retryable(err) {
		t.Errorf("error is %v", err)
	}
}

func TestAnExpiredTokenIsSentForOneMoreMinute(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	first := jwt("first", w.clock.Now().Add(time.Hour))
	w.manager.set(first)
	w.gives(t, first)
	w.clock.Advance(61 * time.Minute) // Amperity's clock decides
	w.gives(t, first)
	w.clock.Advance(time.Second)
	if err := w.fails(t); !errors.Is(err, amperity.ErrUnauthorized) || retryable(err) {
		t.Errorf("error is %v", err)
	}
	w.clock.Advance(30 * time.Second)
	second := jwt("second", w.clock.Now().Add(time.Hour))
	w.manager.set(second)
	w.gives(t, second)
}

func TestTokenWithoutAnExpiryIsKept(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ promise, token string }{
		{"an opaque token", "tok-xSECRETx-1"},
		{"three parts that are no base64", "a~.b~.xSECRETx"},
		{"three parts that are no JSON", "YQ.YQ.xSECRETx"},
		{"claims that are a list", "YQ.W10.xSECRETx"},
		{"no expiry", "YQ.e30.xSECRETx"},
		{"an expiry that is text", "YQ.eyJleHAiOiIxIn0.xSECRETx"},
		{"no expiry by null", "YQ.eyJleHAiOm51bGx9.xSECRETx"},
		{"an expiry before 1970", "YQ.eyJleHAiOi0xfQ.xSECRETx"},
		{"an expiry in milliseconds", "YQ.eyJleHAiOjE3OTU0MTUyMDAwMDB9.xSECRETx"},
		{"an expiry beyond all numbers", "YQ.eyJleHAiOjFlOTk5fQ.xSECRETx"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			w := newWorld(row.token)
			w.gives(t, row.token)
			w.clock.Advance(1000 * time.Hour)
			w.gives(t, row.token)
			check(t, "readings", 1, w.manager.readings())
		})
	}
}

func TestAnExpiryIsReadFromPaddedJWTsAndFractions(t *testing.T) {
	t.Parallel()
	// {"exp":1795413600.5} is 2026-11-23T06:00:00Z.
	for _, jwt := range []string{"YQ.eyJleHAiOjE3OTU0MTM2MDAuNX0.xSECRETx", "YQ==.eyJleHAiOjE3OTU0MTM2MDAuNX0=.xSECRETx"} {
		w := newWorld(jwt)
		w.clock.Advance(time.Minute)
		w.gives(t, jwt)
		w.clock.Advance(time.Second)
		w.fails(t)
	}
}

func TestRefusedOAuthTokensAreRenewedByTheEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(credentials("id", "cs-xSECRETx-1"))
	w.Invalidate(w.gives(t, "tok-xSECRETx-1"))
	w.gives(t, "tok-xSECRETx-2")
	check(t, "readings", 2, w.manager.readings()) // the credentials may have been rotated
	check(t, "requests", 2, w.endpoint.requests)
	w.clock.Advance(2 * time.Hour)
	w.gives(t, "tok-xSECRETx-3")
	check(t, "readings after the token's expiry", 2, w.manager.readings())
}

func TestRotatedClientCredentialsAreReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(credentials("id", "cs-xSECRETx-1"))
	w.gives(t, "tok-xSECRETx-1")
	w.manager.set(credentials("id", "cs-xSECRETx-2"))
	w.endpoint.change(func(e *endpoint) { e.secret = "cs-xSECRETx-2" })
	w.clock.Advance(2 * time.Hour)
	w.gives(t, "tok-xSECRETx-3") // the second request was refused
	check(t, "readings", 2, w.manager.readings())
}

func TestRefusedCredentialsCauseOneReadPerCall(t *testing.T) {
	t.Parallel()
	w := newWorld(credentials("id", "cs-xSECRETx-0"))
	if err := w.fails(t); !errors.Is(err, amperity.ErrUnauthorized) {
		t.Errorf("error is %v", err)
	}
	check(t, "readings", 2, w.manager.readings())
	check(t, "requests", 1, w.endpoint.requests)
}

func TestFailureOfTheTokenEndpointIsRetryable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise   string
		change    func(*endpoint)
		retryable bool
	}{
		{"no connection", func(e *endpoint) { e.err = errors.New("connection refused") }, true},
		{"503", func(e *endpoint) { e.status = 503 }, true},
		{"429", func(e *endpoint) { e.status = 429 }, true},
		{"400 needs the operator", func(e *endpoint) { e.status = 400 }, false},
		{"404 needs the operator", func(e *endpoint) { e.status = 404 }, false},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			w := newWorld(credentials("id", "cs-xSECRETx-1"))
			w.endpoint.change(row.change)
			err := w.fails(t)
			check(t, "worth another try", row.retryable, retryable(err))
			check(t, "the operator must fix it", !row.retryable, errors.Is(err, amperity.ErrUnauthorized))
			// The workflow API has refused no request.
			check(t, "rejected", false, errors.Is(err, amperity.ErrRejected))
			var api *amperity.APIError
			check(t, "an answer of the workflow API", false, errors.As(err, &api))
			check(t, "not processed", true, amperity.NotProcessed(&amperity.TokenError{Err: err}))
		})
	}
}

func TestConcurrentCallersShareOneRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("tok-xSECRETx-1")
		w.manager.wait = func(context.Context) error { time.Sleep(time.Second); return nil }
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() { w.gives(t, "tok-xSECRETx-1") })
		}
		group.Wait()
		check(t, "readings", 1, w.manager.readings())
	})
}

func TestFailedReadIsSharedAndTheNextCallerReadsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("tok-xSECRETx-1")
		w.manager.wait = func(context.Context) error { time.Sleep(time.Second); return nil }
		w.manager.fail(apiError("InternalServiceError", ""))
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() { w.fails(t) })
		}
		group.Wait()
		check(t, "readings", 1, w.manager.readings())
		w.manager.set("tok-xSECRETx-1")
		w.gives(t, "tok-xSECRETx-1")
	})
}

func TestCancelledCallerDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("tok-xSECRETx-1")
		w.manager.wait = func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(2 * time.Second):
				return nil
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			_, err := w.Token(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !retryable(err) {
				t.Errorf("error of the reader is %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() { w.gives(t, "tok-xSECRETx-1") }) // waits for the first read, then reads
		group.Go(func() {
			_, err := w.Token(ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error of who waits is %v", err)
			}
		})
		group.Wait()
		check(t, "readings", 2, w.manager.readings())
	})
}

func TestHangingReadEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("")
		w.manager.wait = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		begin := time.Now()
		if err := w.fails(t); !retryable(err) {
			t.Errorf("error is %v", err)
		}
		check(t, "waited", 10*time.Second, time.Since(begin))
	})
}

func TestNothingPrintedShowsASecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"tok-xSECRETx-1", `{"token":"tok-xSECRETx-1"}`, credentials("id", "cs-xSECRETx-1")} {
		w := newWorld(secret)
		w.Invalidate(w.gives(t, "tok-xSECRETx-1"))
		w.manager.fail(apiError("InternalServiceError", ""))
		err := w.fails(t)
		var text strings.Builder
		fmt.Fprintf(&text, "%v %+v %#v %v %+v %#v", w.Source, w.Source, w.Source, err, err, err)
		slog.New(slog.NewJSONHandler(&text, nil)).Info("x", "source", w.Source, "error", err)
		if strings.Contains(text.String(), "xSECRETx") {
			t.Error("the secret is shown")
		}
	}
}
