package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
)

const simulatorUsage = `Usage:
  amperity-runs simulator [--addr HOST:PORT] [--tenant ID] [--token-file FILE]
                          [--rate-limit N] [--busy] [--run-time DURATION]
                          [--fault JSON ...] [--fault-probability P] [--seed N]
                          [--listen-anywhere]

Serve the workflow part of the Amperity API locally, until interrupted. Runs do
no work, take --run-time and succeed.

  --addr HOST:PORT        where to listen (default 127.0.0.1:8089); with port 0,
                          on a free port
  --tenant ID             the tenant (default demo)
  --token-file FILE       accept the access token in FILE. Default: the token
                          "simulator-token" and the OAuth client
                          "simulator-client" with "simulator-secret", which are
                          public, not secret
  --rate-limit N          requests a second, above which the answer is 429
                          (default 10); 0 for no limit
  --busy                  answer 409 to a start while a run of the same config id
                          is still running
  --run-time DURATION     how long a run takes, for example 3m (default 10s)
  --fault JSON            a fault on demand, see below; may be repeated
  --fault-probability P   let each request meet one of the faults with this
                          probability, from 0 to 1, instead of the next ones
  --seed N                the same N repeats ids and random faults (default 0)
  --listen-anywhere       allow an address that other machines can reach, such as
                          0.0.0.0:8089; containers need it, and find this machine
                          as host.docker.internal

Standard output has the settings for a client, and a line "ready" once the
simulator listens:

  $ amperity-runs simulator --fault '{"kind":"status","status":503,"times":2}'
  AMPERITY_BASE_URL=http://127.0.0.1:8089/api
  AMPERITY_TENANT=demo
  SIMULATOR_URL=http://127.0.0.1:8089/_simulator
  ready

A fault's "kind" is one of status, slow, hang, reset, truncate, not-json,
redirect, drop, refuse. With "applied":true the request is processed and its
answer is lost. "method", "path_suffix", "config_id", "nth" (the first of them,
from 1) and "times" (how many; -1: all) choose the requests. "status", "header",
"body", "delay" and "late" (durations, such as "1.5s") describe the answer.

Other programs can read and control the simulator at SIMULATOR_URL. These paths
are not part of Amperity's API and need no token:

  GET    /_simulator/runs       returns the started runs
  GET    /_simulator/requests   returns all requests, without their tokens
  POST   /_simulator/faults     adds the fault in the body
  DELETE /_simulator/faults     removes all faults
`

// maxTokenFile bounds the size of a token file. Tokens have a few kilobytes.
const maxTokenFile = 64 << 10

// simulatorGrace is how long requests under way may take to end.
const simulatorGrace = 2 * time.Second

// runSimulator serves the simulated API until ctx ends.
func runSimulator(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseSimulator(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, simulatorUsage)
		return 0
	}
	if err != nil {
		return misused(stderr, "simulator", err)
	}
	if err := o.serve(ctx, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "amperity-runs: simulator: %v\n", err)
		return 1
	}
	return 0
}

// simulatorOptions are the command's flags.
type simulatorOptions struct {
	addr, tenant, tokenFile string
	rateLimit               int
	busy, anywhere          bool
	runTime                 time.Duration
	faults                  []amperitytest.Fault
	probability             float64
	seed                    uint64
}

