package wire

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/preconnect"
)

// recorder dials nothing, and records the addresses.
type recorder struct {
	mu    sync.Mutex
	addrs []string
}

func (r *recorder) dial(_ context.Context, _, addr string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addrs = append(r.addrs, addr)
	return nil, errors.New("no network")
}

// Not parallel: it sets the environment of the AWS SDK.
func TestEventsConnectionIsOpenedWhereTheSDKSends(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"a region", nil,
			[]string{"dynamodb.eu-west-1.amazonaws.com:443", "events.eu-west-1.amazonaws.com:443"}},
		{"China", map[string]string{"AWS_REGION": "cn-north-1"},
			[]string{"dynamodb.cn-north-1.amazonaws.com.cn:443", "events.cn-north-1.amazonaws.com.cn:443"}},
		{"FIPS", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true", "AWS_REGION": "us-east-1"},
			[]string{"dynamodb-fips.us-east-1.amazonaws.com:443", "events-fips.us-east-1.amazonaws.com:443"}},
		{"dual stack", map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"},
			[]string{"dynamodb.eu-west-1.api.aws:443", "events.eu-west-1.api.aws:443"}},
		{"an account's endpoint", map[string]string{"AWS_ACCOUNT_ID": "123456789012"},
			[]string{"123456789012.ddb.eu-west-1.amazonaws.com:443", "events.eu-west-1.amazonaws.com:443"}},
		{"VPC endpoints", map[string]string{
			"AWS_ENDPOINT_URL_DYNAMODB":    "https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com",
			"AWS_ENDPOINT_URL_EVENTBRIDGE": "https://vpce-2.events.eu-west-1.vpce.amazonaws.com:8443"},
			[]string{"vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com:443", "vpce-2.events.eu-west-1.vpce.amazonaws.com:8443"}},
		{"one endpoint for all", map[string]string{"AWS_ENDPOINT_URL": "https://[::1]:4566"},
			[]string{"[::1]:4566", "[::1]:4566"}},
		{"no TLS", map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "key"} {
				t.Setenv(name, value)
			}
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			var dialed recorder
			cfg, err := config.LoadDefaultConfig(t.Context(), config.WithHTTPClient(
				awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DialContext = dialed.dial })))
			if err != nil {
				t.Fatal(err)
			}
			c := newConnections(cfg, "", time.Now)
			c.openLedger(t.Context(), "acme-ledger")
			c.openEvents(t.Context(), "default")
			if diff := cmp.Diff(test.want, dialed.addrs); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Not parallel: it sets the environment of the AWS SDK.
func TestDefaultClientOfTheSDKUsesTheDialer(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if preconnectAWS(&cfg, time.Now).dialer == nil {
		t.Errorf("the SDK's client is a %T", cfg.HTTPClient)
	}
}

func TestNoConnectionIsOpenedAheadThroughAProxy(t *testing.T) {
	t.Parallel()
	var dialed recorder
	cfg := aws.Config{Region: "eu-west-1", HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = dialed.dial
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.acme.example:3128"})
	})}
	c := newConnections(cfg, "", time.Now)
	c.openEvents(t.Context(), "default")
	if dialed.addrs != nil {
		t.Errorf("dialed %q", dialed.addrs)
	}
}

func TestAmperityConnectionIsOpenedWhereTheClientSends(t *testing.T) {
	t.Parallel()
	for base, want := range map[string][]string{
		"https://app.amperity.com/api":       {"app.amperity.com:443"},
		"https://acme.amperity.com:8443/api": {"acme.amperity.com:8443"},
		"http://127.0.0.1:8080/api":          nil,
		"https://münchen.example/api":        nil,
	} {
		var dialed recorder
		c := connections{amperity: preconnector{dialer: preconnect.New(preconnect.Options{
			Dial: dialed.dial, TLS: &tls.Config{}, MaxAge: time.Minute, Now: time.Now})}, baseURL: base}
		<-c.openAmperity()
		if diff := cmp.Diff(want, dialed.addrs); diff != "" {
			t.Errorf("%s (-want +got)\n%s", base, diff)
		}
	}
}

// region stands in for AWS. Each service has its own TLS server.
type region struct {
	servers map[string]*httptest.Server
	// connections and requests are counted by service.
	mu          sync.Mutex
	connections map[string]int
	requests    map[string]int
}

