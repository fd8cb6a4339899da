package amperity

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// testToken is the token of every fixture. No output of a test may contain it.
const testToken = "tok-xSECRETx-1"

// aRun is the body of a response that is a run.
const aRun = `{"id":"wf-1","state":"scheduled","type":"courier.group/run"}`

// rawServer is a TCP server that handles each connection as a test wants, and
// counts.
type rawServer struct {
	url string

	listener net.Listener
	handlers sync.WaitGroup

	mu          sync.Mutex
	connections int
	heads       []string // request line and headers of each request read whole, the token left out
	bodies      []string
}

// conn is one connection of a rawServer. n counts from 1.
type conn struct {
	net.Conn
	n      int
	server *rawServer
	in     *bufio.Reader
}

// listen starts a server. It calls handle for each connection, and then closes
// the connection.
func listen(t *testing.T, handle func(*conn)) *rawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{url: "http://" + l.Addr().String() + "/base/api", listener: l}
	s.handlers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.connections++
			n := s.connections
			s.mu.Unlock()
			s.handlers.Go(func() {
				defer func() { _ = c.Close() }()
				handle(&conn{Conn: c, n: n, server: s, in: bufio.NewReader(c)})
			})
		}
	})
	t.Cleanup(s.close)
	return s
}

// close stops listening and waits for the handlers.
func (s *rawServer) close() {
	_ = s.listener.Close()
	s.handlers.Wait()
}

func (s *rawServer) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heads)
}

// read reads one whole request and counts it. It returns false if there is
// none.
func (c *conn) read() bool {
	req, err := http.ReadRequest(c.in)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s %s\n", req.Method, req.RequestURI, req.Proto)
	if req.Close {
		head.WriteString("Connection: close\n")
	}
	for _, name := range []string{"Amperity-Tenant", "X-Amperity-Tenant", "Api-Version", "User-Agent", "Accept", "Content-Type", "Content-Length", "Idempotency-Key"} {
		if value := req.Header.Get(name); value != "" {
			fmt.Fprintf(&head, "%s: %s\n", name, value)
		}
	}
	if got := req.Header.Get("Authorization"); got == "Bearer "+testToken {
		head.WriteString("Authorization: the token\n")
	} else if got != "" {
		head.WriteString("Authorization: something else\n")
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.heads = append(c.server.heads, head.String())
	c.server.bodies = append(c.server.bodies, string(body))
	return true
}

// write sends text with the line ends of HTTP.
func (c *conn) write(format string, args ...any) {
	_, _ = io.WriteString(c, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n"))
}

// answer sends a whole response with these headers, each with its line end, and
// this body.
func (c *conn) answer(status int, headers, body string) {
	c.write("HTTP/1.1 %d %s\n%sContent-Length: %d\n\n", status, http.StatusText(status), headers, len(body))
	_, _ = io.WriteString(c, body)
}

// reset closes the connection with a TCP reset.
func (c *conn) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// untilClosed waits until the client has closed the connection.
func (c *conn) untilClosed() { _, _ = io.Copy(io.Discard, c.in) }

// answering returns a handler that responds to one request.
func answering(status int, headers, body string) func(*conn) {
	return func(c *conn) {
		if c.read() {
			c.answer(status, headers, body)
		}
	}
}

// newTestClient returns a client of a server, with the token of the fixtures.
func newTestClient(t *testing.T, baseURL string, opts ...Option) *Client {
	t.Helper()
	c, err := New("acme", StaticTokenSource(testToken), append([]Option{WithBaseURL(baseURL)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// noSecret fails the test if a text contains the marker of the fixtures'
// secrets. It does not show the text.
func noSecret(t *testing.T, what, text string) {
	t.Helper()
	if strings.Contains(text, "xSECRETx") {
		t.Errorf("%s shows a secret", what)
	}
}
