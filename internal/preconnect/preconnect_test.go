package preconnect_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/preconnect"
)

// server is a TLS server whose connections a test handles one by one.
type server struct {
	addr   string
	client *tls.Config
	mu     sync.Mutex
	n      int
	taken  []net.Conn
}

// listen starts a server. serve gets each connection, counted from 1, before
// its handshake; it is closed after the test.
func listen(t *testing.T, serve func(n int, raw *net.TCPConn, conn *tls.Conn)) *server {
	t.Helper()
	pki := httptest.NewTLSServer(nil) // for its certificate
	defer pki.Close()
	roots := x509.NewCertPool()
	roots.AddCert(pki.Certificate())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String(), client: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
	config := &tls.Config{Certificates: pki.TLS.Certificates}
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.n++
			n := s.n
			s.taken = append(s.taken, raw)
			s.mu.Unlock()
			go serve(n, raw.(*net.TCPConn), tls.Server(raw, config))
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.taken {
			_ = c.Close()
		}
	})
	return s
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// echo makes the handshake, and sends back what comes.
func echo(_ int, _ *net.TCPConn, conn *tls.Conn) {
	if conn.Handshake() == nil {
		_, _ = io.Copy(conn, conn)
	}
}

// wall is a running wall clock that a test can set.
type wall struct {
	mu sync.Mutex
	by time.Duration
}

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.by)
}

func (w *wall) jump(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by += d
}

// newDialer returns a dialer that trusts the server, and the dialer's clock.
func newDialer(s *server, change func(*preconnect.Options)) (*preconnect.Dialer, *wall) {
	w := &wall{}
	o := preconnect.Options{Dial: (&net.Dialer{}).DialContext, TLS: s.client, MaxAge: time.Hour, Now: w.now}
	if change != nil {
		change(&o)
	}
	return preconnect.New(o), w
}

// dials fails the test unless the dialer returns a connection on which the
// server answers.
func dials(t *testing.T, d *preconnect.Dialer, addr string) {
	t.Helper()
	conn, err := d.DialTLSContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer := make([]byte, 4)
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "ping" {
		t.Fatalf("answered %q, %v", answer, err)
	}
}

func TestConnectionServesOneDial(t *testing.T) {
	t.Parallel()
	s := listen(t, echo)
	d, _ := newDialer(s, nil)
	<-d.Open(s.addr)
	<-d.Open(s.addr) // is open already
	if n := s.connections(); n != 1 {
		t.Fatalf("%d connections were opened ahead", n)
	}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { dials(t, d, s.addr) })
	}
	all.Wait()
	if n := s.connections(); n != 5 {
		t.Errorf("5 dials used %d connections", n)
	}
}

func TestDialWaitsForAnOpening(t *testing.T) {
	t.Parallel()
	s := listen(t, echo)
	d, _ := newDialer(s, nil)
	d.Open(s.addr)
	dials(t, d, s.addr)
	if n := s.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestDialGetsOnlyAFreshConnection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*preconnect.Options)
		jump   time.Duration
		reused bool
	}{
		{"immediately", nil, 0, true},
		{"after a freeze", nil, 300 * time.Millisecond, false},
		{"after the clock was set back", nil, -300 * time.Millisecond, false},
		{"after a freeze that does not matter", func(o *preconnect.Options) { o.OverFreeze = true }, 5 * time.Minute, true},
		{"too old", func(o *preconnect.Options) { o.OverFreeze, o.MaxAge = true, time.Minute }, time.Minute, false},
		{"opened in the future", func(o *preconnect.Options) { o.OverFreeze = true }, -time.Minute, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := listen(t, echo)
			d, clock := newDialer(s, test.change)
			<-d.Open(s.addr)
			clock.jump(test.jump)
			dials(t, d, s.addr)
			if reused := s.connections() == 1; reused != test.reused {
				t.Errorf("reused: %t", reused)
			}
		})
	}
}

