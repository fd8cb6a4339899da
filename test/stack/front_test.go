package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ask sends a request to the front and returns the answer.
func ask(t *testing.T, addr, target string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/path?a=b%20c", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "host.docker.internal:5555"
	req.Header.Set("X-Amz-Target", target)
	res, err := plain().Do(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, answer)
}

func stand(t *testing.T, moto string) string {
	t.Helper()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFront(addr, moto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return addr
}

func TestOneRequestToDynamoDBAtATime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		target string
		most   int64
	}{{"DynamoDB_20120810.PutItem", 1}, {"AmazonSQS.SendMessage", 5}} {
		t.Run(row.target, func(t *testing.T) {
			t.Parallel()
			var under, most atomic.Int64
			together := make(chan struct{})
			moto := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				n := under.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if n == row.most && row.most > 1 {
					close(together)
				}
				select {
				case <-together:
				case <-time.After(map[bool]time.Duration{true: 10 * time.Second, false: 10 * time.Millisecond}[row.most > 1]):
				}
				under.Add(-1)
			}))
			t.Cleanup(moto.Close)
			addr := stand(t, strings.TrimPrefix(moto.URL, "http://"))
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() { ask(t, addr, row.target) })
			}
			wg.Wait()
			if most.Load() != row.most {
				t.Errorf("%d at a time, want %d", most.Load(), row.most)
			}
		})
	}
}

// The request of a killed client is still in flight in moto. The proxy sends
// the next request only after moto has answered it.
func TestProxyWaitsForRequestsOfKilledClients(t *testing.T) {
	t.Parallel()
	var under, requests atomic.Int64
	arrived, goOn := make(chan struct{}), make(chan struct{})
	moto := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if under.Add(1) > 1 {
			t.Error("two at a time")
		}
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "body" {
			t.Errorf("got %q, %v", body, err)
		}
		if requests.Add(1) == 1 {
			close(arrived)
			<-goOn
		}
		under.Add(-1)
	}))
	t.Cleanup(moto.Close)
	const target = "DynamoDB_20120810.PutItem"
	addr := stand(t, strings.TrimPrefix(moto.URL, "http://"))
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr, strings.NewReader("body"))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("X-Amz-Target", target)
		if res, err := plain().Do(req); err == nil {
			res.Body.Close()
			t.Error("it was answered")
		}
	}()
	<-arrived
	cancel()
	<-gone
	var wg sync.WaitGroup
	wg.Go(func() { ask(t, addr, target) })
	time.Sleep(100 * time.Millisecond) // in which it would come through
	close(goOn)
	wg.Wait()
	if requests.Load() != 2 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestProxyChangesNothing(t *testing.T) {
	t.Parallel()
	moto := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s %q", r.Method, r.Host, r.RequestURI, body, r.Header["Accept-Encoding"])
	}))
	t.Cleanup(moto.Close)
	got := ask(t, stand(t, strings.TrimPrefix(moto.URL, "http://")), "DynamoDB_20120810.PutItem")
	if want := `418 POST host.docker.internal:5555 /path?a=b%20c body ["gzip"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMotoThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	moto := httptest.NewServer(nil)
	moto.Close()
	got := ask(t, stand(t, strings.TrimPrefix(moto.URL, "http://")), "DynamoDB_20120810.PutItem")
	if want := "502 moto does not answer: dial tcp "; !strings.HasPrefix(got, want) {
		t.Errorf("got %s", got)
	}
}
