package amperitytest

import (
	"net"
	"sync"
)

// gate is a TCP listener that can be shut, so that connections are refused, and
// opened again on the same port. http.Server sees one listener that never fails
// before it is closed.
type gate struct {
	addr net.Addr
	drop func() bool // reports whether to reset the accepted connection

	mu     sync.Mutex
	inner  net.Listener // nil if shut
	opened chan struct{}
	closed bool
}

func newGate(inner net.Listener) *gate {
	return &gate{addr: inner.Addr(), inner: inner, opened: make(chan struct{})}
}

// Accept waits for a connection. While the gate is shut it waits for the gate
// to open.
func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		inner, opened, closed := g.inner, g.opened, g.closed
		g.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case inner == nil:
			<-opened
			continue
		}
		conn, err := inner.Accept()
		if err != nil {
			if g.isCurrent(inner) {
				return nil, err
			}
			continue
		}
		if g.drop() {
			reset(conn)
			continue
		}
		return conn, nil
	}
}

// isCurrent distinguishes a real failure of a socket from one that was shut.
func (g *gate) isCurrent(inner net.Listener) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inner == inner && !g.closed
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inner != nil {
		_ = g.inner.Close()
		g.inner = nil
	}
}

func (g *gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inner != nil || g.closed {
		return nil
	}
	inner, err := net.Listen("tcp", g.addr.String())
	if err != nil {
		return err
	}
	g.inner = inner
	g.wake()
	return nil
}

// Close makes Accept return net.ErrClosed.
func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	g.wake()
	if g.inner != nil {
		_ = g.inner.Close()
		g.inner = nil
	}
	return nil
}

// wake makes Accept look again. The caller holds g.mu.
func (g *gate) wake() {
	close(g.opened)
	g.opened = make(chan struct{})
}

// Addr returns the address, whether the gate is open or shut.
func (g *gate) Addr() net.Addr { return g.addr }

// reset closes a connection with a TCP reset instead of an orderly end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
