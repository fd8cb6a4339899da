package amperity_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

// Fetch tokens by OAuth, with what Amperity shows under "Get OAuth credentials"
// of an API key.
func ExampleNewClientCredentials() {
	server, err := amperitytest.New(amperitytest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	source, err := amperity.NewClientCredentials(amperity.ClientCredentialsConfig{
		TokenURL:     server.TokenURL(), // in production https://app.amperity.com/api/v0/oauth2/token
		ClientID:     "simulator-client",
		ClientSecret: amperity.NewToken("simulator-secret"),
		Tenant:       "demo",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := amperity.New("demo", source, amperity.WithBaseURL(server.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		if _, err := client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "og-234BCd5EF"}); err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, r := range server.Requests() {
		fmt.Println(r.Method, r.Path)
	}
	// Output:
	// POST /api/v0/oauth2/token
	// POST /api/workflow/runs
	// POST /api/workflow/runs
}

// Share one source among clients: it fetches one token at a time, however many
// callers wait.
func ExampleClientCredentials() {
	server, err := amperitytest.New(amperitytest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	var source *amperity.ClientCredentials
	source, err = amperity.NewClientCredentials(amperity.ClientCredentialsConfig{
		TokenURL: server.TokenURL(), ClientID: "simulator-client",
		ClientSecret: amperity.NewToken("simulator-secret"), Tenant: "demo",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { _, _ = source.Token(context.Background()) })
	}
	wg.Wait()
	fmt.Println(len(server.Requests()), "request")
	// Output: 1 request
}

// A token prints as "[redacted]", also within other values.
func ExampleToken() {
	token := amperity.NewToken("an access token")
	fmt.Println(token)
	fmt.Printf("%+v\n", struct{ Key amperity.Token }{token})
	fmt.Println(len(token.Reveal()), token.IsZero(), token.Equal(amperity.NewToken("another")))
	// Output:
	// [redacted]
	// {Key:[redacted]}
	// 15 false false
}

// fileSource reads the token from a file, which another program renews.
type fileSource struct {
	path string

	mu    sync.Mutex
	token amperity.Token // zero: read the file
}

// Token returns the token read last, or reads the file.
func (s *fileSource) Token(context.Context) (amperity.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.IsZero() {
		text, err := os.ReadFile(s.path)
		if err != nil {
			return amperity.Token{}, err
		}
		s.token = amperity.NewToken(strings.TrimSpace(string(text)))
	}
	return s.token, nil
}

// Invalidate makes the next call of Token read the file, unless it was read
// since the refused token was handed out.
func (s *fileSource) Invalidate(refused amperity.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Equal(refused) {
		s.token = amperity.Token{}
	}
}

// A source of one's own reads the token from a file.
func ExampleTokenSource() {
	var source amperity.TokenSource = &fileSource{path: "/no/such/file"}
	client, err := amperity.New("acme", source)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.StartRun(context.Background(), amperity.RunRequest{ConfigID: "og-234BCd5EF"})
	fmt.Println(err)
	// Output: no access token: open /no/such/file: no such file or directory
}
