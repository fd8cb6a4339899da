// Package settings reads a function's settings from its environment.
//
// [Load] checks all variables at the start, and its error names every wrong
// one. No error shows a value that could be a secret.
package settings

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// The names of the environment variables.
const (
	EnvTenant       = "AMPERITY_TENANT"
	EnvBaseURL      = "AMPERITY_BASE_URL"
	EnvSecretID     = "AMPERITY_SECRET_ID" // #nosec G101 -- the name of a variable
	EnvEventBusName = "EVENT_BUS_NAME"
	EnvLedgerTable  = "LEDGER_TABLE"
	EnvRoutesFile   = "ROUTES_FILE"
	EnvBuckets      = "BUCKETS"
	EnvPaused       = "PAUSED"
	EnvLogLevel     = "LOG_LEVEL"
)

// Defaults of variables that are not set or empty.
const (
	DefaultBaseURL      = amperity.DefaultBaseURL
	DefaultEventBusName = "default"
	DefaultRoutesFile   = "routes.yaml"
	DefaultLogLevel     = slog.LevelInfo
)

// Settings are a function's checked settings. An empty variable counts as not
// set.
type Settings struct {
	// Tenant is AMPERITY_TENANT: the Amperity tenant id, sent in the
	// amperity-tenant header. A sandbox has its own. Required.
	Tenant string

	// BaseURL is AMPERITY_BASE_URL: the address of the API up to and including
	// "/api", without a trailing slash. It must be https, except for this
	// machine (localhost, 127.0.0.0/8, [::1]) and host.docker.internal. Default
	// DefaultBaseURL.
	BaseURL string

	// SecretID is AMPERITY_SECRET_ID: the name or ARN of the secret in Secrets
	// Manager that holds the token. Required.
	SecretID string

	// EventBusName is EVENT_BUS_NAME: the name or ARN of the event bus for the
	// published events. Default DefaultEventBusName.
	EventBusName string

	// LedgerTable is LEDGER_TABLE: the name or ARN of the DynamoDB table that
	// remembers windows and launches. Required.
	LedgerTable string

	// RoutesFile is ROUTES_FILE: the path of the routes file. A relative path
	// starts at the folder of the function's binary. Default DefaultRoutesFile.
	RoutesFile string

	// Buckets is BUCKETS: the buckets whose events the stack receives,
	// separated by commas. The list has each bucket once. By default it is
	// empty, which means any bucket. A route must not name a bucket outside the
	// list.
	Buckets []string

	// Paused is PAUSED: true or false. True stops every request to Amperity
	// that starts a run. Default false.
	Paused bool

	// LogLevel is LOG_LEVEL: debug, info, warn or error, in upper or lower
	// case. Default DefaultLogLevel.
	LogLevel slog.Level
}

// Fault is one variable with an unusable value.
type Fault struct {
	// Variable is the environment variable's name.
	Variable string
	// Message states what is wrong and what to write instead.
	Message string
}

// Error lists every variable with an unusable value. The operator must change
// the function's environment.
type Error struct {
	// Faults are in the order of the fields of Settings; at least one.
	Faults []Fault
}

// Error returns the faults on one line, as it is in logs and in Lambda's
// errorMessage: "AMPERITY_TENANT: is not set; …; BUCKETS: …".
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Variable + ": " + f.Message
	}
	return strings.Join(lines, "; ")
}

// loader reads the variables and collects the faults.
type loader struct {
	getenv func(string) string
	faults []Fault
}

func (l *loader) faultf(variable, format string, args ...any) {
	l.faults = append(l.faults, Fault{variable, fmt.Sprintf(format, args...)})
}

// value returns a variable's value, or fallback if it is empty or not set.
func (l *loader) value(variable, fallback string) string {
	if v := l.getenv(variable); v != "" {
		return v
	}
	return fallback
}

// Load reads the settings through getenv (os.Getenv) and checks them. The
// error is an *[Error].
func Load(getenv func(string) string) (Settings, error) {
	l := &loader{getenv: getenv}
	s := Settings{
		Tenant:       l.tenant(),
		BaseURL:      l.baseURL(),
		SecretID:     l.secretID(),
		EventBusName: l.eventBusName(),
		LedgerTable:  l.ledgerTable(),
		RoutesFile:   l.routesFile(),
		Buckets:      l.buckets(),
		Paused:       l.paused(),
		LogLevel:     l.logLevel(),
	}
	if len(l.faults) > 0 {
		return Settings{}, &Error{l.faults}
	}
	return s, nil
}

// tenant checks the tenant id. The client's own check would show what was set,
// which may be a token.
func (l *loader) tenant() string {
	v := l.value(EnvTenant, "")
	switch {
	case v == "":
		l.faultf(EnvTenant, "is not set; give the Amperity tenant id, for example acme or acme-sb-12345")
	case strings.Contains(v, "://"), strings.Contains(v, ".amperity.com"):
		l.faultf(EnvTenant, "is an address; give the tenant id alone, for example acme of https://acme.amperity.com")
	case len(v) > maxTenant, !made(v, tenantChars), v[0] == '-', v[len(v)-1] == '-':
		l.faultf(EnvTenant, "is not a tenant id; give at most 63 letters, digits, hyphens and underscores, for example acme or acme-sb-12345")
	}
	return v
}

// ledgerTable reads the name or ARN of a table.
//
// Source: DynamoDB API reference, CreateTable, TableName.
func (l *loader) ledgerTable() string {
	v := l.value(EnvLedgerTable, "")
	a, isARN := parseARN(v)
	name, isTable := strings.CutPrefix(a.resource, "table/")
	switch {
	case v == "":
		l.faultf(EnvLedgerTable, "is not set; give the name or ARN of the stack's DynamoDB table")
	case v == "memory": // an earlier version's word for no ledger
		l.faultf(EnvLedgerTable, "is memory, which this version does not have; give the name or ARN of the stack's DynamoDB table, or run make local for one on this machine")
	case isARN && a.service != "dynamodb":
		l.faultf(EnvLedgerTable, "is an ARN of the service %q; give one of dynamodb, or the table's name", a.service)
	case isARN && !(isTable && tableName(name) && a.complete()), !isARN && strings.HasPrefix(v, "arn:"):
		l.faultf(EnvLedgerTable, "is not a whole ARN of a table; give arn:aws:dynamodb:REGION:ACCOUNT:table/NAME, or the table's name")
	case !isARN && !tableName(v):
		l.faultf(EnvLedgerTable, "is not a table's name; give 3 to 255 letters, digits and characters of %s, or the table's ARN", tableChars)
	}
	return v
}

func (l *loader) routesFile() string {
	v := l.value(EnvRoutesFile, DefaultRoutesFile)
	if strings.ContainsAny(v, "\x00\r\n") || strings.HasSuffix(v, "/") || len(v) > maxPath {
		l.faultf(EnvRoutesFile, "is not the path of a file; give one beside the function's binary, for example routes-sandbox.yaml, or leave it empty for %s", DefaultRoutesFile)
	}
	return v
}

func (l *loader) paused() bool {
	switch l.value(EnvPaused, "false") {
	case "true":
		return true
	case "false":
	default:
		l.faultf(EnvPaused, "is neither true nor false; give true to start nothing in Amperity, or leave it empty")
	}
	return false
}

func (l *loader) logLevel() slog.Level {
	v := strings.ToUpper(l.value(EnvLogLevel, DefaultLogLevel.String()))
	for _, level := range [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if v == level.String() {
			return level
		}
	}
	l.faultf(EnvLogLevel, "is not a log level; give debug, info, warn or error")
	return DefaultLogLevel
}
