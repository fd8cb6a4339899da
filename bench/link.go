package main

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// serveLink is a proxy that puts a distance between a function and a server,
// until the listener is closed. Bytes take half of the distance each way. The
// first byte of a connection also waits for the whole distance, as it does for
// TCP's handshake.
func serveLink(l net.Listener, server string, distance func() time.Duration) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go carry(client, server, distance(), time.Now())
	}
}

// carry connects a client to the server until both have closed.
func carry(client net.Conn, address string, distance time.Duration, accepted time.Time) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { pump(server, client, distance/2, accepted.Add(distance)) })
	both.Go(func() { pump(client, server, distance/2, time.Time{}) })
	both.Wait()
}

// segment is what was read at once, and when it arrives.
type segment struct {
	arrives time.Time
	bytes   []byte
}

// pump carries bytes from one connection to another with a delay, and then
// closes that direction. It treats bytes from before open as sent at open.
func pump(to, from net.Conn, delay time.Duration, open time.Time) {
	segments := make(chan segment, 256)
	var writer sync.WaitGroup
	writer.Go(func() {
		for s := range segments {
			sleepUntil(s.arrives)
			if s.bytes == nil {
				_ = to.(*net.TCPConn).CloseWrite()
				return
			}
			// After a failed write, the read below ends too.
			if _, err := to.Write(s.bytes); err != nil {
				_ = from.Close()
			}
		}
	})
	defer writer.Wait()
	defer close(segments)
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		sent := time.Now()
		if sent.Before(open) {
			sent = open
		}
		if n > 0 {
			segments <- segment{sent.Add(delay), buffer[:n]}
		}
		if err != nil {
			segments <- segment{sent.Add(delay), nil}
			return
		}
	}
}

// adjustable is a distance that may change while links use it.
type adjustable struct{ nanos atomic.Int64 }

func (a *adjustable) set(d time.Duration) { a.nanos.Store(int64(d)) }

func (a *adjustable) get() time.Duration { return time.Duration(a.nanos.Load()) }
