// Package imports holds the structure to its rules: what may not be imported
// where, each with the reason.
package imports

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/amperity-runs/amperity-runs"

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, patterns ...string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	pkgs := map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkgs[p.ImportPath] = p
	}
	return pkgs
}

const (
	awsSDK = "github.com/aws/aws-sdk-go-v2"
	// yamlParser is what reads a routes file.
	yamlParser = "github.com/goccy/go-yaml"
	parserWhy  = "held, intake, launch, runs, record: trigger links them, and would pay for the parser of routes at every cold start"
	pureWhy    = "it is pure: it must run, and be tested, without AWS"
	publicWhy  = "any Go program may use it, and most have no AWS"
	weightWhy  = "test code in a function costs cold start and memory"
	zonesWhy   = "internal/schedule embeds the time zones: time/tzdata would be a second copy, and yields to the machine's"
	toolWhy    = "the command line calls functions and reads stacks; a function that could would need the permission, and pay for the client at every cold start"
)

// rules say what a package must not depend on, itself or through others. A
// prefix counts.
var rules = []struct{ pkg, forbidden, why string }{
	{"pkg/amperity", "github.com/aws/", publicWhy},
	{"pkg/amperity", module + "/internal/", "a public package cannot lean on private ones"},
	{"pkg/amperity/amperitytest", "github.com/aws/", publicWhy},
	{"pkg/amperity/amperitytest", module + "/internal/", "a public package cannot lean on private ones"},
	{"pkg/amperity/amperitytest", "testing", "the simulator is a program too"},
	{"internal/schedule", awsSDK, pureWhy},
	{"internal/schedule", "net/http", pureWhy},
	{"internal/s3event", awsSDK, pureWhy},
	{"internal/s3event", module + "/internal/", "an envelope does not depend on what is done with its files"},
	{"internal/route", awsSDK, pureWhy},
	{"internal/route/pattern", yamlParser, "a pattern is a text; the file that it stands in is read by source"},
	{"internal/route/pattern", module + "/internal/record", "a pattern matches keys; what a match means is the route's"},
	{"internal/route/source", module + "/internal/route/pattern", "it reads any values; what they mean is the route's"},
	{"internal/route/source", module + "/internal/record", "it reads any values; what they mean is the route's"},
	{"internal/announcement", awsSDK, pureWhy},
	{"internal/window", awsSDK, pureWhy},
	{"internal/launch", awsSDK, "the launch is simulated step by step, over interfaces"},
	{"internal/launch", module + "/internal/route", parserWhy},
	{"internal/intake", module + "/internal/route", parserWhy},
	{"internal/held", module + "/internal/route", parserWhy},
	{"internal/unrouted", module + "/internal/route", parserWhy},
	{"internal/held", module + "/internal/ledger/dynamo", "an interface's consumer knows none of its implementations"},
	{"internal/ledger", awsSDK, "what a ledger is does not depend on which one it is"},
	{"internal/sweep", awsSDK, "handlers know AWS's event shapes alone"},
	{"internal/trigger", awsSDK, "handlers know AWS's event shapes alone"},
	{"internal/s3arrival", awsSDK, "handlers know AWS's event shapes alone"},
	{"internal/settings", awsSDK, "settings are checked before anything of AWS is made"},
	{"functions/trigger", "time/tzdata", zonesWhy},
	{"functions/s3arrival", "time/tzdata", zonesWhy},
	{"functions/sweep", "time/tzdata", zonesWhy},
	{"cmd/amperity-runs", "time/tzdata", zonesWhy},
	{"functions/trigger", "testing", weightWhy},
	{"functions/s3arrival", "testing", weightWhy},
	{"functions/sweep", "testing", weightWhy},
	{"functions/trigger", module + "/pkg/amperity/amperitytest", weightWhy},
	{"functions/s3arrival", module + "/pkg/amperity/amperitytest", weightWhy},
	{"functions/sweep", module + "/pkg/amperity/amperitytest", weightWhy},
	{"functions/trigger", module + "/internal/demo", weightWhy},
	{"functions/s3arrival", module + "/internal/demo", weightWhy},
	{"functions/sweep", module + "/internal/demo", weightWhy},
	{"functions/trigger", module + "/docs/events", "the schemas are for tests and readers"},
	{"functions/s3arrival", module + "/docs/events", "the schemas are for tests and readers"},
	{"functions/sweep", module + "/docs/events", "the schemas are for tests and readers"},
	{"functions/trigger", yamlParser, "trigger reads no routes: it would pay for the parser at every cold start"},
	{"functions/trigger", module + "/internal/route", "trigger reads no routes"},
	{"functions/trigger", "github.com/aws/aws-sdk-go-v2/service/sqs", "a function imports the clients that it uses"},
	{"functions/s3arrival", "github.com/aws/aws-sdk-go-v2/service/sqs", "a function imports the clients that it uses"},
	{"functions/trigger", awsSDK + "/service/lambda", toolWhy},
	{"functions/s3arrival", awsSDK + "/service/lambda", toolWhy},
	{"functions/sweep", awsSDK + "/service/lambda", toolWhy},
	{"functions/trigger", awsSDK + "/service/cloudformation", toolWhy},
	{"functions/s3arrival", awsSDK + "/service/cloudformation", toolWhy},
	{"functions/sweep", awsSDK + "/service/cloudformation", toolWhy},
	{"functions/sweep", awsSDK + "/service/sqs", "a function imports the clients that it uses"},
	{"functions/trigger", "github.com/aws/aws-sdk-go/", "version 1 of the SDK parses its endpoint tables at start"},
	{"functions/sweep", "github.com/aws/aws-sdk-go/", "version 1 of the SDK parses its endpoint tables at start"},
	{"functions/s3arrival", "github.com/aws/aws-sdk-go/", "version 1 of the SDK parses its endpoint tables at start"},
	{"cmd/amperity-runs", "testing", "it would add the test flags to the tool"},
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	pkgs := list(t, "./...")
	for _, r := range rules {
		p, ok := pkgs[module+"/"+r.pkg]
		if !ok {
			t.Errorf("%s is not there any more: take its rule out, or give it the new name", r.pkg)
			continue
		}
		for _, dep := range p.Deps {
			if dep == r.forbidden || strings.HasPrefix(dep, strings.TrimSuffix(r.forbidden, "/")+"/") {
				t.Errorf("%s must not import %s (through whatever): %s", r.pkg, dep, r.why)
			}
		}
	}
}

