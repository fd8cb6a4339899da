package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	fortnight = 14 * 24 * 3600.0 // the longest that SQS keeps a message
)

// keeps checks that a dead-letter queue exists and keeps as long as SQS can.
func keeps(t *testing.T, made map[string]resource, hop string, arn any) {
	t.Helper()
	id := logicalID(arn)
	q := made[id]
	if q.Type != "AWS::SQS::Queue" {
		t.Errorf("%s: what fails goes to %v, which is no queue of the stack", hop, arn)
		return
	}
	if q.Properties["MessageRetentionPeriod"] != fortnight {
		t.Errorf("%s: %s keeps for %v seconds", hop, id, q.Properties["MessageRetentionPeriod"])
	}
}

// logicalID is the A of "${A.Arn}" and "${A}".
func logicalID(arn any) string {
	text, _ := arn.(string)
	id, _, _ := strings.Cut(strings.Trim(text, "${}"), ".")
	return id
}

// lets tells whether a resource policy lets a service do an action on a
// resource when source asks for it.
func lets(made map[string]resource, service, action, arn, source string) bool {
	for _, id := range ofType(made, "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy") {
		for _, s := range list(at(made[id].Properties, "PolicyDocument", "Statement")) {
			if at(s, "Principal", "Service") == service && at(s, "Action") == action && at(s, "Resource") == arn &&
				at(s, "Condition", "ArnEquals", "aws:SourceArn") == source {
				return true
			}
		}
	}
	return false
}

func TestEveryHopHasADeadLetterQueue(t *testing.T) {
	for name, made := range variants(t) {
		// Event bus -> target.
		for _, id := range ofType(made, "AWS::Events::Rule") {
			for _, target := range list(made[id].Properties["Targets"]) {
				dlq := at(target, "DeadLetterConfig", "Arn")
				keeps(t, made, name+": "+id, dlq)
				arn := at(target, "Arn").(string)
				action := "sqs:SendMessage"
				if made[logicalID(arn)].Type == "AWS::SNS::Topic" {
					action = "sns:Publish"
				}
				for a, to := range map[string]string{action: arn, "sqs:SendMessage": dlq.(string)} {
					if !lets(made, "events.amazonaws.com", a, to, "${"+id+".Arn}") {
						t.Errorf("%s: no policy lets %s do %s on %s", name, id, a, to)
					}
				}
			}
		}
		// Queue -> function.
		for _, id := range ofType(made, "AWS::Lambda::EventSourceMapping") {
			queue := made[logicalID(made[id].Properties["EventSourceArn"])]
			keeps(t, made, name+": "+id, at(queue.Properties, "RedrivePolicy", "deadLetterTargetArn"))
			// The last time must come well after an outage of the ledger of an hour,
			// and the queue must keep the event until then.
			n, _ := at(queue.Properties, "RedrivePolicy", "maxReceiveCount").(float64)
			shown, _ := queue.Properties["VisibilityTimeout"].(float64)
			kept, _ := queue.Properties["MessageRetentionPeriod"].(float64)
			if last := (n - 1) * shown; last < 75*60 || kept < 2*last {
				t.Errorf("%s: %s tries for the last time after %v s, and its queue keeps an event for %v s", name, id, last, kept)
			}
		}
		// Schedule -> function.
		for _, id := range ofType(made, "AWS::Scheduler::Schedule") {
			target := made[id].Properties["Target"]
			dlq := at(target, "DeadLetterConfig", "Arn")
			keeps(t, made, name+": "+id, dlq)
			// Scheduler does both with the role.
			can := may(made, logicalID(at(target, "RoleArn")))
			if !cmp.Equal([]any{at(target, "Arn")}, can["lambda:InvokeFunction"]) || !cmp.Equal([]any{dlq}, can["sqs:SendMessage"]) {
				t.Errorf("%s: the role of %s may do %v", name, id, can)
			}
		}
		// Asynchronous invocation of a function that no queue feeds.
		fed := feeds(made)
		caught := map[string]any{}
		for _, id := range ofType(made, "AWS::Lambda::EventInvokeConfig") {
			p := made[id].Properties
			caught[logicalID(p["FunctionName"])] = at(p, "DestinationConfig", "OnFailure", "Destination")
		}
		for _, id := range ofType(made, "AWS::Lambda::Function") {
			if len(fed[id]) == 0 {
				keeps(t, made, name+": "+id, caught[id])
				if !sends(made, id)[logicalID(caught[id])] {
					t.Errorf("%s: the role of %s may not send to %v", name, id, caught[id])
				}
			}
		}
	}
}