// A connection stays fresh although the clock advances: the process was not
// frozen, because watch has noted each step.
func TestConnectionStaysFreshWhileTheProcessRuns(t *testing.T) {
	t.Parallel()
	s := listen(t, echo)
	reads := make(chan struct{})
	stepped := &wall{}
	d, _ := newDialer(s, func(o *preconnect.Options) {
		o.Now = func() time.Time {
			stepped.jump(60 * time.Millisecond)
			select {
			case reads <- struct{}{}:
			default:
			}
			return stepped.now()
		}
	})
	<-d.Open(s.addr)
	for range 10 {
		select {
		case <-reads:
		case <-time.After(10 * time.Second):
			t.Fatal("the clock was not read again")
		}
	}
	dials(t, d, s.addr)
	if n := s.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestStaleConnectionIsOpenedAgain(t *testing.T) {
	t.Parallel()
	s := listen(t, echo)
	d, clock := newDialer(s, nil)
	<-d.Open(s.addr)
	clock.jump(time.Minute)
	<-d.Open(s.addr)
	dials(t, d, s.addr)
	if n := s.connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// A server may end a connection at any time before it is needed.
func TestBrokenConnectionIsDialedAnew(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		first func(raw *net.TCPConn, conn *tls.Conn)
	}{
		{"closed before the handshake", func(raw *net.TCPConn, _ *tls.Conn) { _ = raw.Close() }},
		{"reset before the handshake", func(raw *net.TCPConn, _ *tls.Conn) { _ = raw.SetLinger(0); _ = raw.Close() }},
		{"silent during the handshake", func(*net.TCPConn, *tls.Conn) {}},
		{"closed after the handshake", func(_ *net.TCPConn, conn *tls.Conn) { _ = conn.Handshake(); _ = conn.Close() }},
		{"closed after the handshake without an alert", func(raw *net.TCPConn, conn *tls.Conn) { _ = conn.Handshake(); _ = raw.Close() }},
		{"reset after the handshake", func(raw *net.TCPConn, conn *tls.Conn) {
			_ = conn.Handshake()
			_ = raw.SetLinger(0)
			_ = raw.Close()
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			s := listen(t, func(n int, raw *net.TCPConn, conn *tls.Conn) {
				if n > 1 {
					echo(n, raw, conn)
					return
				}
				test.first(raw, conn)
				close(ended)
			})
			d, _ := newDialer(s, func(o *preconnect.Options) { o.MaxAge = 250 * time.Millisecond })
			opened := d.Open(s.addr)
			<-ended
			if test.name != "silent during the handshake" {
				<-opened
			}
			dials(t, d, s.addr)
			if n := s.connections(); n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestUnusedConnectionIsClosed(t *testing.T) {
	t.Parallel()
	closed := make(chan error, 1)
	s := listen(t, func(_ int, _ *net.TCPConn, conn *tls.Conn) {
		_, err := conn.Read(make([]byte, 1))
		closed <- err
	})
	d, _ := newDialer(s, func(o *preconnect.Options) { o.MaxAge = 20 * time.Millisecond })
	<-d.Open(s.addr)
	if err := <-closed; err == nil {
		t.Error("something was sent over it")
	}
}

func TestErrorIsThatOfTheNewConnection(t *testing.T) {
	t.Parallel()
	s := listen(t, echo)
	d, _ := newDialer(s, func(o *preconnect.Options) { o.TLS = &tls.Config{ServerName: "example.com"} })
	<-d.Open(s.addr)
	_, err := d.DialTLSContext(t.Context(), "tcp", s.addr)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("got %T: %v", err, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.DialTLSContext(ctx, "tcp", s.addr); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled dial: %v", err)
	}
	if _, err := d.DialTLSContext(t.Context(), "tcp", "no port"); err == nil {
		t.Error("an address without a port was dialed")
	}
}

func TestCanceledDialLeavesNoConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan error, 1)
	begin := make(chan struct{})
	s := listen(t, func(_ int, _ *net.TCPConn, conn *tls.Conn) {
		<-begin
		_, err := conn.Read(make([]byte, 1))
		closed <- err
	})
	d, _ := newDialer(s, nil)
	d.Open(s.addr)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.DialTLSContext(ctx, "tcp", s.addr); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(begin)
	if err := <-closed; err == nil {
		t.Error("something was sent over it")
	}
}

func TestSessionIsResumedIfTheConfigurationHasACache(t *testing.T) {
	t.Parallel()
	s := listen(t, echo)
	d, _ := newDialer(s, func(o *preconnect.Options) {
		o.TLS = o.TLS.Clone()
		o.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	})
	dials(t, d, s.addr)
	<-d.Open(s.addr)
	conn, err := d.DialTLSContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if !conn.(*tls.Conn).ConnectionState().DidResume {
		t.Error("the second handshake is a full one")
	}
}
