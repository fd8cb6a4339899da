package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/amperity-runs/amperity-runs/internal/route"
	"github.com/amperity-runs/amperity-runs/internal/s3event"
	"github.com/amperity-runs/amperity-runs/internal/window"
)

const explainUsage = `Usage:
  amperity-runs explain s3://BUCKET/KEY [--at TIME] [--routes FILE] [--buckets A,B]
  amperity-runs explain --event FILE [--routes FILE] [--buckets A,B]

Explain what a file in S3 starts: its route, the date fields in its key, its
window, the range and the request, when it starts, and what a later file does. If
it starts nothing: the nearest route, and where the key does not match it.

An ARN as in events, arn:aws:s3:::BUCKET/KEY, names a file too.

  --at TIME       when the file arrives, such as 2026-11-22T05:00:00Z
                  (default now); used if the key has no date
  --event FILE    an event in a form that s3arrival receives: an SQS batch, an S3
                  notification, an EventBridge event or an SNS event
  --routes FILE   the routes file (default routes.yaml)
  --buckets A,B   the buckets whose events the stack receives (default any)

Keys are written as they are in S3, not encoded.

  $ amperity-runs explain s3://acme-landing/orders/2026/11/22/orders_1.csv.gz
  s3://acme-landing/orders/2026/11/22/orders_1.csv.gz
    route     sales (routes.yaml:40)
    files     orders/{yyyy}/{MM}/{dd}/orders_*.csv.gz
    fields    {yyyy}=2026 {MM}=11 {dd}=22
    window    day 2026-11-22, by the date in the key
    range     2026-11-22 to 2026-11-23
    request   POST /workflow/runs {"config_id":"cg-789GHi0JK","range_from":"2026-11-22","range_to":"2026-11-23","run_mode":"source"}
    starts    once no file of the window has come for 2m
    late      a later file starts it again (rerun)

Exit code 0 if the files are explained, even if they start nothing. 1 if the
routes file has errors, or a file or a part of the event is unreadable.
`

// maxEvent bounds an event file. Lambda accepts at most 6 MB (AWS Lambda
// quotas, Invocation payload).
const maxEvent = 6 << 20

// explainOptions are the command's flags and argument.
type explainOptions struct {
	bucket, key, event, routes string
	// at is when the file arrives. With an event it is the current time, as the
	// time of its receipt.
	at      time.Time
	options route.Options
}

// runExplain explains what files start.
func runExplain(_ context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseExplain(args, time.Now())
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, explainUsage)
		return 0
	}
	if err != nil {
		return misused(stderr, "explain", err)
	}
	if err := o.explain(stdout); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(stderr, "amperity-runs: explain: %s\n", line)
		}
		return 1
	}
	return 0
}

