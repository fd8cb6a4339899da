package amperitytest

import (
	"context"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Server is the simulated API. Several goroutines may call its methods at the
// same time.
type Server struct {
	cfg      Config
	listener *gate
	http     *http.Server
	done     chan struct{} // closed when the server closes
	stop     context.CancelFunc
	running  context.Context // ends with done, for the waits of the server itself
	serving  sync.WaitGroup
	refusing atomic.Bool // refuses connections if there is no socket

	mu       sync.Mutex // guards the fields below
	ids      *rand.Rand
	version  string  // launched_version, of Amperity's configuration
	accepted []grant // static and fetched tokens
	passed   []time.Time
	runs     []*run // in the order of their POSTs
	started  []Started
	requests []*Request
	faults   []*armed
	random   *randomFaults
	scripts  map[string][]Script
	asked    map[string]int // the number of runs of each config id
}

// New starts a server. The error is a [*ConfigError], or the operating system's
// error of listening on Config.Addr.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var listener *gate
	if !cfg.NoSocket {
		inner, err := net.Listen("tcp", cfg.Addr)
		if err != nil {
			return nil, err
		}
		listener = newGate(inner)
	}
	s := &Server{
		cfg:      cfg,
		listener: listener,
		done:     make(chan struct{}),
		ids:      rand.New(rand.NewPCG(cfg.Seed, 0)), // #nosec G404 -- a seed must repeat the ids
		scripts:  map[string][]Script{},
		asked:    map[string]int{},
	}
	s.running, s.stop = context.WithCancel(context.Background())
	s.version = s.newID("etv", cfg.Now())
	s.accepted = grants(cfg.Tokens)
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		// The errors of this package show no request. Those of net/http
		// could.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if cfg.NoSocket {
		return s, nil
	}
	s.listener.drop = s.takeDrop
	s.serving.Go(func() {
		// It ends with http.ErrServerClosed: nothing else makes the
		// gate fail.
		_ = s.http.Serve(s.listener)
	})
	return s, nil
}

// URL returns the base URL for the client, with the base path. If the server
// listens on all interfaces, it is the URL of the loopback.
func (s *Server) URL() string { return s.origin() + s.cfg.BasePath }

// TokenURL returns the URL from which OAuth clients fetch their tokens.
func (s *Server) TokenURL() string { return s.URL() + tokenPath }

// ControlURL returns the prefix of the paths of Config.Control, without a slash
// at its end. Without Config.Control the paths do not exist.
func (s *Server) ControlURL() string { return s.origin() + strings.TrimSuffix(controlPath, "/") }

func (s *Server) origin() string {
	if s.listener == nil {
		return "http://localhost"
	}
	addr := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, itoa(addr.Port))
}

// Close stops the server immediately, and breaks off requests in flight. The
// logs stay readable. Further calls do nothing.
func (s *Server) Close() {
	s.closing()
	_ = s.http.Close()
	s.serving.Wait()
}

// Shutdown stops the server and lets requests in flight end. It breaks off only
// those that a [Hang] holds. It returns the error of ctx if ctx ends first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing()
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	s.serving.Wait()
	return err
}

func (s *Server) closing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
	default:
		close(s.done)
		s.stop()
	}
}

// StopListening closes the listening socket and the idle connections. New
// connections are then refused, as by a host on which nothing listens.
// [Server.Listen] ends this.
func (s *Server) StopListening() {
	if s.listener == nil {
		s.refusing.Store(true)
		return
	}
	s.listener.shut()
	s.http.SetKeepAlivesEnabled(false)
}

// Listen listens again on the same port, after [Server.StopListening]. It fails
// if another program has taken the port.
func (s *Server) Listen() error {
	if s.listener == nil {
		s.refusing.Store(false)
		return nil
	}
	s.http.SetKeepAlivesEnabled(true)
	return s.listener.open()
}

// Script sets how the next runs of a config id go. The first script is for its
// next run, the second for the one after, and so on. The last script is for all
// further runs. Without scripts the config id returns to the default: success
// after 10 seconds.
//
// The config id "" stands for all config ids without scripts of their own. The
// error of an invalid script is a [*ConfigError], and changes nothing.
func (s *Server) Script(configID string, scripts ...Script) error {
	e := &ConfigError{What: "Script"}
	for i, script := range scripts {
		script.check(i, e)
	}
	if err := e.orNil(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[configID] = scripts
	return nil
}

// nextScript returns the script for the next run. The caller holds s.mu.
func (s *Server) nextScript(configID string) Script {
	for _, key := range []string{configID, ""} {
		scripts := s.scripts[key]
		if len(scripts) == 0 {
			continue
		}
		if len(scripts) > 1 {
			s.scripts[key] = scripts[1:]
		}
		return scripts[0]
	}
	return defaultScript()
}

// SetTokens replaces all accepted tokens. The server then refuses tokens
// fetched by OAuth before, and clients can fetch new ones.
func (s *Server) SetTokens(tokens ...Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = grants(tokens)
}

// ExpireTokens expires every token that is accepted now, static or fetched.
// Clients can fetch new ones, and [Server.SetTokens] can set new ones.
func (s *Server) ExpireTokens() {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.accepted {
		s.accepted[i].expires = now
	}
}

// grant is a token that the server accepts or has accepted.
type grant struct {
	value       amperity.Token
	expires     time.Time // zero is never
	principalID string
	principal   string
}

func grants(tokens []Token) []grant {
	gs := make([]grant, len(tokens))
	for i, t := range tokens {
		gs[i] = grant{value: t.Value, expires: t.Expires, principalID: t.PrincipalID, principal: t.PrincipalName}
	}
	return gs
}
