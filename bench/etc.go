package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// bundleFile is the bundle of roots of Amazon Linux 2023, at the path that Go
// and our functions look for.
const bundleFile = "/etc/pki/tls/certs/ca-bundle.crt"

// readBundle reads the roots that this machine trusts.
func readBundle() ([]byte, error) {
	for _, path := range []string{"/etc/ssl/certs/ca-certificates.crt", bundleFile} {
		if text, err := os.ReadFile(path); !errors.Is(err, os.ErrNotExist) {
			return text, err
		}
	}
	return nil, errors.New("this machine has no bundle of root certificates")
}

// writeEtc writes those files of Amazon Linux 2023's /etc that a function reads.
// The root is trusted beside those of the bundle. The layout decides how long
// Go needs to read the roots (golang/go#79018): it reads a bundle, and then
// every file of /etc/ssl/certs, which has each root and two links to it.
func writeEtc(etc string, bundle, root []byte) error {
	trusted := append(append(bytes.Clone(bundle), '\n'), root...)
	files := map[string][]byte{
		"resolv.conf":   []byte("nameserver " + resolver + "\noptions timeout:2\n"),
		"hosts":         []byte("127.0.0.1 localhost\n"),
		"nsswitch.conf": []byte("passwd: files\nhosts: files dns\n"),
		"passwd":        []byte("root:x:0:0:root:/root:/bin/sh\n"),
		"pki/ca-trust/extracted/pem/tls-ca-bundle.pem": trusted,
		// This bundle has blocks of another type, which Go skips.
		"pki/ca-trust/extracted/openssl/ca-bundle.trust.crt": bytes.ReplaceAll(bundle, []byte(" CERTIFICATE-"), []byte(" TRUSTED CERTIFICATE-")),
	}
	links := map[string]string{
		"pki/tls/certs/ca-bundle.crt":       "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"pki/tls/cert.pem":                  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"pki/tls/certs/ca-bundle.trust.crt": "/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt",
	}
	end := []byte("-----END CERTIFICATE-----\n")
	for i, certificate := range bytes.SplitAfter(trusted, end) {
		if !bytes.HasSuffix(certificate, end) {
			continue
		}
		name := fmt.Sprintf("root-%03d", i)
		files["ssl/certs/"+name+".pem"] = certificate
		links["ssl/certs/"+name+"a.0"] = name + ".pem"
		links["ssl/certs/"+name+"b.0"] = name + ".pem"
	}
	// The dynamic linker and Python read these of the machine, if there are any.
	for _, name := range []string{"ld.so.cache", "localtime"} {
		if text, err := os.ReadFile("/etc/" + name); err == nil {
			files[name] = text
		}
	}
	return writeTree(etc, files, links)
}

// writeTree writes files and symbolic links below a folder.
func writeTree(dir string, files map[string][]byte, links map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	for name, target := range links {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}
