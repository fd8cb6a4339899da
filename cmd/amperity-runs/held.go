package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/record"
	"github.com/amperity-runs/amperity-runs/internal/trigger"
)

const heldUsage = `Usage:
  amperity-runs held list [--json] [--stack NAME | --function NAME]
  amperity-runs held release KEY --hold N [--json] [--stack NAME | --function NAME]
  amperity-runs held adopt KEY --hold N --run ID [--json] [--stack …]
  amperity-runs held discard KEY --hold N --reason TEXT [--json] [--stack …]

List what waits for a person, and answer it, through the stack's trigger
function. "list" shows each with the commands that answer it.

  release   start the run now; for a window whose files are missing, with what
            is there. Also for a run that was rejected, once what Amperity named
            is mended: the rejected are not in the list, their event names them
  adopt     the run is there already: it is this launch's. Look on the Workflows
            page in Amperity
  discard   nothing more is started for what has come: a launch that is held,
            or a window whose files are missing, which then waits for all

  KEY              the launch key, as in the list and in the event
  --hold N         the number, as there. Each time that a person is asked it
                   counts up, so that an answer given twice does nothing twice
  --run ID         the run, as wf-20261122-24372-8U4y9s
  --reason TEXT    why, for whoever reads the event; at most 1,000 bytes
  --stack NAME     the deployed stack (default $AMPERITY_RUNS_STACK, else
                   amperity-runs); its output TriggerArn is called
  --function NAME  the trigger's name or ARN instead
  --json           print the trigger's answer as it came

Account, region and credentials are those of the shell, as for the AWS CLI. They
need cloudformation:DescribeStacks on the stack, unless --function is given, and
lambda:InvokeFunction on the trigger.

  $ amperity-runs held list
  schedule/cg-123ABc4DE/-/2026-11-21T11:00:00Z
    reason       too_old
    since        2026-11-22T11:04:30Z, 2 hours ago
    hold         1
    cause        schedule
    config id    cg-123ABc4DE
    range        2026-11-20 to 2026-11-21
    message      the run was wanted until 2026-11-22T11:00:00Z, and it is 2026-11-22T11:04:30Z
    to start it  amperity-runs held release schedule/cg-123ABc4DE/-/2026-11-21T11:00:00Z --hold 1
    to end it    amperity-runs held discard schedule/cg-123ABc4DE/-/2026-11-21T11:00:00Z --hold 1 --reason WHY
  1 waits for a person

Exit code 0 if the trigger answered, whatever it answered: also that the run was
rejected, or that nothing was done because KEY does not wait for an answer to
number N. 1 if it could not be called, or failed.
`

// heldOptions are the command's verb, argument and flags.
type heldOptions struct {
	verb        string
	key         string
	hold        int
	run, reason string
	json        bool
	deployed
}

// runHeld lists and answers what waits for a person.
func runHeld(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return answerHeld(ctx, args, os.Getenv, connect, stdout, stderr)
}

func answerHeld(ctx context.Context, args []string, getenv func(string) string, to connector, stdout, stderr io.Writer) int {
	o, err := parseHeld(args, getenv)
	return act(ctx, "held", heldUsage, o, err, to, stdout, stderr)
}

// verbs splits the verb off the arguments. An asked-for help, and none at all,
// come first.
func verbs(args []string, known ...string) (verb string, rest []string, err error) {
	if len(args) == 0 {
		return "", nil, fmt.Errorf("what is to be done? give one of %s", strings.Join(known, ", "))
	}
	for _, v := range known {
		if args[0] == v {
			return v, args[1:], nil
		}
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		return "", nil, flag.ErrHelp
	}
	return "", nil, fmt.Errorf("%q is none of %s", args[0], strings.Join(known, ", "))
}

