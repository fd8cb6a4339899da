package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"
)

// Requests are timed from this process: the stand-in's answers as a client sees
// them, and what a connection of its own costs a POST.

const probes = 200

// printStandIn prints how fast the stand-in answers.
func printStandIn(ctx context.Context, out io.Writer) error {
	in, err := newStandIn()
	if err != nil {
		return err
	}
	defer in.Close()
	t := newTable(out, fmt.Sprintf("The stand-in for AWS and Amperity: %d requests of each kind over a kept connection", probes),
		"request", "answered in", "99 of 100 in", "seen by a client", "99 of 100")
	for _, kind := range []callKind{readSecret, startRun, putEvents} {
		seen, err := repeat(ctx, &http.Transport{}, in.url, kind, probes)
		if err != nil {
			return err
		}
		calls, err := in.Take()
		if err != nil {
			return err
		}
		took := each(calls, func(c call) time.Duration { return c.Took })
		t.row(string(kind), micros(spreadOf(took).Median), micros(quantile(took, 0.99)), micros(spreadOf(seen).Median), micros(quantile(seen, 0.99)))
	}
	t.end()
	return nil
}

// printConnections prints what it costs to open a connection for each POST.
func printConnections(ctx context.Context, out io.Writer) error {
	in, err := newStandIn()
	if err != nil {
		return err
	}
	defer in.Close()
	secure, url, roots, err := serveTLS(in)
	if err != nil {
		return err
	}
	defer secure.Close()
	t := newTable(out, fmt.Sprintf("POST /workflow/runs over the loopback interface, median of %d", probes),
		"", "kept connection", "connection of its own", "costs")
	for _, c := range []struct{ name, url string }{{"plain", in.url}, {"TLS 1.3, P-256 certificate", url}} {
		kept, err := repeat(ctx, transportTrusting(roots), c.url, startRun, probes)
		if err != nil {
			return err
		}
		single := transportTrusting(roots)
		single.DisableKeepAlives = true
		own, err := repeat(ctx, single, c.url, startRun, probes)
		if err != nil {
			return err
		}
		k, o := spreadOf(kept).Median, spreadOf(own).Median
		t.row(c.name, ms(k), ms(o), ms(o-k))
	}
	t.end()
	_, err = in.Take()
	return err
}

func transportTrusting(roots *x509.CertPool) *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
}

// repeat sends the request n times, after once to warm up, and tells how long
// each took until its answer was read.
func repeat(ctx context.Context, transport *http.Transport, url string, kind callKind, n int) ([]time.Duration, error) {
	defer transport.CloseIdleConnections()
	path, body, header := sample(kind)
	var took []time.Duration
	for i := range n + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header = header.Clone()
		begun := time.Now()
		res, err := transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil {
			return nil, err
		}
		if res.StatusCode/100 != 2 {
			return nil, fmt.Errorf("the stand-in answers %s with status %d", kind, res.StatusCode)
		}
		if i > 0 {
			took = append(took, time.Since(begun))
		}
	}
	return took, nil
}

// sample is the right request of each kind.
func sample(kind callKind) (path, body string, h http.Header) {
	h = http.Header{"Content-Type": {awsJSON}}
	switch kind {
	case readSecret:
		h.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
		return "/", `{"SecretId":"` + secretID + `"}`, h
	case putEvents:
		h.Set("X-Amz-Target", "AWSEvents.PutEvents")
		_, body, _ = strings.Cut(bareEnv()[1], "=")
		return "/", body, h
	default:
		h = http.Header{"Content-Type": {"application/json"}}
		h.Set("Authorization", "Bearer "+bearer)
		h.Set("Amperity-Tenant", tenant)
		h.Set("Api-Version", "2024-04-01")
		return apiPrefix + "/workflow/runs", string(dated(time.Time{})), h
	}
}

// serveTLS serves h with a certificate made for it, which the pool trusts.
func serveTLS(h http.Handler) (*http.Server, string, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, "", nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, "", nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		return nil, "", nil, err
	}
	return serveOn(l, h), "https://" + l.Addr().String(), pool, nil
}
