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

List what waits for you, and answer it, through the stack's trigger
function. "list" shows each with the commands that answer it.

  release   start the run now. A window whose files are missing starts with the
            files that came. A rejected run can be released too, once the cause
            is fixed: it is not in the list, but its event names the launch key
  adopt     record a run that exists already as this launch's run. Look on the
            Workflows page in Amperity
  discard   start nothing more for the files so far. A window whose files are
            missing then waits for all of them

  KEY              the launch key, as in the list and in the event
  --hold N         the hold number, as there. It increases each time that you are
                   asked, so that a repeated answer changes nothing
  --run ID         the run, as wf-20261122-24372-8U4y9s
  --reason TEXT    the reason, which the event repeats; at most 1,000 bytes
  --stack NAME     the deployed stack (default $AMPERITY_RUNS_STACK, else
                   amperity-runs); its output TriggerArn is called
  --function NAME  the trigger's name or ARN instead
  --json           print the trigger's answer unchanged

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
    to end it    amperity-runs held discard schedule/cg-123ABc4DE/-/2026-11-21T11:00:00Z --hold 1 --reason 'THE REASON'
  1 waits for you

Exit code 0 if the trigger answered, even if the run was rejected, or if nothing
was done because KEY no longer waits for an answer. 1 if KEY waits for another
number than N, or if the trigger could not be called, or failed.
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

// runHeld lists and answers what waits for the operator.
func runHeld(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return answerHeld(ctx, args, os.Getenv, connect, stdout, stderr)
}

func answerHeld(ctx context.Context, args []string, getenv func(string) string, to connector, stdout, stderr io.Writer) int {
	o, err := parseHeld(args, getenv)
	return act(ctx, "held", heldUsage, o, err, to, stdout, stderr)
}

// verbs splits the verb off the arguments. The error is misuse or flag.ErrHelp.
func verbs(args []string, known ...string) (verb string, rest []string, err error) {
	if len(args) == 0 {
		return "", nil, fmt.Errorf("no command: give one of %s", strings.Join(known, ", "))
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

// parseHeld parses verb, flags and argument. The error is misuse or
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

// fits checks the argument and the flags of the verb.
func (o *heldOptions) fits(keys []string) error {
	if o.verb == "list" {
		if len(keys) > 0 {
			return fmt.Errorf("unexpected argument %q: list takes flags only", keys[0])
		}
		return nil
	}
	if len(keys) == 0 {
		return errors.New("no launch key: give it, as \"amperity-runs held list\" and the event show it")
	}
	if len(keys) > 1 && o.reason != "" {
		return fmt.Errorf("unexpected argument %q: it takes one launch key; a reason and a key with blanks need quotes", keys[1])
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
		return errors.New("no hold number: give --hold N, as \"amperity-runs held list\" and the event show it")
	}
	if o.verb == "adopt" && !strings.HasPrefix(o.run, "wf-") {
		return errors.New("no run: give --run wf-…, from the list or from Amperity's Workflows page")
	}
	if o.verb == "discard" && strings.TrimSpace(o.reason) == "" {
		return errors.New("no reason: give --reason TEXT, which the event repeats")
	}
	return nil
}

// heldCommand is the input of the trigger; see package trigger.
type heldCommand struct {
	List       string `json:"list,omitempty"`
	Release    string `json:"release,omitempty"`
	Adopt      string `json:"adopt,omitempty"`
	Discard    string `json:"discard,omitempty"`
	RunID      string `json:"run_id,omitempty"`
	HoldNumber int    `json:"hold,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

func (o *heldOptions) command() heldCommand {
	c := heldCommand{HoldNumber: o.hold, RunID: o.run, Reason: o.reason}
	switch o.verb {
	case "list":
		c.List = "held"
	case "release":
		c.Release = o.key
	case "adopt":
		c.Adopt = o.key
	case "discard":
		c.Discard = o.key
	}
	return c
}

// do calls the trigger and prints its answer.
func (o *heldOptions) do(ctx context.Context, c *cloud, out io.Writer) error {
	function, err := o.trigger(ctx, c)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(o.command())
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

// printResult prints the result of a command.
func (o *heldOptions) printResult(out io.Writer, answer []byte) error {
	var res record.Result
	if err := json.Unmarshal(answer, &res); err != nil || res.Outcome == "" {
		return o.foreign(answer)
	}
	var wrong error
	if o.wrongNumber(res) {
		wrong = fmt.Errorf("%s: it waits for --hold %d, not for %d: nothing was done; %s", o.key, res.HoldNumber, o.hold, present(res))
	}
	switch {
	case o.json:
		return errors.Join(raw(out, answer), wrong)
	case wrong != nil:
		return wrong
	}
	fmt.Fprintln(out, printable(o.key+": "+o.sentence(res)))
	return nil
}

// wrongNumber reports whether the launch or window still waits for an answer,
// to another hold number. The repeat of an answered command is not wrong.
func (o *heldOptions) wrongNumber(r record.Result) bool {
	waits := r.Outcome == record.Duplicate && r.Recorded == record.Held || r.Outcome == record.Waiting
	return waits && r.HoldNumber > 0 && r.HoldNumber != o.hold
}

// printList prints the list of what waits for the operator.
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
	case len(list.Held) == 0 && list.More:
		fmt.Fprintln(out, "nothing was found that waits for you, but there was no time to look at all: list again once the launches that are blocked have started")
	case len(list.Held) == 0:
		fmt.Fprintln(out, "nothing waits for you")
	case list.More:
		fmt.Fprintf(out, "%s for you, and others that are not listed: answer these, then list again\n", waits(len(list.Held)))
	default:
		fmt.Fprintf(out, "%s for you\n", waits(len(list.Held)))
	}
	return nil
}

func waits(n int) string {
	if n == 1 {
		return "1 waits"
	}
	return fmt.Sprintf("%d wait", n)
}

// foreign returns the error for an answer that is not one of this version's
// trigger.
func (o *heldOptions) foreign(answer []byte) error {
	return fmt.Errorf("the answer is not one of this version's trigger: %s; is it the trigger, and deployed from this version?", excerpt(string(answer)))
}

// raw prints JSON unchanged.
func raw(out io.Writer, answer []byte) error {
	_, err := fmt.Fprintf(out, "%s\n", answer)
	return err
}
