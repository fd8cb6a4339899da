// Package announcementtest checks published events against their schemas, for
// the tests of their publishers.
package announcementtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/amperity-runs/amperity-runs/docs/events"
)

// Validate checks an event's detail against the schema of its detail-type in
// docs/events. The error names every wrong place. Validate is safe for
// concurrent use.
func Validate(detailType string, detail []byte) error {
	schema, err := compiled(detailType)
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(detail))
	if err != nil {
		return fmt.Errorf("detail of %s is not JSON: %w", detailType, err)
	}
	if err := schema.Validate(instance); err != nil {
		return fmt.Errorf("detail of %s: %w", detailType, err)
	}
	return nil
}

// schemas caches the compiled schemas by detail-type, because compiling a
// schema takes much longer than using it.
var schemas sync.Map

func compiled(detailType string) (*jsonschema.Schema, error) {
	if s, ok := schemas.Load(detailType); ok {
		return s.(*jsonschema.Schema), nil
	}
	url, doc, err := find(detailType)
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(url, doc); err != nil {
		return nil, err
	}
	s, err := compiler.Compile(url)
	if err == nil {
		schemas.Store(detailType, s)
	}
	return s, err
}

// DetailTypes returns the titles of all schemas, in the order of their file
// names.
func DetailTypes() ([]string, error) {
	names, err := fs.Glob(events.Schemas, "*.schema.json")
	if err != nil {
		return nil, err
	}
	var titles []string
	for _, name := range names {
		head, _, err := read(name)
		if err != nil {
			return nil, err
		}
		titles = append(titles, head.Title)
	}
	return titles, nil
}

// find returns the schema whose title is the detail-type, and its URL.
func find(detailType string) (url string, schema any, err error) {
	names, err := fs.Glob(events.Schemas, "*.schema.json")
	if err != nil {
		return "", nil, err
	}
	for _, name := range names {
		head, schema, err := read(name)
		if err != nil {
			return "", nil, err
		}
		if head.Title == detailType {
			return head.ID, schema, nil
		}
	}
	return "", nil, fmt.Errorf("no schema in docs/events has the title %q", detailType)
}

// head has the title and the id of a schema.
type head struct {
	Title string
	ID    string `json:"$id"`
}

func read(name string) (h head, schema any, err error) {
	data, err := events.Schemas.ReadFile(name)
	if err != nil {
		return head{}, nil, err
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return head{}, nil, err
	}
	schema, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
	return h, schema, err
}
