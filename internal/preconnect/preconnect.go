// Package preconnect opens TLS connections before they are needed.
//
// [Dialer.Open] opens a connection that will be needed soon. The next dial of
// its address gets that connection, if it is certainly fresh. Otherwise the
// dial opens a new one. No connection is used twice.
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
	// TLS configures the handshake. New copies it. An empty ServerName means
	// the host of the address. NextProtos is ignored: the connections speak
	// HTTP/1.1.
	TLS *tls.Config
	// MaxAge is how old a connection may be when a dial gets it, counted from
	// the start of its opening.
	MaxAge time.Duration
	// OverFreeze: a dial gets a connection even if the process was frozen since
	// the connection was opened. AWS Lambda freezes a process between init and
	// invocations.
	OverFreeze bool
	// Now is the wall clock. A monotonic clock would stop while the process is
	// frozen.
	Now func() time.Time
}

// Dialer opens connections ahead of the dials that use them. It is safe for
// concurrent use.
type Dialer struct {
	options Options

	mu    sync.Mutex
	ahead map[string]*connection // by address
}

// New returns a Dialer. It opens nothing.
func New(o Options) *Dialer {
	o.TLS = o.TLS.Clone() // net/http later changes the TLS config of its transport
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
	// gone is closed after the connection was removed from Dialer.ahead. The
	// function that removes it uses the connection or closes it.
	gone chan struct{}

	mu   sync.Mutex
	beat time.Time // when the process last certainly ran; see watch
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
	// patience is how long a dial waits for a connection that is being opened,
	// from the start of the opening.
	patience = 3 * time.Second
)

// Open opens a connection to an address (host:port) in the background, unless
// there is a fresh one or one that is being opened. After a failure the next
// dial opens a new connection, and reports the error if that fails too.
//
// The returned channel is closed once the opening has succeeded or failed.
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
		go old.close()
	}
	c := &connection{began: now, beat: now, opened: make(chan struct{}), gone: make(chan struct{})}
	d.ahead[addr] = c
	go d.keep(c, addr)
	return c.opened
}

// keep opens a connection and keeps it for a dial. If no dial takes the
// connection within MaxAge, keep closes it.
func (d *Dialer) keep(c *connection, addr string) {
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
		return
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

// watch notes regularly that the process runs, until the connection is gone. A
// silence means that the process was frozen. The server may have closed the
// connection meanwhile, and the kernel may not know yet.
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

// noteBeat notes that the process runs now, and reports whether it was ever
// frozen since the opening began.
func (c *connection) noteBeat(now time.Time) (frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if silence := now.Sub(c.beat); silence > maxSilence || silence < -maxSilence {
		c.frozen = true
	}
	c.beat = now
	return c.frozen
}

// fresh reports whether a connection is young enough and has survived no
// freeze, so that the server almost certainly still has it.
func (d *Dialer) fresh(c *connection, now time.Time) bool {
	age := now.Sub(c.began)
	return age >= 0 && age < d.options.MaxAge && (d.options.OverFreeze || !c.noteBeat(now))
}

// failed reports whether the opening has failed.
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

// DialTLSContext returns the connection that was opened ahead to an address if
// it is fresh, or else a new connection. It fits [net/http.Transport]. Its
// errors are those of the new connection.
func (d *Dialer) DialTLSContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if conn := d.take(ctx, addr); conn != nil {
		return conn, nil
	}
	return d.dial(ctx, network, addr)
}

// take returns the connection to an address that was opened ahead, or nil if
// there is none that is fresh. It waits up to patience for an opening.
func (d *Dialer) take(ctx context.Context, addr string) net.Conn {
	d.mu.Lock()
	c := d.ahead[addr]
	delete(d.ahead, addr)
	d.mu.Unlock()
	if c == nil {
		return nil
	}
	defer close(c.gone) // until then, watch notes that the process runs
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
