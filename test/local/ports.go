package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The variables that choose the ports of "make local". Make puts the variables
// of its command line into the environment.
const (
	envSimulatorPort = "SIMULATOR_PORT"
	envMotoPort      = "MOTO_PORT"
)

// ports are where "make local" listens.
type ports struct{ simulator, moto int }

// defaults are the ports in events/env.json.
var defaults = ports{simulator: 8089, moto: 5555}

// address is on all interfaces: containers reach this machine as
// host.docker.internal, which is not its loopback interface.
func address(port int) string { return net.JoinHostPort("0.0.0.0", strconv.Itoa(port)) }

func portsFrom(getenv func(string) string) (ports, error) {
	p := defaults
	for _, v := range []struct {
		name string
		port *int
	}{{envSimulatorPort, &p.simulator}, {envMotoPort, &p.moto}} {
		text := getenv(v.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return ports{}, fmt.Errorf("%s is %q: give a port from 1 to 65535", v.name, text)
		}
		*v.port = int(n)
	}
	if p.simulator == p.moto {
		return ports{}, fmt.Errorf("%s and %s are both %d: give two different ports", envSimulatorPort, envMotoPort, p.moto)
	}
	return p, nil
}

// explain names the port in an error about a port that is taken, and the
// variable that chooses another one.
func (p ports) explain(err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	addr, ok := op.Addr.(*net.TCPAddr)
	if !ok {
		return err
	}
	for _, used := range []struct {
		name, variable string
		port           int
	}{{"the simulated Amperity", envSimulatorPort, p.simulator}, {"moto", envMotoPort, p.moto}} {
		if used.port == addr.Port {
			return fmt.Errorf("another program listens on port %d, which %s needs: end that program, or choose another port with make local %s=%d", used.port, used.name, used.variable, p.other(used.port))
		}
	}
	return err
}

// other returns the next port that is neither taken nor one of ours, or 0 if
// there is none.
func (p ports) other(port int) int {
	const last = 65535
	for port++; port <= last; port++ {
		if port == p.simulator || port == p.moto {
			continue
		}
		if l, err := net.Listen("tcp", address(port)); err == nil {
			l.Close()
			return port
		}
	}
	return 0
}

// settingsFile returns the file with the functions' settings for sam local.
// That is events/env.json, or with other ports a copy of it that names them.
func (p ports) settingsFile(root string) (string, error) {
	original := filepath.Join("events", "env.json")
	if p == defaults {
		return original, nil
	}
	data, err := os.ReadFile(filepath.Join(root, original))
	if err != nil {
		return "", err
	}
	text := strings.NewReplacer(
		fmt.Sprintf("internal:%d", defaults.simulator), fmt.Sprintf("internal:%d", p.simulator),
		fmt.Sprintf("internal:%d", defaults.moto), fmt.Sprintf("internal:%d", p.moto),
	).Replace(string(data))
	name := filepath.Join("build", "env.json")
	if err := os.MkdirAll(filepath.Join(root, "build"), 0o755); err != nil {
		return "", err
	}
	return name, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644)
}
