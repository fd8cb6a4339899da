package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/schedule"
)

// began and known are the answers to a start, and to its repeat.
func began(key string) string { return `{"outcome":"started","launch_key":"` + key + `","run":true}` }

func known(key string) string {
	return `{"outcome":"duplicate","recorded":"started","launch_key":"` + key + `","run":true}`
}

// oneWindow is the answer to one file by itself.
func oneWindow(configID, period, rest string) string {
	return `{"arrivals":1,"ignored":0,"windows":[{"config_id":"` + configID + `","period":"` + period + `",` + rest + `}],"unrouted":[]}`
}

const (
	dailyKey  = "schedule/cg-123ABc4DE/" + dailySchedule + "/2035-11-23T11:00:00Z"
	hourlyKey = "schedule/cg-456DEf7GH/" + hourlySchedule + "/2035-11-23T11:05:00Z"
	weeklyKey = "schedule/og-234BCd5EF/" + weeklyRule + "/2035-11-26T14:30:00Z"
	oldKey    = "schedule/cg-123ABc4DE/" + dailySchedule + "/2026-01-05T11:00:00Z"
	manualKey = "manual/cg-123ABc4DE/backfill-2026-11-22"
	winterKey = "manual/cc-345CDe6FG/winter-sale-2026"
	salesKey  = "arrival/cg-789GHi0JK/2026-11-22/1"
	hour5Key  = "arrival/cg-456DEf7GH/2026-11-22T05:00:00Z/1"
	hour6Key  = "arrival/cg-456DEf7GH/2026-11-22T06:00:00Z/1"
	todayKey  = "arrival/cg-123ABc4DE/TODAY/1"
)

// sample is what a file of events/ must lead to. In the answers, every run,
// error and warning is written as true, and REQUEST is the request id; TODAY
// and TOMORROW are days in New York, because files without a date count for
// the day on which they come.
type sample struct {
	// answer is that to the event if kept is empty. runs are started, those of
	// windows by the sweep, and published is announced.
	answer    string
	runs      []run
	published []event
	// kept is the answer to the event, and again that to the same event once all
	// is done. waits counts the windows.
	kept, again string
	waits       int
	// repeats: what comes of the second event because
	// nothing tells that it is the same.
	repeats bool
}

