package main

import (
	"net"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers as the resolver of a VPC does: IPv4 addresses for the
// names that it knows.
type nameServer struct {
	// addresses are by names in lower case, which end with a dot.
	addresses map[string][4]byte
	delay     time.Duration
	lookups   atomic.Int64
}

// serve answers on a connection until it is closed.
func (s *nameServer) serve(c net.PacketConn) {
	for {
		query := make([]byte, 1500)
		n, from, err := c.ReadFrom(query)
		if err != nil {
			return
		}
		due := time.Now().Add(s.delay)
		go func() {
			s.lookups.Add(1)
			answer, err := s.answer(query[:n])
			if err != nil {
				return // not a query: a resolver stays silent as well
			}
			sleepUntil(due)
			_, _ = c.WriteTo(answer, from)
		}()
	}
}

func (s *nameServer) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		address, known := s.addresses[strings.ToLower(q.Name.String())]
		if !known {
			m.RCode = dnsmessage.RCodeNameError
			continue
		}
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 5},
				Body:   &dnsmessage.AResource{A: address},
			})
		}
	}
	return m.Pack()
}