// feeds gives the queues that feed each function.
func feeds(made map[string]resource) map[string][]string {
	fed := map[string][]string{}
	for _, id := range ofType(made, "AWS::Lambda::EventSourceMapping") {
		p := made[id].Properties
		f := logicalID(p["FunctionName"])
		fed[f] = append(fed[f], logicalID(p["EventSourceArn"]))
	}
	return fed
}

// sends gives the queues that a function's role may send to.
func sends(made map[string]resource, function string) map[string]bool {
	to := map[string]bool{}
	for _, policy := range list(made[logicalID(made[function].Properties["Role"])].Properties["Policies"]) {
		for _, s := range list(at(policy, "PolicyDocument", "Statement")) {
			for _, a := range list(at(s, "Action")) {
				for _, r := range list(at(s, "Resource")) {
					if a == "sqs:SendMessage" {
						to[logicalID(r)] = true
					}
				}
			}
		}
	}
	return to
}

func TestNoFunctionFeedsItself(t *testing.T) {
	for name, made := range variants(t) {
		for _, id := range ofType(made, "AWS::Lambda::Function") {
			// Lambda stops a loop, unless it is told not to.
			if v := made[id].Properties["RecursiveLoop"]; v != nil && v != "Terminate" {
				t.Errorf("%s: %s has RecursiveLoop %v", name, id, v)
			}
			for _, queue := range feeds(made)[id] {
				if sends(made, id)[queue] {
					t.Errorf("%s: %s may send to %s, which feeds it", name, id, queue)
				}
			}
		}
		// What the functions publish starts nothing.
		for _, id := range ofType(made, "AWS::Events::Rule") {
			pattern := made[id].Properties["EventPattern"]
			for _, target := range list(made[id].Properties["Targets"]) {
				if made[logicalID(at(target, "Arn"))].Type != "AWS::SNS::Topic" && !cmp.Equal([]any{"aws.s3"}, at(pattern, "source")) {
					t.Errorf("%s: %s sends events of %v to %v", name, id, at(pattern, "source"), at(target, "Arn"))
				}
			}
		}
	}
}

func TestTheArrivalsQueueSuitsItsFunction(t *testing.T) {
	made := variants(t)["required parameters only"]
	for _, id := range ofType(made, "AWS::Lambda::EventSourceMapping") {
		p := made[id].Properties
		function, queue := made[logicalID(p["FunctionName"])], made[logicalID(p["EventSourceArn"])]
		window, _ := p["MaximumBatchingWindowInSeconds"].(float64)
		// Lambda Developer Guide, "Using Lambda with Amazon SQS".
		if least := 6*function.Properties["Timeout"].(float64) + window; queue.Properties["VisibilityTimeout"].(float64) < least {
			t.Errorf("%s: a message shows again after %v s, at least %v s are due", id, queue.Properties["VisibilityTimeout"], least)
		}
		if !cmp.Equal([]any{"ReportBatchItemFailures"}, p["FunctionResponseTypes"]) {
			t.Errorf("%s does not take single failures: %v", id, p["FunctionResponseTypes"])
		}
		if size, _ := p["BatchSize"].(float64); size > 10 && window < 1 {
			t.Errorf("%s: a batch of %v needs a window", id, size)
		}
		if n, _ := at(p, "ScalingConfig", "MaximumConcurrency").(float64); n < 2 || n > 2 {
			t.Errorf("%s: %v at a time; the pace of an instance is made for 2", id, n)
		}
		dlq := made[logicalID(at(queue.Properties, "RedrivePolicy", "deadLetterTargetArn"))]
		if queue.Properties["MessageRetentionPeriod"].(float64) >= dlq.Properties["MessageRetentionPeriod"].(float64) {
			t.Errorf("%s: a message's age goes on in the dead-letter queue, which keeps no longer than the queue", id)
		}
	}
	for _, id := range ofType(made, "AWS::SQS::Queue") {
		if made[id].Properties["SqsManagedSseEnabled"] != true {
			t.Errorf("%s is not encrypted", id)
		}
	}
}

