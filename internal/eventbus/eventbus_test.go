package eventbus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/eventbus"
)

// bus is an EventBridge in memory. It enforces the limits of a call as the
// real one does.
type bus struct {
	// answer decides on one entry of the nth call (from 1): an empty code
	// confirms it.
	answer func(call int, launchKey string) (code, message string)
	// fail decides on the nth call as a whole.
	fail func(call int, in *eventbridge.PutEventsInput) error
	// short leaves out the results of that many entries at the end.
	short int

	calls     [][]string // launch keys per call
	published []string   // launch keys in order of confirmation
	entries   []types.PutEventsRequestEntry
}

// key reads the launch key out of an entry's detail.
func key(e types.PutEventsRequestEntry) string {
	_, rest, _ := strings.Cut(*e.Detail, `"launch_key":"`)
	k, _, _ := strings.Cut(rest, `"`)
	return k
}

func (b *bus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	var keys []string
	size := 0
	for _, e := range in.Entries {
		keys = append(keys, key(e))
		size += len(*e.Source) + len(*e.DetailType) + len(*e.Detail)
		for _, r := range e.Resources {
			size += len(r)
		}
	}
	b.calls = append(b.calls, keys)
	call := len(b.calls)
	if len(in.Entries) > 10 {
		return nil, apiError("ValidationException", "Member must have length less than or equal to 10")
	}
	if size >= 256*1024 {
		return nil, apiError("ValidationException", "Total size of the entries in the request is over the limit.")
	}
	if b.fail != nil {
		if err := b.fail(call, in); err != nil {
			return nil, err
		}
	}
	out := &eventbridge.PutEventsOutput{}
	for i, e := range in.Entries {
		if i >= len(in.Entries)-b.short {
			break
		}
		code, message := "", ""
		if b.answer != nil {
			code, message = b.answer(call, keys[i])
		}
		if code == "" {
			b.published = append(b.published, keys[i])
			b.entries = append(b.entries, e)
			out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: aws.String(fmt.Sprint("event-", len(b.published)))})
			continue
		}
		out.FailedEntryCount++
		r := types.PutEventsResultEntry{ErrorCode: aws.String(code), ErrorMessage: aws.String(message)}
		if code == "nothing" {
			r = types.PutEventsResultEntry{}
		}
		out.Entries = append(out.Entries, r)
	}
	return out, nil
}

func apiError(code, message string) error {
	return &smithy.OperationError{ServiceID: "EventBridge", OperationName: "PutEvents", Err: &smithy.GenericAPIError{Code: code, Message: message}}
}

// started are n announcements with the launch keys k1, k2 and so on.
func started(n int) []announcement.Announcement {
	as := make([]announcement.Announcement, n)
	for i := range as {
		k := fmt.Sprintf("k%d", i+1)
		as[i] = announcement.Announcement{
			Type:      announcement.RunStarted,
			Resources: []string{"arn:aws:s3:::acme-landing/" + k},
			Detail:    announcement.Detail{ID: announcement.ID(announcement.RunStarted, k), LaunchKey: k, Tenant: "acme"},
		}
	}
	return as
}

// sleeper records the requested waits, and does not wait.
type sleeper struct {
	waits []time.Duration
	stop  int // the nth wait ends the context; 0: none
}

