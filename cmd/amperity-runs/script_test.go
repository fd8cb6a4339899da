package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"amperity-runs": main})
}

// TestScript runs the sessions in testdata/script. Besides testscript's own
// commands they have:
//
//	serve ARG ...               start "amperity-runs ARG ..." and wait for its line
//	                            "ready"; lines NAME=VALUE before it become
//	                            environment variables
//	interrupt                   send it an interrupt and wait for it to end with
//	                            exit code 0; its output is this command's
//	misuse ARG ...              run "amperity-runs ARG ...", which must exit with 2
//	request METHOD URL [FILE [HEADER ...]]
//	                            send a request, with FILE as body ("-": none) and
//	                            headers "Name: value"; prints status and body. For
//	                            {FILE} in a value it sends what is in the file, so
//	                            that a script's log has no token
//	aws FOLDER                  answer in the place of AWS with the files in FOLDER;
//	                            see account
//	calls                       print the calls of AWS since the last time
//
// None of them uses an AWS account of this machine.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			p := &served{}
			env.Values[servedKey{}] = p
			env.Defer(p.kill)
			env.Values[accountKey{}] = &account{}
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			// Under the race detector each program would wait one second at its
			// end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":     serve,
			"interrupt": interrupt,
			"misuse":    misuse,
			"request":   request,
			"aws": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Value(accountKey{}).(*account).aws(ts, neg, args)
			},
			"calls": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Value(accountKey{}).(*account).told(ts, neg, args)
			},
		},
	})
}

type (
	servedKey  struct{}
	accountKey struct{}
)

// served is a program started with "serve".
type served struct {
	cmd    *exec.Cmd
	output *bufio.Reader
	stderr bytes.Buffer
}

func (p *served) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(servedKey{}).(*served)
	if neg || p.cmd != nil {
		ts.Fatalf("serve is used once, and not negated")
	}
	cmd := exec.Command("amperity-runs", args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Stderr = &p.stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	p.cmd, p.output = cmd, bufio.NewReader(out)
	for {
		line, err := p.output.ReadString('\n')
		if err != nil {
			_ = cmd.Wait()
			p.cmd = nil
			ts.Fatalf("it ended before it was ready: %s", p.stderr.String())
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "ready" {
			return
		}
		if name, value, found := strings.Cut(line, "="); found {
			ts.Setenv(name, value)
		}
	}
}

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(servedKey{}).(*served)
	if neg || len(args) > 0 || p.cmd == nil {
		ts.Fatalf("interrupt follows serve, takes no arguments and is not negated")
	}
	ts.Check(p.cmd.Process.Signal(os.Interrupt))
	_, err := io.Copy(ts.Stdout(), p.output)
	ts.Check(err)
	err = p.cmd.Wait()
	p.cmd = nil
	_, _ = ts.Stderr().Write(p.stderr.Bytes())
	ts.Check(err)
}

func misuse(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("misuse is not negated")
	}
	cmd := exec.Command("amperity-runs", args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	_ = cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 2 {
		ts.Fatalf("it ended with %v, not with exit code 2", cmd.ProcessState)
	}
}

func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: request METHOD URL [FILE [HEADER ...]]")
	}
	var body io.Reader
	if len(args) > 2 && args[2] != "-" {
		body = strings.NewReader(ts.ReadFile(args[2]))
	}
	req, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	for i := 3; i < len(args); i++ {
		name, value, _ := strings.Cut(args[i], ": ")
		if before, file, found := strings.Cut(value, "{"); found {
			value = before + strings.TrimSpace(ts.ReadFile(strings.TrimSuffix(file, "}")))
		}
		req.Header.Set(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	_, _ = io.WriteString(ts.Stdout(), resp.Status+"\n"+string(answer)+"\n")
}