// newRegion starts the services, and sets the environment so that the SDK sends
// its requests to them. They answer once hold is closed.
func newRegion(t *testing.T, hold <-chan struct{}) *region {
	t.Helper()
	r := &region{servers: map[string]*httptest.Server{}, connections: map[string]int{}, requests: map[string]int{}}
	for service, answer := range map[string]string{
		"SECRETS_MANAGER": `{"SecretString":"tok-xSECRETx-1"}`,
		"DYNAMODB":        "{}",
		"EVENTBRIDGE":     `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`,
	} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			r.count(r.requests, service)
			<-hold
			w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(answer))), 10))
			_, _ = io.WriteString(w, answer)
		}))
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				r.count(r.connections, service)
			}
		}
		s.StartTLS()
		t.Cleanup(s.Close)
		r.servers[service] = s
		t.Setenv("AWS_ENDPOINT_URL_"+service, s.URL)
	}
	root := filepath.Join(t.TempDir(), "root.pem")
	cert := r.servers["DYNAMODB"].Certificate() // all have the same
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_CA_BUNDLE": root, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "key",
	} {
		t.Setenv(name, value)
	}
	return r
}

func (r *region) count(of map[string]int, service string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of[service]++
}

// seen returns the connections and requests of each service, as "1/0".
func (r *region) seen() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]string{}
	for service := range r.servers {
		seen[service] = fmt.Sprintf("%d/%d", r.connections[service], r.requests[service])
	}
	return seen
}

// load returns the parts of a function. Its Amperity is a port on which nothing
// listens.
func load(t *testing.T) *Parts {
	t.Helper()
	p, err := Load(t.Context(), func(name string) string {
		return map[string]string{"AMPERITY_TENANT": "acme", "AMPERITY_SECRET_ID": "amperity", "LEDGER_TABLE": "acme-ledger",
			"AMPERITY_BASE_URL": "https://127.0.0.1:1/api"}[name]
	}, io.Discard, 5)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// use does what a launch does with AWS.
func use(t *testing.T, p *Parts) {
	t.Helper()
	if _, err := p.Ledger.Get(t.Context(), "launch/1"); err != nil {
		t.Error(err)
	}
	if err := p.Announcer.Announce(t.Context(), announcement.Announcement{Type: announcement.RunStarted}); err != nil {
		t.Error(err)
	}
	if _, err := p.tokens.Token(t.Context()); err != nil {
		t.Error(err)
	}
}

// Not parallel: it sets the environment.
func TestInvocationUsesTheLedgersConnectionOfInit(t *testing.T) {
	r := newRegion(t, closed())
	p := load(t)
	p.ConnectLedger(t.Context())()
	if _, err := p.Ledger.Get(t.Context(), "launch/1"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"SECRETS_MANAGER": "0/0", "DYNAMODB": "1/1", "EVENTBRIDGE": "0/0"}
	if diff := cmp.Diff(want, r.seen()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Not parallel: it sets the environment.
func TestLaunchUsesTheConnectionsOfInit(t *testing.T) {
	r := newRegion(t, closed())
	p := load(t)
	p.ConnectAll(t.Context())
	opened := map[string]string{"SECRETS_MANAGER": "1/1", "DYNAMODB": "1/1", "EVENTBRIDGE": "1/0"}
	if diff := cmp.Diff(opened, r.seen()); diff != "" {
		t.Errorf("opened (-want +got)\n%s", diff)
	}
	use(t, p)
	got := r.seen()
	if got["DYNAMODB"] == "2/2" {
		// net/http returns a connection to its pool in the background, perhaps
		// after the next request has dialed.
		got["DYNAMODB"] = "1/2"
	}
	used := map[string]string{"SECRETS_MANAGER": "1/1", "DYNAMODB": "1/2", "EVENTBRIDGE": "1/1"}
	if diff := cmp.Diff(used, got); diff != "" {
		t.Errorf("used (-want +got)\n%s", diff)
	}
}

// Lambda may freeze the process for minutes after init. The servers then close
// idle connections.
//
// Not parallel: it sets the environment.
func TestLaunchSurvivesClosedConnectionsOfInit(t *testing.T) {
	r := newRegion(t, closed())
	p := load(t)
	p.ConnectAll(t.Context())
	for _, s := range r.servers {
		s.CloseClientConnections()
	}
	use(t, p)
	want := map[string]string{"SECRETS_MANAGER": "1/1", "DYNAMODB": "2/2", "EVENTBRIDGE": "2/1"}
	if diff := cmp.Diff(want, r.seen()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Not parallel: it sets the environment.
func TestFailureInInitIsReportedByTheFirstInvocation(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "https://127.0.0.1:1", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "key",
		"AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	p := load(t)
	p.ConnectAll(t.Context())
	if _, err := p.Ledger.Get(t.Context(), "launch/1"); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("the ledger: %v", err)
	}
	if _, err := p.tokens.Token(t.Context()); err == nil {
		t.Error("the token was read without a server")
	}
}

// Not parallel: it sets the environment.
func TestInitWaitsAtMostASecond(t *testing.T) {
	hold := make(chan struct{})
	r := newRegion(t, hold)
	p := load(t)
	p.ConnectAll(t.Context())
	close(hold)
	use(t, p)
	want := map[string]string{"SECRETS_MANAGER": "2/2", "DYNAMODB": "2/2", "EVENTBRIDGE": "1/1"}
	if diff := cmp.Diff(want, r.seen()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