// parseSimulator parses the flags. The error is misuse or flag.ErrHelp.
func parseSimulator(args []string) (*simulatorOptions, error) {
	o := &simulatorOptions{}
	fs := flag.NewFlagSet("simulator", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8089", "")
	fs.StringVar(&o.tenant, "tenant", amperitytest.DefaultTenant, "")
	fs.StringVar(&o.tokenFile, "token-file", "", "")
	fs.IntVar(&o.rateLimit, "rate-limit", 10, "")
	fs.BoolVar(&o.busy, "busy", false, "")
	fs.DurationVar(&o.runTime, "run-time", 10*time.Second, "")
	fs.Func("fault", "", func(text string) error {
		var f amperitytest.Fault
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			return err
		}
		o.faults = append(o.faults, f)
		return f.Validate()
	})
	fs.Float64Var(&o.probability, "fault-probability", 0, "")
	fs.Uint64Var(&o.seed, "seed", 0, "")
	fs.BoolVar(&o.anywhere, "listen-anywhere", false, "")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: it takes flags only", fs.Arg(0))
	}
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return nil, fmt.Errorf("--addr %q is not HOST:PORT, for example 127.0.0.1:8089", o.addr)
	}
	if !o.anywhere && !isLoopback(host) {
		return nil, fmt.Errorf("--addr %s can be reached from other machines, and the token may be public: add --listen-anywhere if that is what you want", o.addr)
	}
	if o.rateLimit < 0 {
		return nil, fmt.Errorf("--rate-limit %d is negative: 0 means no limit", o.rateLimit)
	}
	if o.runTime < 0 {
		return nil, fmt.Errorf("--run-time %v is negative", o.runTime)
	}
	if !(o.probability >= 0 && o.probability <= 1) {
		return nil, fmt.Errorf("--fault-probability %v is not between 0 and 1", o.probability)
	}
	if o.probability > 0 && len(o.faults) == 0 {
		return nil, errors.New("--fault-probability needs a --fault")
	}
	return o, nil
}

// isLoopback reports whether only this machine can reach a host to listen on.
// The empty host means all interfaces.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// serve listens, prints the settings, and waits for the end of ctx.
func (o *simulatorOptions) serve(ctx context.Context, stdout, stderr io.Writer) error {
	cfg := amperitytest.Config{
		Addr: o.addr, Tenant: o.tenant, Now: time.Now, Seed: o.seed,
		RateLimit: o.rateLimit, BusyWhileRunning: o.busy, Control: true,
	}
	if o.rateLimit == 0 {
		cfg.RateLimit = -1
	}
	if o.tokenFile != "" {
		token, err := readTokenFile(o.tokenFile)
		if err != nil {
			return err
		}
		cfg.Tokens = []amperitytest.Token{{Value: token}}
	}
	srv, err := amperitytest.New(cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; another program has this port: choose another with --addr, or a free one with --addr 127.0.0.1:0", err)
	}
	if err != nil {
		return err
	}
	defer srv.Close()
	// This is the default script with another duration.
	early := min(time.Second, o.runTime/4)
	if err := srv.Script("", amperitytest.Script{Scheduled: early, Started: early, Duration: o.runTime}); err != nil {
		return err
	}
	if o.probability > 0 {
		err = srv.FaultRandomly(o.probability, o.faults...)
	} else {
		err = srv.Fault(o.faults...)
	}
	if err != nil {
		return err
	}
	if host, _, _ := net.SplitHostPort(o.addr); !isLoopback(host) {
		fmt.Fprintf(stderr, "amperity-runs: simulator: listening on %s, where other machines may reach it\n", o.addr)
	}
	fmt.Fprintf(stdout, "AMPERITY_BASE_URL=%s\nAMPERITY_TENANT=%s\nSIMULATOR_URL=%s\nready\n", srv.URL(), o.tenant, srv.ControlURL())

	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), simulatorGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		fmt.Fprintln(stderr, "amperity-runs: simulator: requests in flight were cancelled")
	}
	return nil
}

// readTokenFile reads an access token, the only word of a file.
func readTokenFile(name string) (amperity.Token, error) {
	f, err := os.Open(name) // #nosec G304,G703 -- the user names the file, and may read it
	if err != nil {
		return amperity.Token{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return amperity.Token{}, err
	}
	text = bytes.TrimSpace(text)
	switch {
	case len(text) > maxTokenFile:
		return amperity.Token{}, fmt.Errorf("%s is larger than %d bytes, so it is not an access token", name, maxTokenFile)
	case len(text) == 0:
		return amperity.Token{}, fmt.Errorf("%s is empty: put the access token into it", name)
	case strings.ContainsAny(string(text), " \t\r\n"):
		return amperity.Token{}, fmt.Errorf("%s has more than one word: put only the access token into it", name)
	}
	return amperity.NewToken(string(text)), nil
}