func (s *sleeper) sleep(ctx context.Context, d time.Duration) error {
	s.waits = append(s.waits, d)
	if len(s.waits) == s.stop {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func keys(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("k%d", i))
	}
	return out
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestEntryCarriesFieldsThatRulesMatch(t *testing.T) {
	t.Parallel()
	b := &bus{}
	p := eventbus.New(b, "arn:aws:events:us-east-1:123456789012:event-bus/runs", new(sleeper).sleep)
	if err := p.Announce(t.Context(), started(1)...); err != nil {
		t.Fatal(err)
	}
	e := b.entries[0]
	check(t, "bus", "arn:aws:events:us-east-1:123456789012:event-bus/runs", *e.EventBusName)
	check(t, "source", "amperity.workflow", *e.Source)
	check(t, "detail-type", "Amperity Workflow Run Started", *e.DetailType)
	check(t, "resources", []string{"arn:aws:s3:::acme-landing/k1"}, e.Resources)
	check(t, "detail", `{"version":"1","id":"`+announcement.ID(announcement.RunStarted, "k1")+`","launch_key":"k1","tenant":"acme"}`, *e.Detail)
	check(t, "time", (*time.Time)(nil), e.Time)
}

func TestFilesHavePartitionOfRegion(t *testing.T) {
	t.Parallel()
	const schedule = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/daily"
	for region, want := range map[string]string{
		"":                "arn:aws:s3:::acme-landing/k1",
		"us-east-1":       "arn:aws:s3:::acme-landing/k1",
		"eu-central-1":    "arn:aws:s3:::acme-landing/k1",
		"cn-northwest-1":  "arn:aws-cn:s3:::acme-landing/k1",
		"us-gov-west-1":   "arn:aws-us-gov:s3:::acme-landing/k1",
		"eusc-de-east-1":  "arn:aws-eusc:s3:::acme-landing/k1",
		"us-iso-east-1":   "arn:aws-iso:s3:::acme-landing/k1",
		"us-isob-east-1":  "arn:aws-iso-b:s3:::acme-landing/k1",
		"eu-isoe-west-1":  "arn:aws-iso-e:s3:::acme-landing/k1",
		"us-isof-south-1": "arn:aws-iso-f:s3:::acme-landing/k1",
	} {
		b := &bus{}
		p := eventbus.New(b, "default", new(sleeper).sleep)
		p.Partition = eventbus.Partition(region)
		as := started(1)
		as[0].Resources = append(as[0].Resources, schedule)
		if err := p.Announce(t.Context(), as...); err != nil {
			t.Fatal(err)
		}
		check(t, "resources in "+region, []string{want, schedule}, b.entries[0].Resources)
	}
}

func TestNoAnnouncementMakesNoCall(t *testing.T) {
	t.Parallel()
	b := &bus{}
	if err := eventbus.New(b, "default", new(sleeper).sleep).Announce(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, "calls", 0, len(b.calls))
}

func TestCallHasTenEntriesInOrder(t *testing.T) {
	t.Parallel()
	b := &bus{}
	if err := eventbus.New(b, "default", new(sleeper).sleep).Announce(t.Context(), started(23)...); err != nil {
		t.Fatal(err)
	}
	check(t, "calls", [][]string{keys(1, 10), keys(11, 20), keys(21, 23)}, b.calls)
	check(t, "published", keys(1, 23), b.published)
}

func TestCallStaysWithinSizeLimit(t *testing.T) {
	t.Parallel()
	as := started(12)
	for i := range as {
		files := make([]announcement.File, announcement.MaxFiles)
		for j := range files {
			files[j] = announcement.File{Bucket: "acme-landing", Key: strings.Repeat("k", 2000)}
		}
		as[i].Detail.Unrouted = &announcement.Unrouted{Count: len(files), Files: files}
	}
	b := &bus{}
	if err := eventbus.New(b, "default", new(sleeper).sleep).Announce(t.Context(), as...); err != nil {
		t.Fatal(err)
	}
	// 12 entries of about 41 KB: six fit into 256 KB.
	check(t, "calls", [][]string{keys(1, 6), keys(7, 12)}, b.calls)
}

func TestOnlyPassingFailuresAreRetried(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		code  string
		again bool
	}{
		{"InternalFailure", true},
		{"InternalException", true},
		{"ThrottlingException", true},
		{"ServiceUnavailable", true},
		{"nothing", true}, // neither id nor code
		{"AccessDeniedException", false},
		{"InvalidAccountIdException", false},
		{"InvalidArgument", false},
		{"MalformedDetail", false},
		{"RedactionFailure", false},
		{"NotAuthorizedForSourceException", false},
		{"NotAuthorizedForDetailTypeException", false},
		{"SomethingNew", false},
	} {
		t.Run(row.code, func(t *testing.T) {
			t.Parallel()
			b := &bus{answer: func(call int, k string) (string, string) {
				if call == 1 && k == "k2" {
					return row.code, "for once"
				}
				return "", ""
			}}
			s := &sleeper{}
			err := eventbus.New(b, "default", s.sleep).Announce(t.Context(), started(3)...)
			if !row.again {
				check(t, "calls", [][]string{keys(1, 3)}, b.calls)
				check(t, "waits", 0, len(s.waits))
				if err == nil {
					t.Error("the failure is not reported")
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
			check(t, "calls", [][]string{keys(1, 3), {"k2"}}, b.calls)
			check(t, "published", []string{"k1", "k3", "k2"}, b.published)
		})
	}
}

func TestDelaysDoubleAndEnd(t *testing.T) {
	t.Parallel()
	b := &bus{answer: func(int, string) (string, string) { return "ThrottlingException", "Rate exceeded" }}
	s := &sleeper{}
	err := eventbus.New(b, "default", s.sleep).Announce(t.Context(), started(1)...)
	check(t, "message", "event bus default: 1 of 1 announcements not confirmed: Amperity Workflow Run Started of k1: ThrottlingException: Rate exceeded", err.Error())
	check(t, "calls", 5, len(b.calls))
	check(t, "waits", 4, len(s.waits))
	for i, got := range s.waits {
		most := 100 * time.Millisecond << i
		if got < most/2 || got > most {
			t.Errorf("wait %d is %v, not between %v and %v", i+1, got, most/2, most)
		}
	}
}

func TestEndOfContextEndsRetries(t *testing.T) {
	t.Parallel()
	b := &bus{answer: func(int, string) (string, string) { return "InternalFailure", "" }}
	s := &sleeper{stop: 2}
	if err := eventbus.New(b, "default", s.sleep).Announce(t.Context(), started(1)...); err == nil {
		t.Error("no error")
	}
	check(t, "calls", 2, len(b.calls))
}

func TestErrorNamesEntriesNotSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := &bus{fail: func(int, *eventbridge.PutEventsInput) error { cancel(); return nil }}
	err := eventbus.New(b, "default", new(sleeper).sleep).Announce(ctx, started(12)...)
	var got *eventbus.Error
	if !errors.As(err, &got) || !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	check(t, "calls", [][]string{keys(1, 10)}, b.calls)
	var failed []int
	for _, f := range got.Failed {
		failed = append(failed, f.Index)
		check(t, "code", eventbus.CodeNotSent, f.Code)
	}
	check(t, "failed", []int{10, 11}, failed)
}

func TestErrorNamesEveryFailure(t *testing.T) {
	t.Parallel()
	b := &bus{answer: func(_ int, launchKey string) (string, string) {
		return map[string]string{"k2": "InternalFailure", "": "InvalidArgument"}[launchKey], "no"
	}}
	unrouted := announcement.Announcement{Type: announcement.FilesUnrouted, Detail: announcement.Detail{ID: "0123", Tenant: "acme"}}
	err := eventbus.New(b, "runs", new(sleeper).sleep).Announce(t.Context(), append(started(2), unrouted)...)
	const want = "event bus runs: 2 of 3 announcements not confirmed: Amperity Workflow Run Started of k2: InternalFailure: no; " +
		"Amperity Files Unrouted of 0123: InvalidArgument: no"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestFailedCallFailsOnlyItsEntries(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset by peer")
	for _, row := range []struct {
		promise, code, message string
		err                    error
	}{
		{"an error of EventBridge gives its code", "AccessDeniedException", "not authorized to perform events:PutEvents", apiError("AccessDeniedException", "not authorized to perform events:PutEvents")},
		{"the SDK's retries are not repeated", "ThrottlingException", "Rate exceeded", apiError("ThrottlingException", "Rate exceeded")},
		{"a broken connection is no answer", "NoAnswer", "connection reset by peer", broken},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := &bus{fail: func(call int, _ *eventbridge.PutEventsInput) error {
				if call == 1 {
					return row.err
				}
				return nil
			}}
			err := eventbus.New(b, "default", new(sleeper).sleep).Announce(t.Context(), started(12)...)
			var got *eventbus.Error
			if !errors.As(err, &got) || !errors.Is(err, row.err) {
				t.Fatalf("error is %v", err)
			}
			check(t, "calls", [][]string{keys(1, 10), keys(11, 12)}, b.calls)
			check(t, "published", keys(11, 12), b.published)
			check(t, "failures", 10, len(got.Failed))
			check(t, "total", 12, got.Total)
			check(t, "first failure", eventbus.Failure{
				Index: 0, Type: announcement.RunStarted, ID: announcement.ID(announcement.RunStarted, "k1"), LaunchKey: "k1",
				Code: row.code, Message: row.message,
			}, func() eventbus.Failure { f := got.Failed[0]; f.Err = nil; return f }())
		})
	}
}