var samples = map[string]sample{
	"trigger-schedule.json": {
		answer:    began(dailyKey),
		runs:      []run{{"cg-123ABc4DE", "2035-11-22", "2035-11-23", "full"}},
		published: []event{{started, dailyKey, "", dailySchedule}},
		again:     known(dailyKey),
	},
	"trigger-schedule-hours.json": {
		answer:    began(hourlyKey),
		runs:      []run{{"cg-456DEf7GH", "2035-11-23T09:00:00Z", "2035-11-23T11:00:00Z", "source"}},
		published: []event{{started, hourlyKey, "", hourlySchedule}},
		again:     known(hourlyKey),
	},
	"trigger-rule.json": {
		answer:    began(weeklyKey),
		runs:      []run{{"og-234BCd5EF", "", "", ""}},
		published: []event{{started, weeklyKey, "", weeklyRule}},
		again:     known(weeklyKey),
	},
	"trigger-manual.json": {
		answer:    began(manualKey),
		runs:      []run{{"cg-123ABc4DE", "2026-11-22", "2026-11-23", "full"}},
		published: []event{{started, manualKey, "", ""}},
		again:     known(manualKey),
	},
	"trigger-campaign.json": {
		answer:    began(winterKey),
		runs:      []run{{"cc-345CDe6FG", "", "", ""}},
		published: []event{{started, winterKey, "", ""}},
		again:     known(winterKey),
	},
	"trigger-unnamed.json": {
		answer:    `{"outcome":"started","launch_key":"manual/og-234BCd5EF/REQUEST","run":true,"warning":true}`,
		runs:      []run{{"og-234BCd5EF", "", "", ""}},
		published: []event{{started, "manual/og-234BCd5EF/REQUEST", "", ""}},
		repeats:   true,
	},
	"trigger-too-old.json": {
		answer:    `{"outcome":"held","reason":"too_old","launch_key":"` + oldKey + `","error":true}`,
		published: []event{{held, oldKey, "too_old", dailySchedule}},
		kept:      `{"outcome":"held","reason":"too_old","launch_key":"` + oldKey + `","error":true,"hold":1}`,
		again:     `{"outcome":"duplicate","recorded":"held","reason":"too_old","launch_key":"` + oldKey + `","error":true,"hold":1}`,
	},
	"trigger-raw-rule.json": {
		answer:    `{"outcome":"rejected","reason":"invalid_input","error":true}`,
		published: []event{{rejected, "", "invalid_input", ""}},
		repeats:   true,
	},

	"s3arrival-sqs-eventbridge.json": {
		answer:    nothingAgain,
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, salesKey, "", landing + "orders/2026/11/22/orders_1 of 2.csv.gz"}},
		waits:     1,
	},
	"s3arrival-sqs-notification.json": {
		answer: nothingAgain,
		runs: []run{
			{"cg-456DEf7GH", "2026-11-22T05:00:00Z", "2026-11-22T06:00:00Z", ""},
			{"cg-456DEf7GH", "2026-11-22T06:00:00Z", "2026-11-22T07:00:00Z", ""},
		},
		published: []event{
			{started, hour5Key, "", landing + "clicks/2026/11/22/05/part-0001.json"},
			{started, hour6Key, "", landing + "clicks/2026/11/22/06/part-0001.json"},
		},
		waits: 2,
	},
	"s3arrival-sqs-sns.json": {
		answer:    nothingAgain,
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, salesKey, "", landing + "orders/2026/11/22/orders_été.csv.gz"}},
		waits:     1,
	},
	"s3arrival-sqs-one-malformed.json": {
		answer:    `{"batchItemFailures":[{"itemIdentifier":"059f36b4-87a3-44ab-83d2-661970005001"}]}`,
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, salesKey, "", landing + "orders/2026/11/22/orders_1.csv.gz"}},
		waits:     1,
	},
	"s3arrival-eventbridge.json": {
		answer:    oneWindow("cg-123ABc4DE", "TODAY", `"outcome":"started","launch_key":"`+todayKey+`","run":true`),
		runs:      []run{{"cg-123ABc4DE", "TODAY", "TOMORROW", ""}},
		published: []event{{started, todayKey, "", landing + "customers/export 2026+11.csv"}},
		kept:      oneWindow("cg-123ABc4DE", "TODAY", `"outcome":"waiting"`),
		again:     oneWindow("cg-123ABc4DE", "TODAY", `"outcome":"duplicate"`),
		waits:     1,
	},
	"s3arrival-notification.json": {
		answer:    oneWindow("cg-789GHi0JK", "2026-11-22", `"outcome":"started","launch_key":"`+salesKey+`","run":true`),
		runs:      []run{{"cg-789GHi0JK", "2026-11-22", "2026-11-23", "source"}},
		published: []event{{started, salesKey, "", landing + "orders/2026/11/22/orders_a+b c.csv.gz"}},
		kept:      oneWindow("cg-789GHi0JK", "2026-11-22", `"outcome":"waiting"`),
		again:     oneWindow("cg-789GHi0JK", "2026-11-22", `"outcome":"duplicate"`),
		waits:     1,
	},
	"s3arrival-sns.json": {
		answer:    oneWindow("cg-123ABc4DE", "TODAY", `"outcome":"started","launch_key":"`+todayKey+`","run":true`),
		runs:      []run{{"cg-123ABc4DE", "TODAY", "TOMORROW", ""}},
		published: []event{{started, todayKey, "", landing + "customers/new customers.csv"}},
		kept:      oneWindow("cg-123ABc4DE", "TODAY", `"outcome":"waiting"`),
		again:     oneWindow("cg-123ABc4DE", "TODAY", `"outcome":"duplicate"`),
		waits:     1,
	},
	"s3arrival-test-event.json": {answer: `{"arrivals":0,"ignored":1,"windows":[],"unrouted":[]}`},
	"s3arrival-removed.json":    {answer: `{"arrivals":0,"ignored":1,"windows":[],"unrouted":[]}`},
	"s3arrival-unrouted.json": {
		answer:    `{"arrivals":1,"ignored":0,"windows":[],"unrouted":["s3://acme-landing/unknown/2026/11/22/file.csv"]}`,
		published: []event{{unrouted, "", "", landing + "unknown/2026/11/22/file.csv"}},
	},

	"sweep.json": {answer: `{"done":0,"failed":0,"more":false}`},
}

// dated is the sample with the days filled in.
func (s sample) dated(t *testing.T) sample {
	t.Helper()
	zone, err := schedule.Zone("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(zone)
	days := strings.NewReplacer("TODAY", now.Format(time.DateOnly), "TOMORROW", now.AddDate(0, 0, 1).Format(time.DateOnly))
	s.answer, s.kept, s.again = days.Replace(s.answer), days.Replace(s.kept), days.Replace(s.again)
	s.runs, s.published = slices.Clone(s.runs), slices.Clone(s.published)
	for i, r := range s.runs {
		s.runs[i].From, s.runs[i].To = days.Replace(r.From), days.Replace(r.To)
	}
	for i, e := range s.published {
		s.published[i].LaunchKey = days.Replace(e.LaunchKey)
	}
	return s
}
