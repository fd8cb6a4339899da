// Package preconnect opens TLS connections before they are needed.
//
// A [Dialer] opens a connection when it is told that one will be needed soon,
// and gives it to the first that dials its address. It gives each connection
// out once, and only if it is certainly fresh. Otherwise it dials anew, as if
// it had opened nothing.
package preconnect

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// Options configures a Dialer. All fields but OverFreeze are required.
type Options struct {
	// Dial opens a TCP connection.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS configures the handshake. New copies it. If it has no ServerName, the
	// address gives it. The protocol is HTTP/1.1, whatever NextProtos is.
	TLS *tls.Config
	// MaxAge is how old a connection may be when it is given out, counted from
	// when its opening began.
	MaxAge time.Duration
	// OverFreeze: a connection is given out even if the process was frozen
	// after it was opened, as AWS Lambda does between init and invocations.
	OverFreeze bool
	// Now is the wall clock. A monotonic clock would stop while the process is
	// frozen.
	Now func() time.Time
}

// Dialer opens connections ahead. It is safe for concurrent use.
type Dialer struct {
	options Options

	mu    sync.Mutex
	ahead map[string]*connection // by address
}

// New returns a Dialer. It opens nothing.
func New(o Options) *Dialer {
	o.TLS = o.TLS.Clone() // net/http changes that of its transport later
	o.TLS.NextProtos = []string{"http/1.1"}
	return &Dialer{options: o, ahead: make(map[string]*connection)}
}

// connection is a connection that was opened ahead.
type connection struct {
	began time.Time
	// opened is closed once conn and err are set.
	opened chan struct{}
	conn   *tls.Conn
	err    error
	// gone is closed once the connection is given out or dropped.
	gone chan struct{}

	mu   sync.Mutex
	beat time.Time // when the process certainly ran; see watch
	// frozen: the process did not run for some time.
	frozen bool
}

const (
	// beatEvery is how often a connection's watch notes that the process runs.
	// A longer silence than maxSilence is a freeze. Under Lambda's smallest
	// share of a processor, 7% of every 20 ms, a process is silent for less.
	beatEvery  = 50 * time.Millisecond
	maxSilence = 250 * time.Millisecond

	// handshakeTimeout bounds a handshake, and openTimeout the whole opening of
	// a connection ahead.
	handshakeTimeout = 10 * time.Second
	openTimeout      = 10 * time.Second
	// patience is how long, from the start of its opening, a connection is
	// waited for.
	patience = 3 * time.Second
)

// Open opens a connection to an address (host:port) in the background, unless a
// fresh one is there or on its way. A failure has no effect: the one who dials
// the address dials anew.
//
// The result is closed once the connection is open or has failed.
func (d *Dialer) Open(addr string) <-chan struct{} {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.ahead[addr]; old != nil {
		if !old.failed() && d.fresh(old, now) {
			return old.opened
		}
		delete(d.ahead, addr)
		close(old.gone)
	}
	c := &connection{began: now, beat: now, opened: make(chan struct{}), gone: make(chan struct{})}
	d.ahead[addr] = c
	go d.open(c, addr)
	return c.opened
}

// open opens a connection, and closes it if nobody takes it in time.
func (d *Dialer) open(c *connection, addr string) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if !d.options.OverFreeze {
		go d.watch(c)
	}
	c.conn, c.err = d.dial(ctx, "tcp", addr)
	close(c.opened)
	timer := time.NewTimer(d.options.MaxAge)
	defer timer.Stop()
	select {
	case <-c.gone:
		return // who took it out closes it, or gave it out
	case <-timer.C:
	}
	d.mu.Lock()
	mine := d.ahead[addr] == c
	if mine {
		delete(d.ahead, addr)
		close(c.gone)
	}
	d.mu.Unlock()
	if mine {
		c.close()
	}
}

// watch notes regularly that the process runs, until the connection is given
// out. A silence tells that the process was frozen: its kernel may not have
// noticed since then that the server closed the connection.
func (d *Dialer) watch(c *connection) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.gone:
			return
		case <-ticker.C:
			c.noteBeat(d.now())
		}
	}
}

// noteBeat notes that the process runs at a time, and reports whether it was
// ever frozen before.
func (c *connection) noteBeat(now time.Time) (frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if silence := now.Sub(c.beat); silence > maxSilence || silence < -maxSilence {
		c.frozen = true
	}
	c.beat = now
	return c.frozen
}

// fresh reports whether a connection is young enough, and no freeze has come
// between, so that a server most certainly still has it.
func (d *Dialer) fresh(c *connection, now time.Time) bool {
	age := now.Sub(c.began)
	return age >= 0 && age < d.options.MaxAge && (d.options.OverFreeze || !c.noteBeat(now))
}

// failed reports whether the opening has failed already.
func (c *connection) failed() bool {
	select {
	case <-c.opened:
		return c.err != nil
	default:
		return false
	}
}

// close closes the connection once its opening has ended.
func (c *connection) close() {
	<-c.opened
	if c.conn != nil {
		_ = c.conn.NetConn().Close() // nothing was sent that could be lost
	}
}

// DialTLSContext returns the connection that was opened ahead to an address, if
// it is fresh, and else a new one. It fits [net/http.Transport]. The errors are
// those of dialing and of the TLS handshake.
func (d *Dialer) DialTLSContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if conn := d.take(ctx, addr); conn != nil {
		return conn, nil
	}
	return d.dial(ctx, network, addr)
}

// take returns the fresh connection to an address, or nil. It waits for one
// that is being opened, up to patience.
func (d *Dialer) take(ctx context.Context, addr string) net.Conn {
	d.mu.Lock()
	c := d.ahead[addr]
	if c != nil {
		delete(d.ahead, addr)
		close(c.gone)
	}
	d.mu.Unlock()
	if c == nil {
		return nil
	}
	left := time.NewTimer(c.began.Add(min(patience, d.options.MaxAge)).Sub(d.now()))
	defer left.Stop()
	select {
	case <-c.opened:
	case <-ctx.Done():
	case <-left.C:
	}
	select {
	case <-c.opened:
		if !c.failed() && d.fresh(c, d.now()) && isEstablished(c.conn.NetConn()) {
			return c.conn
		}
	default:
	}
	go c.close()
	return nil
}

// dial opens a connection and makes the handshake.
func (d *Dialer) dial(ctx context.Context, network, addr string) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	raw, err := d.options.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	config := d.options.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	conn := tls.Client(raw, config)
	limited, cancel := context.WithTimeoutCause(ctx, handshakeTimeout, errHandshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(limited); err != nil {
		_ = raw.Close() // the error to report is the handshake's
		if context.Cause(limited) == errHandshakeTimeout {
			err = errHandshakeTimeout
		}
		return nil, err
	}
	return conn, nil
}

var errHandshakeTimeout = errors.New("the TLS handshake took more than 10 seconds")

// now returns the time by the wall clock alone.
func (d *Dialer) now() time.Time { return d.options.Now().Round(0) }
