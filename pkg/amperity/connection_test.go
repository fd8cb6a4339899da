package amperity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryPOSTOpensANewConnection(t *testing.T) {
	t.Parallel()
	// This server keeps a connection open, and closes it after it read the
	// next request. A POST on a reused connection would meet such a server
	// after a frozen sandbox thaws.
	server := listen(t, func(c *conn) {
		if c.read() {
			c.answer(200, "", aRun)
			c.read()
		}
	})
	client := newTestClient(t, server.url)
	for range 3 {
		if _, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.StopRun(t.Context(), "wf-1"); err != nil {
			t.Fatal(err)
		}
	}
	server.close()
	if server.connections != 6 || server.requests() != 6 {
		t.Errorf("6 requests took %d connections, and %d arrived", server.connections, server.requests())
	}
	for _, head := range server.heads {
		if !strings.Contains(head, "HTTP/1.1\nConnection: close\n") || strings.Contains(head, "Idempotency-Key") {
			t.Errorf("sent\n%s", head)
		}
	}
}

func TestGETReusesConnectionsAndPOSTDoesNot(t *testing.T) {
	t.Parallel()
	server := listen(t, func(c *conn) {
		for c.read() {
			c.answer(200, "", aRun)
		}
	})
	client := newTestClient(t, server.url)
	get := func() {
		t.Helper()
		if _, err := client.GetRun(t.Context(), "wf-1", ""); err != nil {
			t.Fatal(err)
		}
	}
	get()
	get()
	if _, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"}); err != nil {
		t.Fatal(err)
	}
	get()
	server.mu.Lock()
	defer server.mu.Unlock()
	if server.connections != 2 {
		t.Errorf("three GETs and a POST took %d connections, not 2", server.connections)
	}
}

func TestClientUsesNoHTTP2(t *testing.T) {
	t.Parallel()
	var protocols []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols = append(protocols, r.Method+" "+r.Proto)
		_, _ = io.WriteString(w, aRun)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)

	// The server offers HTTP/2 to clients that want it.
	if resp, err := server.Client().Get(server.URL); err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("the test server does not speak HTTP/2: %v", err)
	}
	protocols = nil

	client := newTestClient(t, server.URL)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for _, transport := range []http.RoundTripper{client.wire.post, client.wire.get} {
		transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	if _, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetRun(t.Context(), "wf-1", ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST HTTP/1.1", "GET HTTP/1.1"}, protocols); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The request itself keeps a POST from being sent twice, whatever the
// transport.
func TestNoTransportCanResendAPOST(t *testing.T) {
	t.Parallel()
	if own := newTestClient(t, DefaultBaseURL).wire; !own.post.(*http.Transport).DisableKeepAlives || own.get.(*http.Transport).DisableKeepAlives {
		t.Error("the client's own transports keep connections for POST, or none for GET")
	}
	calls := 0
	client := newTestClient(t, DefaultBaseURL, WithTransport(roundTrip(func(req *http.Request) (*http.Response, error) {
		calls++
		if req.GetBody != nil || !req.Close || req.Header["Idempotency-Key"] != nil || req.Header["X-Idempotency-Key"] != nil {
			t.Errorf("%s can be sent again", req.URL.Path)
		}
		return answers(func() (int, string) { return 201, aRun })(req)
	})))
	if _, err := client.StartRun(t.Context(), RunRequest{ConfigID: "cg-1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.StopRun(t.Context(), "wf-1"); err != nil {
		t.Fatal(err)
	}

	// If the context has ended, the transport gets no request.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.StartRun(ctx, RunRequest{ConfigID: "cg-1"}); !NotProcessed(err) || calls != 2 {
		t.Errorf("%d calls: %v", calls, err)
	}
}
