package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/pkg/amperity/amperitytest"
	"github.com/amperity-runs/amperity-runs/test/stack"
)

// oldCommit is the version that the present one must work beside: the last
// before documents gained optional fields.
const oldCommit = "27c3704ea6496bc23b0190b1394ed26791754c2b"

// oldFunctions builds the functions of oldCommit once, outside of the tree.
var oldFunctions = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return stack.BuildCommit(context.Background(), root, oldCommit, filepath.Join(cache, "amperity-runs"))
})

// old is the folder of the functions of oldCommit. It fails the test if they
// cannot be built.
func old(t *testing.T) string {
	t.Helper()
	tools(t)
	dir, err := oldFunctions()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The stages of a block of inputs, each of which may have another version.
const (
	delivering  = iota // killed instances
	redelivered        // and the first sweep, which is killed
	sweeping
	ending // late files, and the last sweeps
)

// oldCandidates is how many runs a hold of oldCommit names at most: those of
// other config ids that lost their answers in the same minutes count.
const oldCandidates = 5

// mixedBlock is how many inputs share a ledger.
const mixedBlock = 24

// TestMixedVersions gives inputs to the functions of two versions, which share
// a ledger. Lambda deploys instance by instance, and a rollback comes at any
// time, so that each version finds what the other has left behind. Instances
// are killed, answers are lost, and files come late. No launch has two runs,
// and none is lost.
func TestMixedVersions(t *testing.T) {
	before, now := old(t), filepath.Join(root, "build")
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./test/e2e -run TestMixedVersions -crashes %d -crash-seed %d", *crashes, seed)
	versions := func(atFirst, then string) func(block, stage int) string {
		return func(block, stage int) string {
			if stage > block%3 {
				return then
			}
			return atFirst
		}
	}
	for i, row := range []struct {
		name string
		// version is the folder of the functions in a stage; empty: both, instance
		// by instance.
		version func(block, stage int) string
	}{
		{"old, then new", versions(before, now)},
		{"new, then old", versions(now, before)},
		{"old, new, and old again", func(block, stage int) string {
			if stage == 1+block%2 {
				return now
			}
			return before
		}},
		{"old and new at once", func(int, int) string { return "" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newCrashing(t, seed+uint64(i), mixedRoutes())
			c.most = oldCandidates
			for done := 0; done < *crashes; done += mixedBlock {
				c.anew(t)
				block := done / mixedBlock
				c.mixed(t, done, min(mixedBlock, *crashes-done), func(stage int) {
					c.build = func(int) string { return row.version(block, stage) }
					if row.version(block, stage) == "" {
						c.build = each(c.rng, before, now)
					}
				})
			}
		})
	}
}

// each gives three instances both versions, in any order and number.
func each(rng *rand.Rand, before, now string) func(instance int) string {
	var turn, third int
	return func(instance int) string {
		if instance == 0 {
			turn, third = rng.IntN(crashInstances), rng.IntN(2)
		}
		switch i := (instance + turn) % crashInstances; {
		case i == 0, i == 1 && third == 0:
			return before
		}
		return now
	}
}

// kinds are the inputs of a block, one after the other.
var kinds = []struct {
	files string // settle of its route; empty: a schedule's input
	mode  string
	late  bool // a file comes after the run
	loses bool // one in three loses the answer to its first request
}{
	{mode: "source"},
	{files: "0s", mode: "source", late: true},
	{mode: "full", loses: true},
	{files: "2m", mode: "full"},
	{mode: "source", loses: true},
	{files: "0s", mode: "full", loses: true},
	{mode: "full"},
	{files: "2m", mode: "source", late: true, loses: true},
}

// lostAnswers are the ways in which an answer is lost.
var lostAnswers = []amperitytest.Fault{
	{Kind: amperitytest.Reset, Applied: true},
	{Kind: amperitytest.Reset},
	{Kind: amperitytest.Status, Status: http.StatusGatewayTimeout, Applied: true},
	{Kind: amperitytest.Status, Status: http.StatusServiceUnavailable},
	{Kind: amperitytest.Truncate},
	{Kind: amperitytest.NotJSON, Applied: true},
}

func mixedRoutes() string {
	routes := ""
	for i := range mixedBlock {
		if k := kinds[i%len(kinds)]; k.files != "" {
			routes += fmt.Sprintf("  - {name: r%d, config_id: cg-%d, files: \"r%d/{yyyy}/{MM}/{dd}/*\", settle: %s, run_mode: %s}\n", i, i, i, k.files, k.mode)
		}
	}
	return routes
}

// mixed gives a block of inputs to the functions. enter says which stage
// begins.
func (c *crashing) mixed(t *testing.T, n, size int, enter func(stage int)) {
	enter(delivering)
	c.acquaint(t, n, size)
	var blows []blow
	for i := range size {
		k := kinds[i%len(kinds)]
		b := blow{function: "trigger", configID: fmt.Sprintf("cg-%d", i), from: time.Date(2024, 1, 1+n+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)}
		b.event = fmt.Appendf(nil, `{"config_id":%q,"range_from":%q,"run_mode":%q,"idempotency_key":"k%d"}`, b.configID, b.from, k.mode, n+i)
		b.key = fmt.Sprintf("manual/%s/k%d", b.configID, n+i)
		if k.files != "" {
			b.function, b.event = "s3arrival", arrived(t, i, b.from, "0.csv", "1.csv", "2.csv")
			b.key = fmt.Sprintf("arrival/%s/%s/1", b.configID, b.from)
		}
		b.late = k.late
		if k.loses && c.rng.IntN(3) == 0 {
			f := lostAnswers[c.rng.IntN(len(lostAnswers))]
			f.Method, f.PathSuffix, f.ConfigID = http.MethodPost, "/workflow/runs", b.configID
			c.fault(t, f)
		}
		blows = append(blows, b)
	}
	for _, function := range []string{"trigger", "s3arrival"} {
		for events := eventsOf(blows, function); len(events) > 0; events = events[min(len(events), crashInstances):] {
			some := events[:min(len(events), crashInstances)]
			c.killed(t, function, time.Duration(len(some))*eachKilled, some...)
		}
	}
	enter(redelivered)
	c.again(t, blows)
	c.sweepKilled(t, eachKilled)
	enter(sweeping)
	c.sweeps(t, 8)
	enter(ending)
	var late [][]byte
	for i := range blows {
		if b := &blows[i]; b.late {
			b.lateAt = time.Now()
			late = append(late, arrived(t, i, b.from, "late.csv"))
		}
	}
	c.whole(t, "s3arrival", late...)
	c.sweeps(t, 8)
	c.w.Simulator.ClearFaults()
	c.end(t, blows)
}

// TestOldFunctionsNeedTheHistory: a shallow clone has no old version to build.
// The test of mixed versions must fail there, and say what to do.
func TestOldFunctionsNeedTheHistory(t *testing.T) {
	tools(t)
	project, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "--quiet", "--depth", "1", "file://"+project, clone).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, err = stack.BuildCommit(t.Context(), clone, oldCommit, t.TempDir())
	want := "commit " + oldCommit + " is not in this clone, so its functions cannot be built: run git fetch --unshallow (git cat-file: exit status 128: "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s…", err, want)
	}
}

