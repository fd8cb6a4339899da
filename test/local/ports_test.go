package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/test/stack"
)

func TestPortsFromEnvironment(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		environ map[string]string
		want    ports
		err     string
	}{
		"the defaults":   {nil, ports{simulator: 8089, moto: 5555}, ""},
		"one":            {map[string]string{"MOTO_PORT": "5556"}, ports{simulator: 8089, moto: 5556}, ""},
		"both, swapped":  {map[string]string{"SIMULATOR_PORT": "5555", "MOTO_PORT": "8089"}, ports{simulator: 5555, moto: 8089}, ""},
		"no number":      {map[string]string{"MOTO_PORT": "moto"}, ports{}, `MOTO_PORT is "moto": give a port from 1 to 65535`},
		"zero":           {map[string]string{"SIMULATOR_PORT": "0"}, ports{}, `SIMULATOR_PORT is "0": give a port from 1 to 65535`},
		"too large":      {map[string]string{"MOTO_PORT": "65536"}, ports{}, `MOTO_PORT is "65536": give a port from 1 to 65535`},
		"twice the same": {map[string]string{"MOTO_PORT": "8089"}, ports{}, "SIMULATOR_PORT and MOTO_PORT are both 8089: give two different ports"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := portsFrom(func(name string) string { return row.environ[name] })
			if got != row.want || fmt.Sprint(err) != printed(row.err) {
				t.Errorf("got %v, %v; want %v, %s", got, err, row.want, printed(row.err))
			}
		})
	}
}

// printed is how fmt prints the error with a message.
func printed(message string) string {
	if message == "" {
		return "<nil>"
	}
	return message
}

// taken is a port on which another program listens, and the error of listening.
func taken(t *testing.T) (int, error) {
	t.Helper()
	l, err := net.Listen("tcp", address(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	_, err = net.Listen("tcp", address(port))
	return port, err
}

func TestTakenPortIsExplained(t *testing.T) {
	t.Parallel()
	port, err := taken(t)
	wrapped := fmt.Errorf("nothing can stand before moto: %w", err)
	other := errors.New("no table")
	for name, row := range map[string]struct {
		ports ports
		err   error
		want  string // PORT is the port, OTHER a free one
	}{
		"the simulator's":  {ports{simulator: port, moto: 1}, err, "another program listens on port PORT, which the simulated Amperity needs: end that program, or choose another port with make local SIMULATOR_PORT=OTHER"},
		"moto's":           {ports{simulator: 1, moto: port}, wrapped, "another program listens on port PORT, which moto needs: end that program, or choose another port with make local MOTO_PORT=OTHER"},
		"one of no use":    {ports{simulator: 1, moto: 2}, err, "listen tcp 0.0.0.0:PORT: bind: address already in use"},
		"an error of moto": {ports{simulator: port, moto: 1}, other, "no table"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := row.ports.explain(row.err).Error()
			if m := regexp.MustCompile(`PORT=(\d+)$`).FindStringSubmatch(got); m != nil {
				free, err := strconv.Atoi(m[1])
				if err != nil || free <= port {
					t.Errorf("the other port is %s, want one above %d", m[1], port)
				}
				got = strings.TrimSuffix(got, m[1]) + "OTHER"
			}
			if got = strings.ReplaceAll(got, strconv.Itoa(port), "PORT"); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

// "make local" on a taken port ends with one line.
func TestLocalOnATakenPort(t *testing.T) {
	t.Parallel()
	port, _ := taken(t)
	environ := map[string]string{stack.EnvTools: t.TempDir(), "SIMULATOR_PORT": strconv.Itoa(port)}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"serve"}, func(name string) string { return environ[name] }, &stdout, &stderr)
	want := fmt.Sprintf("another program listens on port %d, ", port)
	if code != 1 || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), want) || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("exit code %d, stdout %q, stderr %q; want 1, none, and one line that begins with %q", code, &stdout, &stderr, want)
	}
}

func TestSettingsNameOtherPorts(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ports      ports
		file, want string
	}{
		"the defaults": {defaults, "events/env.json", `"http://host.docker.internal:8089/api" "http://host.docker.internal:5555"`},
		"others":       {ports{simulator: 8090, moto: 5556}, "build/env.json", `"http://host.docker.internal:8090/api" "http://host.docker.internal:5556"`},
		"swapped":      {ports{simulator: 5555, moto: 8089}, "build/env.json", `"http://host.docker.internal:5555/api" "http://host.docker.internal:8089"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if err := os.CopyFS(filepath.Join(root, "events"), os.DirFS("../../events")); err != nil {
				t.Fatal(err)
			}
			file, err := row.ports.settingsFile(root)
			if err != nil || filepath.ToSlash(file) != row.file {
				t.Fatalf("got %s, %v; want %s", file, err, row.file)
			}
			if !strings.Contains(serving(row.ports, file), "--env-vars "+row.file+" ") {
				t.Errorf("the text of make local does not name %s", row.file)
			}
			data, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			urls := regexp.MustCompile(`"http[^"]*"`).FindAllString(string(data), -1)
			want := strings.Fields(strings.Repeat(row.want+" ", len(stack.Functions())))
			if diff := cmp.Diff(want, urls); diff != "" {
				t.Errorf("URLs (-want +got)\n%s", diff)
			}
		})
	}
}
