package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// document is a CloudFormation template, as far as these tests look.
type document struct {
	Metadata map[string]struct {
		ParameterGroups []struct {
			Label      map[string]string
			Parameters []string
		}
		ParameterLabels map[string]map[string]string
	}
	Parameters map[string]parameter
	Conditions map[string]any
	Resources  map[string]resource
	Outputs    map[string]struct {
		Description string
		Value       any
	}
}

type parameter struct {
	Type                  string
	Default               *any
	Description           string
	AllowedPattern        string
	AllowedValues         []any
	MaxLength             *int
	ConstraintDescription string
}

type resource struct {
	Type                string
	Condition           string
	DeletionPolicy      string
	UpdateReplacePolicy string
	Properties          map[string]any
	Metadata            map[string]any
}

// files is what translate.py gives.
type files struct {
	Source, Translated document
	SamConfig          map[string]map[string]map[string]map[string]any
	raw                []byte // all of it
}

// once keeps what translate.py gives, for all tests.
var once struct {
	sync.Mutex
	files *files
}

// load gives the template, what it is translated to, and samconfig.toml.
func load(t *testing.T) *files {
	t.Helper()
	tools(t)
	once.Lock()
	defer once.Unlock()
	if once.files == nil {
		f := &files{raw: command(t, root, "python", "test/e2e/translate.py", "template.yaml", "samconfig.toml")}
		if err := json.Unmarshal(f.raw, f); err != nil {
			t.Fatal(err)
		}
		once.files = f
	}
	return once.files
}

// required are values of the parameters without default.
func required() map[string]any {
	return map[string]any{
		"AmperityTenant":    "acme",
		"AmperitySecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme/amperity-a1B2c3",
		"Buckets":           []any{"acme-landing", "acme-partners"},
	}
}

// everything switches on all that can be switched on.
func everything() map[string]any {
	p := required()
	maps.Copy(p, map[string]any{
		"KeyPrefix":              "inbound/",
		"SecretKmsKeyArn":        "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		"LedgerKmsKeyArn":        "arn:aws:kms:us-east-1:123456789012:key/5678abcd-12ab-34cd-56ef-1234567890ab",
		"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
		"NotificationEmail":      "data-team@example.com",
		"SampleSchedules":        "on",
		"EventBusName":           "arn:aws:events:us-east-1:123456789012:event-bus/acme",
		"ArrivalsBusName":        "landing",
		"LogRetentionDays":       30.0,
	})
	return p
}

// stackOf is the translated template with its parameters and conditions
// resolved: what CloudFormation would make. What only CloudFormation knows is
// written as "${TriggerRole.Arn}" or "${AWS::Region}".
func stackOf(t *testing.T, doc document, given map[string]any) map[string]resource {
	t.Helper()
	r := &resolver{doc: doc, values: given}
	made := map[string]resource{}
	for id, res := range doc.Resources {
		if res.Condition != "" && !r.condition(res.Condition) {
			continue
		}
		if res.Properties != nil {
			res.Properties = r.resolve(res.Properties).(map[string]any)
		}
		if res.Metadata != nil {
			res.Metadata = r.resolve(res.Metadata).(map[string]any)
		}
		made[id] = res
	}
	for _, e := range r.faults {
		t.Error(e)
	}
	return made
}

type resolver struct {
	doc    document
	values map[string]any
	faults []string
}

// absent stands for AWS::NoValue.
type absent struct{}

func (r *resolver) condition(name string) bool {
	c, ok := r.doc.Conditions[name]
	if !ok {
		r.faults = append(r.faults, fmt.Sprintf("no condition %s", name))
	}
	return r.truth(c)
}

func (r *resolver) truth(c any) bool {
	m, _ := c.(map[string]any)
	for f, arg := range m {
		args, _ := arg.([]any)
		switch f {
		case "Condition":
			return r.condition(arg.(string))
		case "Fn::Equals":
			return reflect.DeepEqual(r.resolve(args[0]), r.resolve(args[1]))
		case "Fn::Not":
			return !r.truth(args[0])
		}
	}
	r.faults = append(r.faults, fmt.Sprintf("these tests do not know the condition %v", c))
	return false
}

func (r *resolver) ref(name string) any {
	if name == "AWS::NoValue" {
		return absent{}
	}
	if v, ok := r.values[name]; ok {
		return v
	}
	p, isParameter := r.doc.Parameters[name]
	switch {
	case isParameter && p.Default != nil:
		return *p.Default
	case isParameter:
		r.faults = append(r.faults, fmt.Sprintf("no value of the parameter %s", name))
	case strings.HasPrefix(name, "AWS::"):
	default:
		if _, ok := r.doc.Resources[name]; !ok {
			r.faults = append(r.faults, fmt.Sprintf("Ref of %s, which is nowhere", name))
		}
	}
	return "${" + name + "}"
}

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

// resolve replaces the intrinsic functions in a value.
func (r *resolver) resolve(v any) any {
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, e := range v {
			if e := r.resolve(e); e != (any)(absent{}) {
				list = append(list, e)
			}
		}
		return list
	case map[string]any:
		if len(v) == 1 {
			for f, arg := range v {
				if f == "Ref" || strings.HasPrefix(f, "Fn::") {
					return r.call(f, arg)
				}
			}
		}
		m := map[string]any{}
		for k, e := range v {
			if e := r.resolve(e); e != (any)(absent{}) {
				m[k] = e
			}
		}
		return m
	}
	return v
}

func (r *resolver) call(f string, arg any) any {
	args, _ := arg.([]any)
	switch f {
	case "Ref":
		return r.ref(arg.(string))
	case "Fn::GetAtt":
		name := fmt.Sprint(args[0])
		if _, ok := r.doc.Resources[name]; !ok {
			r.faults = append(r.faults, fmt.Sprintf("GetAtt of %s, which is nowhere", name))
		}
		return fmt.Sprintf("${%s.%s}", args[0], args[1])
	case "Fn::If":
		if r.condition(args[0].(string)) {
			return r.resolve(args[1])
		}
		return r.resolve(args[2])
	case "Fn::Sub":
		return variable.ReplaceAllStringFunc(arg.(string), func(s string) string {
			name, attribute, isAttribute := strings.Cut(s[2:len(s)-1], ".")
			if isAttribute {
				return r.call("Fn::GetAtt", []any{name, attribute}).(string)
			}
			return fmt.Sprint(r.ref(name))
		})
	case "Fn::Join":
		var parts []string
		for _, e := range r.resolve(args[1]).([]any) {
			parts = append(parts, fmt.Sprint(e))
		}
		return strings.Join(parts, args[0].(string))
	case "Fn::Split":
		list := []any{}
		for _, e := range strings.Split(r.resolve(args[1]).(string), args[0].(string)) {
			list = append(list, e)
		}
		return list
	case "Fn::Select":
		return r.resolve(args[1]).([]any)[int(args[0].(float64))]
	}
	r.faults = append(r.faults, "these tests do not know the function "+f)
	return nil
}
