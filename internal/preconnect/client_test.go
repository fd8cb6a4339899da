package preconnect_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/preconnect"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// readRequest reads one whole request, and reports whether there was one.
func readRequest(conn *tls.Conn) bool {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err == nil
}

func answerRun(conn *tls.Conn) {
	const body = `{"id":"wf-1","state":"scheduled"}`
	_, _ = io.WriteString(conn, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 33\r\n\r\n"+body)
}

// The client starts a run over a connection that was opened ahead. Whatever
// happens to that connection, the client sends the request at most once. It
// calls the request not processed only if it sent nothing.
func TestEarlyConnectionLeavesNoDoubtAboutUnsentRequests(t *testing.T) {
	t.Parallel()
	type outcome struct {
		started      bool
		notProcessed bool
		connections  int
		requests     int
	}
	tests := []struct {
		name string
		// first handles the connection that is opened ahead. It returns once
		// the request may be made.
		first func(raw *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) (requests int)
		// jump advances the wall clock before the request, as a freeze does.
		jump time.Duration
		// alone: no second connection can be opened.
		alone bool
		want  outcome
	}{
		{
			name: "the server answers",
			first: func(_ *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				close(ready)
				if !readRequest(conn) {
					return 0
				}
				answerRun(conn)
				return 1
			},
			want: outcome{started: true, connections: 1, requests: 1},
		},
		{
			name: "closed before the request",
			first: func(_ *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				_ = conn.Handshake()
				_ = conn.Close()
				close(ready)
				return 0
			},
			want: outcome{started: true, connections: 2, requests: 1},
		},
		{
			name: "reset before the request, and no second connection",
			first: func(raw *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				_ = conn.Handshake()
				_ = raw.SetLinger(0)
				_ = raw.Close()
				close(ready)
				return 0
			},
			alone: true,
			want:  outcome{notProcessed: true, connections: 1},
		},
		{
			name: "too old, and no second connection",
			first: func(_ *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				_ = conn.Handshake()
				close(ready)
				return 0
			},
			jump:  3 * time.Second,
			alone: true,
			want:  outcome{notProcessed: true, connections: 1},
		},
		{
			name: "frozen after the opening",
			first: func(_ *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				_ = conn.Handshake()
				close(ready)
				return 0
			},
			jump: time.Second,
			want: outcome{started: true, connections: 2, requests: 1},
		},
		{
			name: "closed during the request",
			first: func(_ *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				close(ready)
				_, _ = io.ReadFull(conn, make([]byte, 10))
				_ = conn.Close()
				return 0
			},
			want: outcome{connections: 1},
		},
		{
			name: "reset after the request",
			first: func(raw *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				close(ready)
				if !readRequest(conn) {
					return 0
				}
				_ = raw.SetLinger(0)
				_ = raw.Close()
				return 1
			},
			want: outcome{connections: 1, requests: 1},
		},
		{
			name: "silent after the request",
			first: func(_ *net.TCPConn, conn *tls.Conn, ready chan<- struct{}) int {
				close(ready)
				if !readRequest(conn) {
					return 0
				}
				return 1
			},
			want: outcome{connections: 1, requests: 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ready, requests := make(chan struct{}), make(chan int, 2)
			s := listen(t, func(n int, raw *net.TCPConn, conn *tls.Conn) {
				switch {
				case n == 1:
					requests <- test.first(raw, conn, ready)
				case test.alone:
					_ = raw.Close()
				case readRequest(conn):
					answerRun(conn)
					requests <- 1
				}
			})
			d, clock := newDialer(s, func(o *preconnect.Options) {
				o.MaxAge = 3 * time.Second
				if dial := o.Dial; test.alone {
					o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
						if s.connections() > 0 {
							return nil, &net.OpError{Op: "dial", Net: network, Err: io.EOF}
						}
						return dial(ctx, network, addr)
					}
				}
			})
			client, err := amperity.New("acme", amperity.StaticTokenSource("tok-xSECRETx-1"),
				amperity.WithBaseURL("https://"+s.addr), amperity.WithDialTLS(d.DialTLSContext))
			if err != nil {
				t.Fatal(err)
			}
			opened := d.Open(s.addr)
			<-ready
			<-opened
			clock.jump(test.jump)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			run, err := client.StartRun(ctx, amperity.RunRequest{ConfigID: "cg-1"})

			got := outcome{started: err == nil && run.ID == "wf-1", notProcessed: amperity.NotProcessed(err), connections: s.connections()}
			for range min(got.connections, 2) {
				got.requests += <-requests
			}
			if got != test.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}
