package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadTokenFile(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, content, want, wantErr string
	}{
		{name: "a token alone", content: "tok-xSECRETx-1", want: "tok-xSECRETx-1"},
		{name: "a token and the end of its line", content: "tok-xSECRETx-1\r\n", want: "tok-xSECRETx-1"},
		{name: "only blanks", content: " \n", wantErr: "FILE is empty: put the access token into it"},
		{name: "two words", content: "a b", wantErr: "FILE has more than one word: put only the access token into it"},
		{name: "too large", content: strings.Repeat("x", maxTokenFile+1), wantErr: "FILE is larger than 65536 bytes: that is no access token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(name, []byte(row.content), 0o600); err != nil {
				t.Fatal(err)
			}
			token, err := readTokenFile(name)
			got := ""
			if err != nil {
				got = strings.ReplaceAll(err.Error(), name, "FILE")
			}
			if got != row.wantErr {
				t.Errorf("error %q, want %q", got, row.wantErr)
			}
			if token.Reveal() != row.want {
				t.Error("not the token that is in the file")
			}
		})
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.1.2.3": true, "::1": true, "localhost": true,
		"": false, "0.0.0.0": false, "::": false, "192.0.2.1": false, "example.com": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %v", host, got)
		}
	}
}
