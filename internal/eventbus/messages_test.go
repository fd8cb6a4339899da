package eventbus_test

import (
	"testing"

	"github.com/amperity-runs/amperity-runs/internal/announcement"
	"github.com/amperity-runs/amperity-runs/internal/eventbus"
)

func TestErrorNamesEveryFailure(t *testing.T) {
	t.Parallel()
	err := &eventbus.Error{
		Bus:   "runs",
		Total: 4,
		Failed: []eventbus.Failure{
			{Type: announcement.RunHeld, LaunchKey: "manual/og-1/x", Code: "InternalFailure", Message: "try again"},
			{Type: announcement.FilesUnrouted, ID: "0123", Code: eventbus.CodeNoAnswer, Message: "EOF"},
		},
	}
	check(t, "message", "event bus runs: 2 of 4 announcements not confirmed: Amperity Workflow Run Held of manual/og-1/x: InternalFailure: try again; Amperity Files Unrouted of 0123: NoAnswer: EOF", err.Error())
}
