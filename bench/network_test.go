package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/google/go-cmp/cmp"
)

// TestLinkPutsADistance exchanges lines with a server that echoes them.
func TestLinkPutsADistance(t *testing.T) {
	t.Parallel()
	const distance = 30 * time.Millisecond
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		c, err := server.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadBytes('\n')
			if err != nil || string(line) == "end\n" {
				return
			}
			_, _ = c.Write(line)
		}
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	go serveLink(front, server.Addr().String(), func() time.Duration { return distance })

	begun := time.Now()
	c, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i, least := range []time.Duration{2 * distance, distance} {
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		if line, err := r.ReadString('\n'); line != "hello\n" || err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		if took := time.Since(begun); took < least {
			t.Errorf("exchange %d took %v, want at least %v", i, took, least)
		}
		begun = time.Now()
	}
	if _, err := c.Write([]byte("end\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := r.ReadString('\n'); line != "" || err == nil {
		t.Errorf("the server's end does not reach the client: %q, %v", line, err)
	}
}

func TestNameServerAnswers(t *testing.T) {
	t.Parallel()
	s := &nameServer{addresses: map[string][4]byte{"app.amperity.com.": {127, 0, 1, 4}}}
	for _, tt := range []struct {
		name, host string
		kind       dnsmessage.Type
		code       dnsmessage.RCode
		want       [][4]byte
	}{
		{"a known name has an address", "app.Amperity.com.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, [][4]byte{{127, 0, 1, 4}}},
		{"but none of IPv6", "app.amperity.com.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, nil},
		{"another name does not exist", "example.com.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			query := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
				Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(tt.host), Type: tt.kind, Class: dnsmessage.ClassINET}},
			}
			packed, err := query.Pack()
			if err != nil {
				t.Fatal(err)
			}
			answer, err := s.answer(packed)
			if err != nil {
				t.Fatal(err)
			}
			var m dnsmessage.Message
			if err := m.Unpack(answer); err != nil {
				t.Fatal(err)
			}
			var got [][4]byte
			for _, a := range m.Answers {
				got = append(got, a.Body.(*dnsmessage.AResource).A)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || m.RCode != tt.code || m.ID != 7 || !m.Response {
				t.Errorf("%+v\n%s", m.Header, diff)
			}
		})
	}
	if _, err := s.answer([]byte("no query")); err == nil {
		t.Error("an answer to no query")
	}
}

func TestServersAreTrustedByTheRootAlone(t *testing.T) {
	t.Parallel()
	a, err := newAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := a.server("app.amperity.com")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.rootPEM())
	client, server := net.Pipe()
	defer client.Close()
	go func() { _ = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate}}).Handshake() }()
	c := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "app.amperity.com"})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if n := len(c.ConnectionState().VerifiedChains[0]); n != 3 {
		t.Errorf("a chain of %d certificates, want a leaf, an intermediate and the root", n)
	}
}

func TestEtcHasTheLayoutOfAmazonLinux(t *testing.T) {
	t.Parallel()
	etc := t.TempDir()
	bundle := []byte("-----BEGIN CERTIFICATE-----\nold\n-----END CERTIFICATE-----\n")
	root := []byte("-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n")
	if err := writeEtc(etc, bundle, root); err != nil {
		t.Fatal(err)
	}
	trusted, err := os.ReadFile(filepath.Join(etc, "pki/ca-trust/extracted/pem/tls-ca-bundle.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(trusted, bundle) || !bytes.Contains(trusted, root) {
		t.Errorf("the bundle lacks a root:\n%s", trusted)
	}
	names, err := os.ReadDir(filepath.Join(etc, "ssl/certs"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 6 {
		t.Errorf("%d files, want each of two roots with two links to it", len(names))
	}
	if target, err := os.Readlink(filepath.Join(etc, "pki/tls/certs/ca-bundle.crt")); target != "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem" {
		t.Errorf("the bundle that Go reads first leads to %q: %v", target, err)
	}
}