func TestNotifications(t *testing.T) {
	if ids := ofType(variants(t)["required parameters only"], "AWS::SNS::Topic", "AWS::SNS::Subscription", "AWS::CloudWatch::Alarm"); len(ids) > 0 {
		t.Errorf("without NotificationEmail there are %v", ids)
	}
	made := variants(t)["everything on"]
	watched := map[string]bool{}
	for _, id := range ofType(made, "AWS::CloudWatch::Alarm") {
		p := made[id].Properties
		missing := "notBreaching"
		if id == "SweepMissingAlarm" {
			missing = "breaching"
		}
		if !cmp.Equal([]any{"${NotificationTopic}"}, p["AlarmActions"]) || p["AlarmDescription"] == nil || p["TreatMissingData"] != missing {
			t.Errorf("%s does not tell of what it sees", id)
		}
		for _, m := range watchedBy(made[id]) {
			watched[m.Name+" "+logicalID(m.Value)] = true
		}
	}
	for _, id := range ofType(made, "AWS::SQS::Queue") {
		// What stands in these has not to be given back, so only what comes is
		// of interest.
		metric := "ApproximateNumberOfMessagesVisible "
		if strings.HasPrefix(id, "Sweep") {
			metric = "NumberOfMessagesSent "
		}
		if made[id].Properties["RedrivePolicy"] == nil && !watched[metric+id] {
			t.Errorf("no alarm on %s", id)
		}
	}
	for _, id := range ofType(made, "AWS::Lambda::Function") {
		if !watched["Errors "+id] {
			t.Errorf("no alarm on the errors of %s", id)
		}
	}
	if topic := at(made["NotificationSubscription"].Properties, "TopicArn"); topic != "${NotificationTopic}" {
		t.Errorf("the address subscribes to %v", topic)
	}
	// Not Discarded: a person has done that.
	for id, types := range map[string]string{
		"NotificationRule":      `"Amperity Workflow Run Rejected","Amperity Workflow Run Blocked","Amperity Workflow Run Held","Amperity Files Missing"`,
		"FilesNotificationRule": `"Amperity Files Unrouted","Amperity Window Abandoned"`,
	} {
		want := `{"detail":{"tenant":["acme"]},"detail-type":[` + types + `],"source":["amperity.workflow"]}`
		got, err := json.Marshal(made[id].Properties["EventPattern"])
		if err != nil || string(got) != want {
			t.Errorf("mails are sent by %s for %s, %v", id, got, err)
		}
	}
}

// watchedMetric is a metric that an alarm watches. Name and Value are those of
// its first dimension.
type watchedMetric struct {
	Namespace, Name, Value string
	Dimensions             map[string]string
}

// watchedBy gives the metrics that an alarm watches.
func watchedBy(alarm resource) []watchedMetric {
	metrics := []any{alarm.Properties}
	if alarm.Properties["Metrics"] != nil {
		metrics = nil
		for _, m := range list(alarm.Properties["Metrics"]) {
			if metric := at(m, "MetricStat", "Metric"); metric != nil {
				metrics = append(metrics, metric)
			}
		}
	}
	var watched []watchedMetric
	for _, m := range metrics {
		w := watchedMetric{at(m, "Namespace").(string), at(m, "MetricName").(string), "", map[string]string{}}
		for i, d := range list(at(m, "Dimensions")) {
			value := at(d, "Value").(string)
			if i == 0 {
				w.Value = value
			}
			w.Dimensions[at(d, "Name").(string)] = value
		}
		watched = append(watched, w)
	}
	return watched
}
