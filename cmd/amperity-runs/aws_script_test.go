package main

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// account responds instead of AWS, with the content of files:
//
//	OPERATION          for every call of it, such as DescribeStacks
//	OPERATION.QUEUE    for the calls of it on one queue
//
// A file may begin with a line "status NUMBER" (0: hang up) and with headers
// "Name: value", up to an empty line. If a folder lacks a file, an earlier
// folder may have it. Without a file the response is empty. account fills in
// SQS's checksums.
type account struct {
	dirs []string

	mu    sync.Mutex
	calls []string
}

// aws starts an account that responds with the files in a folder, and sets its
// environment.
func (a *account) aws(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: aws FOLDER")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirs = append(a.dirs, ts.MkAbs(args[0]))
	if len(a.dirs) > 1 {
		return
	}
	server := httptest.NewServer(a)
	ts.Defer(server.Close)
	ts.Setenv("AWS_ENDPOINT_URL", server.URL)
	ts.Setenv("AWS_REGION", "us-east-1")
	ts.Setenv("AWS_ACCESS_KEY_ID", "local")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "local")
	ts.Setenv("AWS_MAX_ATTEMPTS", "1")
}

// told prints the calls since the last time.
func (a *account) told(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("calls takes no arguments and is not negated")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.calls {
		fmt.Fprintln(ts.Stdout(), c)
	}
	a.calls = nil
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	operation, on, call := described(r, body)
	a.calls = append(a.calls, call)
	text := []byte("{}")
	for _, dir := range a.dirs {
		for _, name := range []string{operation, operation + "." + on} {
			if found, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				text = found
			}
		}
	}
	text = checksums(operation, text, body)
	status := http.StatusOK
	rest := strings.TrimSuffix(string(text), "\n")
	for {
		line, after, more := strings.Cut(rest, "\n")
		number, isStatus := strings.CutPrefix(line, "status ")
		name, value, isHeader := strings.Cut(line, ": ")
		switch {
		case isStatus:
			status, _ = strconv.Atoi(number)
		case isHeader && !strings.ContainsAny(name, "{<\" "):
			w.Header().Set(name, value)
		case line == "" && more:
			rest = after
			fallthrough
		default:
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, rest)
			return
		}
		rest = after
	}
}

// described returns a call's operation, its queue, and the whole call in one
// line.
func described(r *http.Request, body []byte) (operation, on, call string) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, operation, _ = strings.Cut(target, ".")
		var in struct{ QueueUrl, MessageBody, ReceiptHandle string }
		_ = json.Unmarshal(body, &in)
		on = path.Base(in.QueueUrl)
		return operation, on, strings.TrimSpace(operation + " " + on + " " + in.MessageBody + in.ReceiptHandle)
	}
	if strings.HasSuffix(r.URL.Path, "/invocations") {
		name := path.Base(path.Dir(r.URL.Path))
		return "Invoke", "", fmt.Sprintf("Invoke %s %s %s", name, r.Header.Get("X-Amz-Invocation-Type"), body)
	}
	form, _ := url.ParseQuery(string(body))
	return form.Get("Action"), "", form.Get("Action") + " " + form.Get("StackName")
}

// checksums fills in the checksums that the SDK checks.
func checksums(operation string, answer, call []byte) []byte {
	sum := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	switch operation {
	case "SendMessage":
		var in struct{ MessageBody string }
		_ = json.Unmarshal(call, &in)
		return bytes.ReplaceAll(answer, []byte("CHECKSUM"), []byte(sum(in.MessageBody)))
	case "ReceiveMessage":
		var out struct{ Messages []map[string]any }
		if json.Unmarshal(answer, &out) != nil {
			return answer
		}
		for _, m := range out.Messages {
			body, _ := m["Body"].(string)
			m["MD5OfBody"] = sum(body)
		}
		answer, _ = json.Marshal(out)
	}
	return answer
}