// parseExplain parses the flags and the argument. The error is misuse or
// flag.ErrHelp.
func parseExplain(args []string, now time.Time) (*explainOptions, error) {
	o := &explainOptions{at: now}
	fs := flag.NewFlagSet("explain", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	atGiven := false
	fs.Func("at", "", func(s string) (err error) {
		atGiven = true
		if o.at, err = time.Parse(time.RFC3339, s); err != nil {
			return errors.New("write a time such as 2026-11-22T05:00:00Z or 2026-11-22T00:00:00-05:00")
		}
		return nil
	})
	fs.StringVar(&o.event, "event", "", "")
	fs.StringVar(&o.routes, "routes", "routes.yaml", "")
	fs.Func("buckets", "", bucketList(&o.options))
	files, err := parseFlags(fs, args)
	if err != nil {
		return nil, err
	}
	switch {
	case o.event != "" && (len(files) > 0 || atGiven):
		return nil, errors.New("--event says which files and when; leave out s3://… and --at")
	case o.event != "":
		return o, nil
	case len(files) == 0:
		return nil, errors.New("no file: give s3://BUCKET/KEY, or --event FILE")
	case len(files) > 1:
		return nil, fmt.Errorf("unexpected argument %q: it takes one file; a key with blanks needs quotes", files[1])
	}
	name, ok := strings.CutPrefix(files[0], "s3://")
	if arn := strings.SplitN(files[0], ":", 6); len(arn) == 6 && arn[0] == "arn" && arn[2] == "s3" && arn[3]+arn[4] == "" {
		name, ok = arn[5], true
	}
	if o.bucket, o.key, _ = strings.Cut(name, "/"); !ok || o.bucket == "" || o.key == "" {
		return nil, fmt.Errorf("%q is not a file in S3; write s3://BUCKET/KEY", files[0])
	}
	return o, nil
}

// explain prints the explanation. It returns an error if something could not be
// read.
func (o *explainOptions) explain(out io.Writer) error {
	src, err := readRoutes(o.routes, "give the routes file with --routes FILE")
	if err != nil {
		return err
	}
	routes, _, err := route.Parse(o.routes, src, o.options)
	var faulty *route.RoutesError
	if errors.As(err, &faulty) {
		var lines []error
		for _, f := range faulty.Faults {
			lines = append(lines, errors.New(f.String()))
		}
		return errors.Join(lines...)
	}
	if err != nil {
		return err
	}
	if o.event == "" {
		o.file(out, routes, s3event.Arrival{Bucket: o.bucket, Key: o.key, EventTime: o.at})
		return nil
	}
	payload, err := readBounded(o.event, maxEvent)
	if err != nil {
		return err
	}
	if len(payload) > maxEvent {
		return fmt.Errorf("%s: has more than %d bytes, which is more than Lambda accepts", o.event, maxEvent)
	}
	batch, err := s3event.Decode(payload)
	if err != nil {
		return fmt.Errorf("%s: %w", o.event, err)
	}
	var unreadable []error
	ignored := 0
	for _, m := range batch.Messages {
		for _, a := range m.Arrivals {
			o.file(out, routes, a)
		}
		ignored += m.Ignored
		if m.Err != nil {
			unreadable = append(unreadable, fmt.Errorf("%s: %w; it would be delivered again, and nothing of it started", o.event, m.Err))
		}
	}
	if ignored > 0 {
		fmt.Fprintf(out, "ignored: %s not about a created object\n", counted(ignored, "event"))
	}
	return errors.Join(unreadable...)
}

// file explains one arrival.
func (o *explainOptions) file(out io.Writer, routes *route.Routes, a s3event.Arrival) {
	fmt.Fprintf(out, "%s\n", printable("s3://"+a.Bucket+"/"+a.Key))
	e := routes.Explain(a, o.at)
	switch {
	case e.Ignored && e.IgnoredBy == "" && !strings.HasSuffix(a.Key, "/"):
		line(out, "ignored", "it is empty and its key ends in _$folder$: Hadoop's folder marker, not a file of yours")
	case e.Ignored && e.IgnoredBy == "":
		line(out, "ignored", "its key ends in /: a folder marker, not a file of yours")
	case e.Ignored:
		line(out, "ignored", fmt.Sprintf("by %q under \"ignore\"", e.IgnoredBy))
	}
	for i, m := range e.Matches {
		if i > 0 {
			fmt.Fprintln(out)
		}
		o.match(out, m)
	}
	if e.Unrouted != "" {
		line(out, "unrouted", e.Unrouted)
	}
	if n := e.Nearest; n != nil {
		line(out, "nearest", fmt.Sprintf("%s (%s:%d)", n.Route.Name, o.routes, n.Route.Line()))
		line(out, "files", n.Pattern)
		if n.At < 0 {
			line(out, "fails", n.Reason)
			return
		}
		fmt.Fprintf(out, "  fails at\n")
		printCaret(out, "    ", a.Key, utf8.RuneCountInString(a.Key[:n.At]), n.Reason)
	}
}

// match explains one route that an arrival matches.
func (o *explainOptions) match(out io.Writer, m route.MatchExplanation) {
	line(out, "route", fmt.Sprintf("%s (%s:%d)", m.Route.Name, o.routes, m.Route.Line()))
	line(out, "files", m.Pattern)
	if m.Fields != "" {
		line(out, "fields", m.Fields)
	}
	line(out, "window", m.Window)
	if m.Period.Implausible() {
		line(out, "starts", "nothing: a release starts nothing either")
		return
	}
	r := m.Request()
	if r.RangeFrom != "" {
		line(out, "range", r.RangeFrom+" to "+r.RangeTo)
	} else {
		line(out, "range", "none: only courier groups (cg-…) take one")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		panic(err) // four strings
	}
	line(out, "request", "POST /workflow/runs "+strings.TrimSpace(b.String()))
	line(out, "starts", starts(m.Route))
	line(out, "late", map[window.Late]string{
		window.Rerun:  "a later file starts it again (rerun)",
		window.Hold:   "a later file is held for you (hold)",
		window.Ignore: "a later file is ignored (ignore)",
	}[m.Route.Late])
	if d, ok := m.Route.DeadlineOf(m.Period); ok {
		text := d.In(m.Route.Zone).Format("2006-01-02 15:04 -07:00") + ": if files are missing then, that is announced"
		if m.Route.Deadline.Run {
			text += ", and it starts with what is there"
		}
		line(out, "deadline", text)
	} else if m.Route.Deadline != nil {
		line(out, "deadline", "none: its days or its exceptions leave this date out")
	}
}

// starts describes when a window starts its run.
func starts(r *route.Route) string {
	var needs []string
	for _, f := range r.Files {
		switch {
		case f.Optional:
		case f.Count > 1:
			needs = append(needs, fmt.Sprintf("%d files for %s", f.Count, f.Pattern))
		case len(r.Files) > 1:
			needs = append(needs, "a file for "+f.Pattern)
		}
	}
	quiet := "no file of the window has come for " + short(r.Settle)
	if most := r.Longest(); r.Settle > most {
		quiet += ", or " + short(most) + " after the first"
	}
	switch {
	case len(needs) == 0 && r.Settle == 0:
		return "within seconds"
	case len(needs) == 0:
		return "once " + quiet
	case r.Settle == 0:
		return "once there is " + strings.Join(needs, ", and ")
	}
	return "once there is " + strings.Join(needs, ", and ") + ", and " + quiet
}

// short formats a duration without the parts that are zero.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func line(out io.Writer, name, text string) {
	fmt.Fprintf(out, "  %-9s %s\n", name, printable(text))
}
