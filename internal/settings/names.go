package settings

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// Bounds, in bytes.
const (
	maxTenant = 63   // a tenant id is also a label of a host name
	maxPath   = 1024 // a longer path is not one of ours
	// maxService bounds the service of an ARN, because a message quotes it.
	maxService = 40
)

// Characters of names besides letters and digits.
const (
	tenantChars = "-_"
	bucketChars = "-._"
	tableChars  = "-._"
	// Secrets Manager API reference, CreateSecret, Name.
	secretChars = "/_+=.@-"
	// EventBridge API reference, CreateEventBus, Name.
	busChars = "/._-"
)

// tableName reports whether s is a valid name of a DynamoDB table.
func tableName(s string) bool { return len(s) >= 3 && len(s) <= 255 && made(s, tableChars) }

// made reports whether s consists of ASCII letters, digits and the characters
// in others.
func made(s, others string) bool {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(others, r)) {
			return false
		}
	}
	return true
}

// arn has the parts of an ARN, arn:partition:service:region:account:resource.
type arn struct{ service, region, account, resource string }

// parseARN parses an ARN. It returns false for anything else.
func parseARN(s string) (arn, bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || !strings.HasPrefix(p[1], "aws") || p[2] == "" || len(p[2]) > maxService || !made(p[2], "-") {
		return arn{}, false
	}
	return arn{service: p[2], region: p[3], account: p[4], resource: p[5]}, true
}

// complete reports whether the ARN has a valid region and account.
func (a arn) complete() bool {
	return a.region != "" && made(a.region, "-") && len(a.account) == 12 && strings.Trim(a.account, "0123456789") == ""
}

// baseURL lets the client check the address that it is going to use.
func (l *loader) baseURL() string {
	v := l.value(EnvBaseURL, DefaultBaseURL)
	_, err := amperity.New("checked-elsewhere", amperity.StaticTokenSource("none"), amperity.WithBaseURL(v))
	var config *amperity.ConfigError
	if errors.As(err, &config) {
		for _, p := range config.Problems {
			l.faultf(EnvBaseURL, "%s", p.Message)
		}
	}
	return strings.TrimRight(v, "/")
}

// secretID never shows the value, because users may put the token there by
// mistake.
func (l *loader) secretID() string {
	v := l.value(EnvSecretID, "")
	a, isARN := parseARN(v)
	name, isSecret := strings.CutPrefix(a.resource, "secret:")
	switch {
	case v == "":
		l.faultf(EnvSecretID, "is not set; give the name or ARN of the secret in Secrets Manager that holds the Amperity token")
	case isARN && a.service != "secretsmanager":
		l.faultf(EnvSecretID, "is an ARN of the service %q; give one of secretsmanager, or the secret's name", a.service)
	case isARN && !(isSecret && name != "" && made(name, secretChars) && a.complete()), !isARN && strings.HasPrefix(v, "arn:"):
		l.faultf(EnvSecretID, "is not a whole ARN of a secret; give arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, or the secret's name")
	case !isARN && looksLikeToken(v):
		l.faultf(EnvSecretID, "looks like a token; put the token into a secret in Secrets Manager and give the secret's name or ARN")
	case !isARN && (len(v) > 512 || !made(v, secretChars)):
		l.faultf(EnvSecretID, "is not a secret's name; give at most 512 letters, digits and characters of %s, or the secret's ARN", secretChars)
	}
	return v
}

// looksLikeToken reports whether s looks like a JWT: three parts, of which the
// first begins with the base64 of `{"`.
func looksLikeToken(s string) bool {
	return strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2
}

func (l *loader) eventBusName() string {
	v := l.value(EnvEventBusName, DefaultEventBusName)
	a, isARN := parseARN(v)
	name, isBus := strings.CutPrefix(a.resource, "event-bus/")
	switch {
	case isARN && a.service != "events":
		l.faultf(EnvEventBusName, "is an ARN of the service %q; give one of events, or the event bus's name", a.service)
	case isARN && !(isBus && name != "" && made(name, busChars) && a.complete()), !isARN && strings.HasPrefix(v, "arn:"):
		l.faultf(EnvEventBusName, "is not a whole ARN of an event bus; give arn:aws:events:REGION:ACCOUNT:event-bus/NAME, or the event bus's name")
	case !isARN && (len(v) > 256 || !made(v, busChars)):
		l.faultf(EnvEventBusName, "is not an event bus's name; give at most 256 letters, digits and characters of %s, or the event bus's ARN", busChars)
	}
	return v
}

func (l *loader) buckets() []string {
	v := l.value(EnvBuckets, "")
	if v == "" {
		return nil
	}
	names, faults := ParseBuckets(v)
	for _, f := range faults {
		l.faultf(EnvBuckets, "%s", f)
	}
	return names
}

// ParseBuckets reads a list of buckets in the form of BUCKETS. The faults state
// what is wrong with the list and what to write instead.
func ParseBuckets(list string) (names, faults []string) {
	faultf := func(format string, place int) { faults = append(faults, fmt.Sprintf(format, place)) }
	for i, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
			faultf("has no name in place %d; write the names of the buckets separated by single commas", i+1)
		case strings.ContainsAny(name, ":/"):
			faultf("has an address or ARN in place %d; give the bucket's name alone, for example acme-landing", i+1)
		case !bucketName(name):
			faultf("has something in place %d that is not a bucket's name; a name has 3 to 63 lowercase letters, digits, hyphens and dots", i+1)
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	return names, faults
}

// bucketName reports whether s is a valid name of an S3 bucket. Buckets created
// in us-east-1 before March 2018 may have up to 255 characters, capital letters
// and underscores. A name with capital letters or underscores counts as one of
// them.
//
// Source: Amazon S3 User Guide, "Bucket naming rules".
func bucketName(s string) bool {
	if len(s) < 3 || len(s) > 255 || !made(s, bucketChars) {
		return false
	}
	if s != strings.ToLower(s) || strings.Contains(s, "_") {
		return true
	}
	return len(s) <= 63 && made(s[:1], "") && made(s[len(s)-1:], "") &&
		!strings.Contains(s, "..") && net.ParseIP(s) == nil
}