// TestAnOldVersionDropsNewFields: the functions read documents into structs, so
// that a field which they do not know is gone once they write the item again.
// docs/ledger.md lists what that costs.
func TestAnOldVersionDropsNewFields(t *testing.T) {
	w := world(t)
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	text := "version: 1\ntimezone: UTC\nroutes:\n" +
		"  - {name: r0, config_id: cg-0, files: \"r0/{yyyy}/{MM}/{dd}/*\", settle: 2m}\n" +
		"  - {name: r1, config_id: cg-1, files: \"r1/{yyyy}/{MM}/{dd}/*\", deadline: \"06:30 +1d\"}\n"
	if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	functions := map[string]*stack.Emulator{}
	for _, f := range stack.Functions() {
		f.Build = old(t)
		e, err := w.Emulate(t.Context(), root, f, map[string]string{"ROUTES_FILE": routes}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		functions[f.Name] = e
	}
	invoke := func(function string, event []byte) string {
		t.Helper()
		answer, err := functions[function].Invoke(t.Context(), event)
		if err != nil {
			t.Fatalf("%s: %v\n%s", function, err, functions[function].Log())
		}
		return string(answer)
	}
	start := func(configID, key string) func() {
		return func() {
			t.Helper()
			invoke("trigger", fmt.Appendf(nil, `{"config_id":%q,"idempotency_key":%q}`, configID, key))
		}
	}
	file := func(route int, name string) func() {
		return func() {
			t.Helper()
			invoke("s3arrival", arrived(t, route, "2026-11-22", name))
		}
	}
	sweep := func(after time.Duration, want string) func() {
		return func() {
			t.Helper()
			later(t, w, stack.Table, after)
			if answer := invoke("sweep", read(t, "events", "sweep.json")); answer != want {
				t.Errorf("the sweep answers %s, want %s", answer, want)
			}
		}
	}
	put := func(key, doc string) func() {
		return func() {
			t.Helper()
			err := w.Ledger(stack.Table).Put(t.Context(), "w", ledger.Item{Key: key, Due: time.Now(), Doc: []byte(doc)})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func() string { return "run/" + w.Simulator.Runs()[0].ID }
	for _, row := range []struct {
		name   string
		make   func()
		key    func() string
		again  func() // the old version meets the item
		writes int    // how often it writes it
		keeps  []string
	}{
		{"expected windows", sweep(0, `{"done":0,"failed":0,"more":false}`), named("expect/cg-1"), sweep(48*time.Hour, `{"done":1,"failed":0,"more":false}`), 1, nil},
		{"run", start("cg-9", "a"), run, start("cg-9", "a"), 0, []string{"attribute", "in looked", "of the document"}},
		{"config id", start("cg-8", "a"), named("config/cg-8"), start("cg-8", "b"), 2, nil},
		{"window", file(0, "a.csv"), named("window/cg-0/2026-11-22"), file(0, "b.csv"), 1, nil},
		{"unrouted files", file(7, "a.csv"), named("unrouted/acme-landing/r7"), file(7, "b.csv"), 1, nil},
		{"launch without an answer", func() {
			if err := w.Simulator.Fault(amperitytest.Fault{Method: http.MethodPost, Kind: amperitytest.Status, Status: http.StatusGatewayTimeout}); err != nil {
				t.Fatal(err)
			}
			start("cg-7", "a")()
		}, named("launch/manual/cg-7/a"), sweep(time.Minute, `{"done":1,"failed":0,"more":false}`), 1, nil},
		// It cannot tell what a new kind of item or a new format is, so it passes
		// over the item, and counts that. The document stays.
		{"an item of a new kind", put("control/amperity", `{"format":1}`), named("control/amperity"), sweep(0, `{"done":0,"failed":1,"more":false}`), 1, []string{"in looked", "of the document"}},
		{"a document of a new format", put("launch/manual/cg-6/a", `{"format":2,"key":"manual/cg-6/a"}`), named("launch/manual/cg-6/a"), sweep(0, `{"done":0,"failed":1,"more":false}`), 1, []string{"in looked", "of the document"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.make()
			key := row.key()
			before := addFields(t, w, key)
			row.again()
			version, keeps := newFields(t, w, key)
			if diff := cmp.Diff(row.keeps, keeps); diff != "" {
				t.Errorf("%s keeps (-want +got)\n%s", key, diff)
			}
			if version-before != row.writes {
				t.Errorf("%s was written %d times, want %d", key, version-before, row.writes)
			}
		})
	}
}

func named(key string) func() string { return func() string { return key } }

// itemOf reads an item as DynamoDB has it, and its document.
func itemOf(t *testing.T, w *stack.World, key string) (item map[string]types.AttributeValue, doc map[string]any, version int) {
	t.Helper()
	got, err := dynamodb.NewFromConfig(w.AWS()).GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(stack.Table), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil || got.Item == nil {
		t.Fatalf("%s: %v, %v", key, got, err)
	}
	if err := json.Unmarshal([]byte(got.Item["doc"].(*types.AttributeValueMemberS).Value), &doc); err != nil {
		t.Fatal(err)
	}
	version, err = strconv.Atoi(got.Item["v"].(*types.AttributeValueMemberN).Value)
	if err != nil {
		t.Fatal(err)
	}
	return got.Item, doc, version
}

// newField is the name of a field that no version knows.
const newField = "of_a_newer_version"

// addFields gives an item fields, as a newer version would, and returns its
// version.
func addFields(t *testing.T, w *stack.World, key string) int {
	t.Helper()
	item, doc, version := itemOf(t, w, key)
	doc[newField] = 1
	looked, _ := doc["looked"].(map[string]any)
	if looked == nil {
		looked = map[string]any{}
	}
	looked[newField] = 1
	doc["looked"] = looked
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	item["doc"] = &types.AttributeValueMemberS{Value: string(text)}
	item[newField] = &types.AttributeValueMemberS{Value: "1"}
	if _, err := dynamodb.NewFromConfig(w.AWS()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(stack.Table), Item: item}); err != nil {
		t.Fatal(err)
	}
	return version
}

// newFields says which of the fields are still there.
func newFields(t *testing.T, w *stack.World, key string) (version int, keeps []string) {
	t.Helper()
	item, doc, version := itemOf(t, w, key)
	if _, ok := item[newField]; ok {
		keeps = append(keeps, "attribute")
	}
	if looked, ok := doc["looked"].(map[string]any); ok && looked[newField] != nil {
		keeps = append(keeps, "in looked")
	}
	if _, ok := doc[newField]; ok {
		keeps = append(keeps, "of the document")
	}
	return version, keeps
}