func TestRefusedEntryFailsAlone(t *testing.T) {
	t.Parallel()
	b := &bus{fail: func(_ int, in *eventbridge.PutEventsInput) error {
		for _, e := range in.Entries {
			if key(e) == "k2" {
				return apiError("ValidationException", "Detail is malformed")
			}
		}
		return nil
	}}
	err := eventbus.New(b, "default", new(sleeper).sleep).Announce(t.Context(), started(3)...)
	check(t, "published", []string{"k1", "k3"}, b.published)
	check(t, "calls", [][]string{keys(1, 3), {"k1"}, {"k2"}, {"k3"}}, b.calls)
	check(t, "message", "event bus default: 1 of 3 announcements not confirmed: Amperity Workflow Run Started of k2: ValidationException: Detail is malformed", err.Error())
}

func TestMissingResultIsFailure(t *testing.T) {
	t.Parallel()
	b := &bus{short: 1}
	err := eventbus.New(b, "default", new(sleeper).sleep).Announce(t.Context(), started(2)...)
	check(t, "message", "event bus default: 1 of 2 announcements not confirmed: Amperity Workflow Run Started of k2: NoEventId: EventBridge gave neither an event id nor an error code", err.Error())
	check(t, "published", []string{"k1"}, b.published)
}

func TestLongMessageIsCut(t *testing.T) {
	t.Parallel()
	b := &bus{answer: func(int, string) (string, string) { return "InvalidArgument", strings.Repeat("ä", 600) }}
	err := eventbus.New(b, "default", new(sleeper).sleep).Announce(t.Context(), started(1)...)
	var got *eventbus.Error
	if !errors.As(err, &got) {
		t.Fatalf("error is %v", err)
	}
	check(t, "message", strings.Repeat("ä", 500)+"…", got.Failed[0].Message)
}