// parseHeld reads verb, flags and argument. The error is misuse, or
// flag.ErrHelp.
func parseHeld(args []string, getenv func(string) string) (*heldOptions, error) {
	o := &heldOptions{}
	var err error
	if o.verb, args, err = verbs(args, "list", "release", "adopt", "discard"); err != nil {
		return nil, err
	}
	fs := flag.NewFlagSet(o.verb, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.BoolVar(&o.json, "json", false, "")
	o.stackFlag(fs, getenv)
	o.functionFlag(fs)
	if o.verb != "list" {
		fs.Func("hold", "", func(s string) (err error) {
			if o.hold, err = strconv.Atoi(s); err != nil {
				return errors.New("write the number, as 2")
			}
			return nil
		})
	}
	switch o.verb {
	case "adopt":
		fs.StringVar(&o.run, "run", "", "")
	case "discard":
		fs.StringVar(&o.reason, "reason", "", "")
	}
	keys, err := parseFlags(fs, args)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, o.fits(keys)
}

// fits checks what belongs to the verb.
func (o *heldOptions) fits(keys []string) error {
	if o.verb == "list" {
		if len(keys) > 0 {
			return fmt.Errorf("unexpected argument %q: list takes flags only", keys[0])
		}
		return nil
	}
	if len(keys) == 0 {
		return errors.New("which one? give the launch key, as \"amperity-runs held list\" and the event show it")
	}
	if len(keys) > 1 {
		return fmt.Errorf("unexpected argument %q: it takes one launch key; a key with blanks needs quotes", keys[1])
	}
	o.key = keys[0]
	kind, rest, _ := strings.Cut(o.key, "/")
	if kind != "schedule" && kind != "arrival" && kind != "manual" || rest == "" {
		return fmt.Errorf("%q is not a launch key: it begins with schedule/, arrival/ or manual/", o.key)
	}
	if o.hold < 1 {
		return errors.New("which number is answered? give --hold N, as \"amperity-runs held list\" and the event show it")
	}
	if o.verb == "adopt" && !strings.HasPrefix(o.run, "wf-") {
		return errors.New("which run? give --run wf-…, from the list or from Amperity's Workflows page")
	}
	if o.verb == "discard" && strings.TrimSpace(o.reason) == "" {
		return errors.New("why? give --reason TEXT, for whoever reads the event")
	}
	return nil
}

// word is what the trigger is told; see package trigger.
type word struct {
	List    string `json:"list,omitempty"`
	Release string `json:"release,omitempty"`
	Adopt   string `json:"adopt,omitempty"`
	Discard string `json:"discard,omitempty"`
	RunID   string `json:"run_id,omitempty"`
	Hold    int    `json:"hold,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (o *heldOptions) word() word {
	w := word{Hold: o.hold, RunID: o.run, Reason: o.reason}
	switch o.verb {
	case "list":
		w.List = "held"
	case "release":
		w.Release = o.key
	case "adopt":
		w.Adopt = o.key
	case "discard":
		w.Discard = o.key
	}
	return w
}

// do calls the trigger and prints its answer.
func (o *heldOptions) do(ctx context.Context, c *cloud, out io.Writer) error {
	function, err := o.trigger(ctx, c)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(o.word())
	if err != nil {
		return err
	}
	answer, err := c.call(ctx, function, payload)
	if err != nil {
		return err
	}
	if o.verb == "list" {
		return o.printList(out, answer, c.now())
	}
	return o.printResult(out, answer)
}

// printResult prints what a word has led to.
func (o *heldOptions) printResult(out io.Writer, answer []byte) error {
	var res record.Result
	if err := json.Unmarshal(answer, &res); err != nil || res.Outcome == "" {
		return o.foreign(answer)
	}
	if o.json {
		return raw(out, answer)
	}
	fmt.Fprintln(out, printable(o.key+": "+o.sentence(res)))
	return nil
}

// printList prints the list of what waits.
func (o *heldOptions) printList(out io.Writer, answer []byte, now time.Time) error {
	var list trigger.HeldList
	if err := json.Unmarshal(answer, &list); err != nil || list.Held == nil {
		return o.foreign(answer)
	}
	if o.json {
		return raw(out, answer)
	}
	for _, h := range list.Held {
		o.entry(out, h, now)
	}
	switch {
	case len(list.Held) == 0:
		fmt.Fprintln(out, "nothing waits for a person")
	case list.More:
		fmt.Fprintf(out, "%s for a person, and others that are not listed: answer these, then list again\n", waits(len(list.Held)))
	default:
		fmt.Fprintf(out, "%s for a person\n", waits(len(list.Held)))
	}
	return nil
}

func waits(n int) string {
	if n == 1 {
		return "1 waits"
	}
	return fmt.Sprintf("%d wait", n)
}

// foreign reports an answer that is none of the trigger's.
func (o *heldOptions) foreign(answer []byte) error {
	return fmt.Errorf("the answer is not one of this version's trigger: %s; is it the trigger, and deployed from this version?", excerpt(string(answer)))
}

// raw prints JSON as it came.
func raw(out io.Writer, answer []byte) error {
	_, err := fmt.Fprintf(out, "%s\n", answer)
	return err
}
