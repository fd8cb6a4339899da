package main

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/test/stack"
)

func TestMisuseIsExplained(t *testing.T) {
	t.Parallel()
	nothing := func(string) string { return "" }
	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":          {nil, 2, usage},
		"invoke without file": {[]string{"invoke"}, 2, usage},
		"a sample of none":    {[]string{"invoke", "main.go"}, 1, "\"main.go\" is a sample of no function: its name begins with none of trigger, s3arrival, sweep; give your own file such a name, as trigger-main.go\n"},
		"no such file":        {[]string{"invoke", "x.json"}, 1, "open x.json: no such file or directory\n"},
		"a sample not there":  {[]string{"invoke", "trigger-none.json"}, 1, "open trigger-none.json: no such file or directory\n"},
		"no tools":            {[]string{"serve"}, 1, "AMPERITY_RUNS_E2E is not set: run make test, make invoke or make local, which set it\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), row.args, nothing, &stdout, &stderr)
			if diff := cmp.Diff(row.want, stderr.String()); code != row.code || diff != "" || stdout.Len() > 0 {
				t.Errorf("exit code %d, want %d; stdout %q; stderr (-want +got)\n%s", code, row.code, stdout.String(), diff)
			}
		})
	}
}

// What "make local" tells people to use is what it serves.
func TestLocalSettingsPointToWhatIsServed(t *testing.T) {
	t.Parallel()
	for _, f := range stack.Functions() {
		s, err := stack.LocalSettings("../..", f)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"AMPERITY_BASE_URL":  fmt.Sprintf("http://host.docker.internal:%d/api", defaults.simulator),
			"AWS_ENDPOINT_URL":   fmt.Sprintf("http://host.docker.internal:%d", defaults.moto),
			"AMPERITY_SECRET_ID": stack.SecretID,
			"LEDGER_TABLE":       stack.Table,
		}
		for name, value := range want {
			if s[name] != value {
				t.Errorf("%s: %s is %q, want %q", f.LogicalID, name, s[name], value)
			}
		}
		if !regexp.MustCompile(`\s` + f.LogicalID + `\b`).MatchString(serving(defaults, "events/env.json")) {
			t.Errorf("nothing is said of %s", f.LogicalID)
		}
	}
}
