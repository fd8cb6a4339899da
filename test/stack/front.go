package stack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// front is a proxy for moto that sends one request to DynamoDB at a time.
//
// DynamoDB keeps transactions and single reads and writes apart (developer
// guide, "Isolation levels for DynamoDB transactions"). moto does not: it
// answers each request in a thread of its own, without a lock. PutItem compares
// and sets in two steps, and a transaction copies the table, writes item by
// item, and if it is cancelled replaces the table by the copy, which loses all
// writes of others since. So the concurrent writes of the functions, which are
// processes of their own, must go through this one proxy. moto has processed a
// request when its answer begins.
type front struct {
	server *http.Server
	done   chan struct{}
	one    *oneByOne
}

// newFront listens on addr and passes on to moto, another address.
func newFront(addr, moto string) (*front, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("nothing can stand before moto: %w", err)
	}
	one := &oneByOne{next: &http.Transport{DisableCompression: true}, asked: map[string]int{}}
	f := &front{done: make(chan struct{}), one: one, server: &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: &httputil.ReverseProxy{
			// The caller's Host, because moto makes the URLs of queues of it.
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "http", Host: moto})
				r.Out.Host = r.In.Host
			},
			Transport: one,
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				http.Error(w, "moto does not answer: "+err.Error(), http.StatusBadGateway)
			},
		},
	}}
	go func() {
		defer close(f.done)
		_ = f.server.Serve(l) // ends with close, and with nothing else
	}()
	return f, nil
}

func (f *front) close() {
	_ = f.server.Close() // fails only where it has ended already
	<-f.done
}

// oneByOne sends one request to DynamoDB at a time, and other requests
// immediately. It waits for the answer even if the client is gone: moto still
// processes the request, and would overwrite later changes of other clients.
type oneByOne struct {
	mu   sync.Mutex
	next http.RoundTripper
	// asked counts the requests to DynamoDB by operation.
	asked map[string]int
}

// maxRequest is DynamoDB's own limit for a request, in bytes.
const maxRequest = 16 << 20

func (o *oneByOne) RoundTrip(r *http.Request) (*http.Response, error) {
	if target := r.Header.Get("X-Amz-Target"); strings.HasPrefix(target, "DynamoDB_") {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
		if err != nil {
			return nil, err
		}
		r = r.Clone(context.WithoutCancel(r.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		o.mu.Lock()
		defer o.mu.Unlock()
		_, operation, _ := strings.Cut(target, ".")
		o.asked[operation]++
	}
	return o.next.RoundTrip(r)
}