// layers are the packages of the project, the highest layer first. A package
// imports only packages of lower layers. So the ledger and the event bus know
// nothing of what uses them, and each step of a launch can be read without the
// steps above it.
var layers = []struct {
	why      string
	packages []string
}{
	{"whole products in one process", []string{"internal/demo"}},
	{"what builds the functions", []string{"internal/inprocess", "internal/wire"}},
	{"the handlers of the functions", []string{"internal/trigger", "internal/s3arrival", "internal/sweep"}},
	{"an operator's commands end in launches and windows", []string{"internal/held"}},
	{"files end in launches and in announcements", []string{"internal/intake", "internal/unrouted"}},
	{"a launch knows the window that it is for, and no file", []string{"internal/launch"}},
	{"Amperity, and what a user asks of it", []string{"internal/runs", "internal/route"}},
	{"the documents of the ledger", []string{"internal/record"}},
	{"what a document or a route is made of", []string{"internal/window", "internal/route/pattern", "internal/route/source", "internal/schedule"}},
	{"the edges", []string{"internal/eventbus", "internal/token", "internal/settings", "internal/ledger/dynamo", "internal/ledger/ledgertest"}},
	{"what all of these speak of", []string{"internal/announcement", "internal/ledger", "internal/s3event"}},
	{"what knows nothing of the project", []string{"internal/clock", "internal/golden", "internal/nearest", "internal/preconnect", "internal/telemetry", "internal/announcement/announcementtest"}},
	{"the simulator is made of the client's types", []string{"pkg/amperity/amperitytest"}},
	{"the public client", []string{"pkg/amperity", "pkg/amperity/amperitytest/conformance"}},
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	layer := map[string]int{}
	for i, l := range layers {
		for _, name := range l.packages {
			layer[module+"/"+name] = i
		}
	}
	pkgs := list(t, "./internal/...", "./pkg/...")
	for path, p := range pkgs {
		own, ok := layer[path]
		if !ok {
			t.Errorf("%s has no layer: add it to layers", path)
			continue
		}
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, module+"/") || strings.HasPrefix(imp, module+"/docs/") {
				continue
			}
			if other, ok := layer[imp]; !ok || other <= own {
				t.Errorf("%s imports %s, which is not below it (%s)", path, imp, layers[own].why)
			}
		}
	}
	for path := range layer {
		if _, ok := pkgs[path]; !ok {
			t.Errorf("%s no longer exists: remove it from layers", path)
		}
	}
}

// TestTimeZonesComeFromTheBinary: time.LoadLocation reads ZONEINFO and the
// machine's database first.
func TestTimeZonesComeFromTheBinary(t *testing.T) {
	t.Parallel()
	for _, top := range []string{"internal", "pkg", "cmd", "functions"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "LoadLocation" {
					t.Errorf("%s: LoadLocation: call schedule.Zone", set.Position(sel.Pos()))
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheClockIsPassedIn: only clock.System and main packages read the
// machine's clock, so that a test owns the time everywhere else. A public
// package may default to it if its caller sets no clock: cfg.Now = time.Now.
func TestTheClockIsPassedIn(t *testing.T) {
	t.Parallel()
	for _, top := range []string{"internal", "pkg"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if top == "pkg" && isDefaultClock(n) || path == "../../internal/clock/clock.go" && isSystemNow(n) {
					return false
				}
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Since" || sel.Sel.Name == "Until") {
					t.Errorf("%s: time.%s: take the clock as an argument", set.Position(sel.Pos()), sel.Sel.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// isDefaultClock reports whether a statement sets a field Now to time.Now.
func isDefaultClock(n ast.Node) bool {
	a, ok := n.(*ast.AssignStmt)
	if !ok || len(a.Lhs) != 1 || len(a.Rhs) != 1 {
		return false
	}
	to, ok := a.Lhs[0].(*ast.SelectorExpr)
	from, isSelector := a.Rhs[0].(*ast.SelectorExpr)
	if !ok || !isSelector || to.Sel.Name != "Now" || from.Sel.Name != "Now" {
		return false
	}
	pkg, ok := from.X.(*ast.Ident)
	return ok && pkg.Name == "time"
}

// isSystemNow reports whether a node is the method Now of clock.System.
func isSystemNow(n ast.Node) bool {
	f, ok := n.(*ast.FuncDecl)
	if !ok || f.Recv == nil || f.Name.Name != "Now" {
		return false
	}
	of, ok := f.Recv.List[0].Type.(*ast.Ident)
	return ok && of.Name == "System"
}
