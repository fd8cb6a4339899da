package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// world is the network that a function sees: the stand-in's servers, each at
// its distance, and in an account also certificates and names.
type world struct {
	*standIn
	// Environ leads a function to the servers.
	Environ []string

	amperity   adjustable
	names      nameServer
	handshakes atomic.Int64
	closers    []io.Closer

	connections sync.Mutex
	open        map[net.Conn]bool
}

// openLoopback serves on free ports of the loopback interface. Without an
// authority it speaks plain HTTP. Without a distance no proxy delays anything.
func openLoopback(d distances, a *authority) (*world, error) {
	w := newWorld(d)
	scheme := "http://"
	if a != nil {
		scheme = "https://"
		w.Environ = []string{"SSL_CERT_FILE=" + a.rootFile}
	}
	for _, s := range services {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, w.after(err)
		}
		address := l.Addr().String()
		if a != nil {
			certificate, err := a.server("127.0.0.1")
			if err != nil {
				return nil, w.after(err)
			}
			l = tls.NewListener(l, w.secured(certificate))
		}
		w.serve(l, s, d)
		if d.to(s) > 0 {
			front, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, w.after(err)
			}
			w.link(front, address, w.distance(s, d))
			address = front.Addr().String()
		}
		if s.Name == amperity {
			address += apiPrefix
		}
		w.Environ = append(w.Environ, s.Variable+"="+scheme+address)
	}
	return w, nil
}

// openAccount serves TLS on the hosts' names, which it resolves. It needs a
// network namespace of its own, because it binds the addresses that functions
// use.
func openAccount(d distances, a *authority) (*world, error) {
	w := newWorld(d)
	w.names.addresses, w.names.delay = map[string][4]byte{}, d.DNS
	w.Environ = []string{"AMPERITY_BASE_URL=https://" + services[len(services)-1].Host + apiPrefix}
	for i, s := range services {
		certificate, err := a.server(s.Host)
		if err != nil {
			return nil, w.after(err)
		}
		back, err := net.Listen("tcp", "127.0.2."+strconv.Itoa(i+1)+":443")
		if err != nil {
			return nil, w.after(err)
		}
		w.serve(tls.NewListener(back, w.secured(certificate)), s, d)
		front, err := net.Listen("tcp", "127.0.1."+strconv.Itoa(i+1)+":443")
		if err != nil {
			return nil, w.after(err)
		}
		w.link(front, back.Addr().String(), w.distance(s, d))
		w.names.addresses[s.Host+"."] = [4]byte{127, 0, 1, byte(i + 1)}
	}
	c, err := net.ListenPacket("udp", resolver+":53")
	if err != nil {
		return nil, w.after(err)
	}
	w.closers = append(w.closers, c)
	go w.names.serve(c)
	return w, nil
}

// resolver is the address of the name server in an account.
const resolver = "127.0.0.53"

func newWorld(d distances) *world {
	w := &world{standIn: &standIn{table: table{map[string]item{}}}, open: map[net.Conn]bool{}}
	w.amperity.set(d.Amperity)
	return w
}

// distance returns the distance of a service, which may change for Amperity.
func (w *world) distance(s service, d distances) func() time.Duration {
	if s.Name == amperity {
		return w.amperity.get
	}
	return func() time.Duration { return d.AWS }
}

func (w *world) serve(l net.Listener, s service, d distances) {
	server := &http.Server{
		Handler:           w.handler(s, w.distance(s, d)),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // functions are killed
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateNew {
				w.note(call{Service: s.Name, Operation: connected, At: time.Now(), Distance: w.distance(s, d)()})
			}
			w.track(c, state)
		},
	}
	w.closers = append(w.closers, server)
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
}

func (w *world) link(l net.Listener, server string, distance func() time.Duration) {
	w.closers = append(w.closers, l)
	go serveLink(l, server, distance)
}

// secured counts the handshakes of a server.
func (w *world) secured(certificate tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"http/1.1"},
		VerifyConnection: func(tls.ConnectionState) error {
			w.handshakes.Add(1)
			return nil
		},
	}
}

func (w *world) track(c net.Conn, state http.ConnState) {
	w.connections.Lock()
	defer w.connections.Unlock()
	if w.open[c] = true; state == http.StateClosed {
		delete(w.open, c)
	}
}

// closeConnections closes all connections, as servers do with idle ones.
func (w *world) closeConnections() {
	w.connections.Lock()
	defer w.connections.Unlock()
	for c := range w.open {
		_ = c.Close()
	}
}

// Close ends all servers.
func (w *world) Close() {
	for _, c := range w.closers {
		_ = c.Close()
	}
}

// after closes a world that could not be opened, and returns the reason.
func (w *world) after(err error) error {
	w.Close()
	return err
}
