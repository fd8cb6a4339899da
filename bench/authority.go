package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority issues certificates as Amazon's does: RSA keys, and an intermediate
// between the root and the servers.
type authority struct {
	root, intermediate issued
	// rootFile has the certificate that clients must trust.
	rootFile string
}

// issued is a certificate with its key.
type issued struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// newAuthority makes an authority whose root is in a folder.
func newAuthority(dir string) (*authority, error) {
	a := &authority{rootFile: filepath.Join(dir, rootFile)}
	var err error
	if a.root, err = issue(issued{}, "Stand-in Root CA 1"); err != nil {
		return nil, err
	}
	if a.intermediate, err = issue(a.root, "Stand-in RSA 2048 M01"); err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.rootFile, a.rootPEM(), 0o644)
}

func (a *authority) rootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.certificate.Raw})
}

// server makes the certificate of a host, which is a name or an address. Its chain has the root too, as AWS
// sends it.
func (a *authority) server(host string) (tls.Certificate, error) {
	s, err := issue(a.intermediate, host, host)
	if err != nil {
		return tls.Certificate{}, err
	}
	chain := [][]byte{s.certificate.Raw, a.intermediate.certificate.Raw, a.root.certificate.Raw}
	return tls.Certificate{Certificate: chain, PrivateKey: s.key}, nil
}

// issue makes a certificate: that of a server if it has hosts, else that of an
// authority. Without an issuer it is its own.
func issue(by issued, name string, hosts ...string) (issued, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return issued{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return issued{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Stand-in"}, Country: []string{"US"}},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  hosts == nil,
		KeyUsage:              x509.KeyUsageDigitalSignature,
	}
	if template.IsCA {
		template.KeyUsage |= x509.KeyUsageCertSign
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if by.key == nil {
		by = issued{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		return issued{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	return issued{certificate, key}, err
}
