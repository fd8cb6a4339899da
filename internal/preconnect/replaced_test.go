package preconnect_test

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/preconnect"
)

// A connection that another replaces is closed.
func TestReplacedConnectionIsClosed(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	s := listen(t, func(n int, _ *net.TCPConn, conn *tls.Conn) {
		_, err := conn.Read(make([]byte, 1))
		if n == 1 && err != nil {
			close(closed)
		}
	})
	d, clock := newDialer(s, nil)
	<-d.Open(s.addr)
	clock.jump(time.Minute)
	<-d.Open(s.addr)
	select {
	case <-closed:
	case <-time.After(2 * time.Second):
		t.Error("the replaced connection is still open")
	}
}

// A handshake may take longer than a freeze.
func TestDialWaitsForASlowHandshake(t *testing.T) {
	t.Parallel()
	s := listen(t, func(n int, raw *net.TCPConn, conn *tls.Conn) {
		time.Sleep(600 * time.Millisecond)
		echo(n, raw, conn)
	})
	d, _ := newDialer(s, func(o *preconnect.Options) { o.MaxAge = 3 * time.Second })
	d.Open(s.addr)
	dials(t, d, s.addr)
	if n := s.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Every connection is given out at most once, or closed.
func TestNoConnectionIsLeftOpen(t *testing.T) {
	t.Parallel()
	var open, pings atomic.Int64
	s := listen(t, func(_ int, _ *net.TCPConn, conn *tls.Conn) {
		open.Add(1)
		defer open.Add(-1)
		n, _ := io.Copy(conn, conn)
		if n > 4 {
			t.Errorf("%d bytes over one connection", n)
		}
		pings.Add(n / 4)
	})
	d, clock := newDialer(s, func(o *preconnect.Options) { o.MaxAge = 30 * time.Millisecond })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 40 {
				switch rand.IntN(4) {
				case 0:
					clock.jump(time.Duration(rand.IntN(500)) * time.Millisecond)
				case 1:
					<-d.Open(s.addr)
				case 2:
					d.Open(s.addr)
				}
				if i%3 == 0 {
					dials(t, d, s.addr)
				}
			}
		})
	}
	all.Wait()
	for range 100 {
		if open.Load() == 0 {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
	t.Errorf("%d of %d connections are open", open.Load(), s.connections())
}
