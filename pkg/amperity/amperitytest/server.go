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

// Server is the simulated API, listening. All its methods may be called from
// several goroutines at once.
type Server struct {
	cfg      Config
	listener *gate
	http     *http.Server
	done     chan struct{} // closed once the server is closing
	stop     context.CancelFunc
	running  context.Context // ends with done; for what the server itself waits on
	serving  sync.WaitGroup
	refusing atomic.Bool // without a socket: no connection can be made

	mu       sync.Mutex // guards what follows
	ids      *rand.Rand
	version  string  // of Amperity's configuration, launched_version
	accepted []grant // static and fetched tokens
	passed   []time.Time
	runs     []*run // in the order they were asked for
	started  []Started
	requests []*Request
	faults   []*armed
	random   *randomFaults
	scripts  map[string][]Script
	asked    map[string]int // how many runs of a config id there were
}

// New starts a server. The error is a [*ConfigError], or what the operating
// system says to listening on Config.Addr.
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
		// The package's errors show no request; net/http's own could.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if cfg.NoSocket {
		return s, nil
	}
	s.listener.drop = s.takeDrop
	s.serving.Go(func() {
		// Ends with http.ErrServerClosed: nothing else makes the gate fail.
		_ = s.http.Serve(s.listener)
	})
	return s, nil
}

// URL is the base URL for the client, with the base path. Where the server
// listens on all interfaces, it is the loopback's.
func (s *Server) URL() string { return s.origin() + s.cfg.BasePath }

// TokenURL is where OAuth clients fetch their tokens.
func (s *Server) TokenURL() string { return s.URL() + tokenPath }

// ControlURL is what the paths of Config.Control begin with, without a slash at
// its end. They are not there without it.
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

// Close stops the server at once: requests under way are broken off. The logs
// can still be read. Further calls do nothing.
func (s *Server) Close() {
	s.closing()
	_ = s.http.Close()
	s.serving.Wait()
}

// Shutdown stops the server, letting requests under way end; only those that a
// [Hang] holds are broken off. It returns ctx's error if it ends first.
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

// StopListening closes the listening socket, so that new connections are
// refused as by a host on which nothing listens. Idle connections are closed
// too. [Server.Listen] ends it.
func (s *Server) StopListening() {
	if s.listener == nil {
		s.refusing.Store(true)
		return
	}
	s.listener.shut()
	s.http.SetKeepAlivesEnabled(false)
}

// Listen listens again, on the same port, after [Server.StopListening]. It
// fails if another program took the port in the meantime.
func (s *Server) Listen() error {
	if s.listener == nil {
		s.refusing.Store(false)
		return nil
	}
	s.http.SetKeepAlivesEnabled(true)
	return s.listener.open()
}

// Script says how the next runs of a config id go: the first script is for its
// next run, and so on; the last one is for all further runs. With no script the
// config id goes back to the default: success after 10 seconds. The config id
// "" stands for all that have no scripts of their own. A script that makes no
// sense is a [*ConfigError], and changes nothing.
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

// nextScript takes the script for the next run; s.mu is held.
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

// SetTokens makes these the only tokens that are accepted. Tokens that were
// fetched by OAuth are refused too, from now on, and new ones can be fetched.
func (s *Server) SetTokens(tokens ...Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = grants(tokens)
}

// ExpireTokens lets every token that is accepted now expire, static or
// fetched. New ones can be fetched, or given with [Server.SetTokens].
func (s *Server) ExpireTokens() {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.accepted {
		s.accepted[i].expires = now
	}
}

// grant is a token that is accepted, or was.
type grant struct {
	value       amperity.Token
	expires     time.Time // zero: never
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
